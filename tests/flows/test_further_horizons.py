"""A training with further horizons, to the forecast: proof and verdict of each, and the naive one where none is due."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.runs.clock import clock_at
from model.evaluation.baselines import best_naive_distribution
from model.evaluation.decision import DecisionWord, FurtherVerdict, Verdict
from model.market.calendar import ExchangeCalendar
from tasks.ledger.forecasts import Ledger
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tests.flows.conftest import MARKET, Run
from tests.flows.test_predict import market

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAST = ("--preset", "anchored", "--epochs", "1", "--set", "training.members=1", "--set", "training.patience=null")
AT = datetime(2020, 1, 31, tzinfo=UTC)


@pytest.mark.usefixtures("small_proof")
def test_each_further_horizon_has_its_own_verdict_and_without_skill_the_naive_distribution(
    run: Run, client: "MlflowClient", home: Path
) -> None:
    trained = run("train", *MARKET, *FAST, "--horizon", "1,5", "--json").json
    first, week = trained["decision"]["horizons"]
    assert (first["horizon"], first["verdict"]) == (1, trained["decision"]["verdict"])
    assert week["horizon"] == 5
    (line,) = [check for check in trained["decision"]["checks"] if check["name"] == "5 sessions ahead"]
    assert line["result"] == "INFO"
    assert " on 40 sessions" in line["measured"]
    version = client.get_model_version("SAMPLE-Open", "1")
    assert version.tags["verdict.5"] == week["verdict"]
    figures = client.get_run(trained["run_id"]).data
    assert figures.tags["verdict.5"] == week["verdict"]
    assert figures.metrics["in_5_proof_sessions"] == 40
    assert {"in_5_proof_evidence", "in_5_proof_evidence_against", "in_5_proof_crps_skill"} <= figures.metrics.keys()

    assert run("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test").code == 0
    assert f"; 5 sessions ahead: {week['verdict']}" in run("status").out

    settings = read_settings({"TOMORROW_HOME": str(home)})
    registry = Registry(Tracking(client, settings))
    _rule(registry, Verdict.NO_SKILL)
    # What somebody writes into a tag does not count.
    client.set_model_version_tag("SAMPLE-Open", "1", "verdict.5", "proven")
    one, naive = run("predict", *MARKET, "--json").json["horizons"]
    assert (one["horizon"], one["version"], one["verdict"]) == (1, 1, "proven")
    assert (naive["horizon"], naive["version"], naive["verdict"]) == (5, None, "no skill")
    _, quantiles = best_naive_distribution(market(home), "Open", 5)
    assert list(naive["quantiles"].values()) == quantiles.tolist()
    assert "; no skill, so this is the naive distribution" in run("predict", *MARKET).out

    # Another verdict does not make another forecast of the same day: the first one stands.
    _rule(registry, Verdict.UNDECIDED)
    again = run("predict", *MARKET, "--json").json["horizons"][1]
    assert again == naive | {"verdict": "undecided"}
    told = "; undecided now; recorded earlier, when no skill was found: the naive distribution"
    assert told in run("predict", *MARKET).out
    (row,) = Ledger(settings.ledger_uri).rows(horizon=5)
    assert row.version is None


def _rule(registry: Registry, week: Verdict) -> None:
    """Record another verdict on the version's skill five sessions ahead."""
    known = {5: FurtherVerdict(week, 1.0)}
    ruling = Ruling(
        decision=DecisionWord.FORCED,
        reasons=("A test.",),
        at=AT,
        by="test",
        verdict="proven",
        evidence=9.0,
        further=known,
    )
    registry.record(registry.version("SAMPLE-Open", 1), ruling)


@pytest.mark.slow
def test_a_missed_week_is_caught_up_with_every_horizon_once_and_judged_when_its_session_came(
    run: Run, home: Path
) -> None:
    days = ExchangeCalendar().sessions(date(2013, 6, 24), date(2013, 7, 10)).tolist()
    daily = ("--source", "sample", "--preset", "daily", *FAST[2:], "--horizon", "1,5")

    def on(day: date, *command: str) -> Any:
        with clock_at(datetime.combine(day, time(22, 30), UTC)):
            done = run(*command, "--json")
        assert done.code == 0, done.out
        return done.json

    assert [each["horizon"] for each in on(days[0], "train", *daily)["decision"]["horizons"]] == [1]
    on(days[0], "promote", "SAMPLE-Open", "1", "--force", "--reason", "a test")
    on(days[0], "predict", "--source", "sample")
    # Three evenings without a run; then everything of each day is made up for, once.
    assert [each["as_of"] for each in on(days[3], "catchup", *daily)["forecasts"]] == [str(day) for day in days[1:4]]
    assert on(days[3], "catchup", *daily)["forecasts"] == []
    retrained = on(days[4], "train", *daily)
    on(days[4], "promote", "SAMPLE-Open", str(retrained["version"]), "--force", "--reason", "a test")
    for _ in range(2):
        told = on(days[4], "predict", "--source", "sample")
        assert [each["horizon"] for each in told["horizons"]] == [1, 5]
    ledger = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri)
    for horizon in (1, 5):
        rows = ledger.rows(horizon=horizon)
        assert [(row.as_of, row.session) for row in rows] == [(days[at], days[at + horizon]) for at in range(5)]
        assert [row.version for row in rows] == [1, 1, 1, 1, retrained["version"]]
        assert [row.late for row in rows] == [False, True, True, False, False]
    # After the sixth session the forecast of the first day for it is judged, after the ninth all of them are.
    for last, filled in ((5, 1), (6, 2), (9, 5)):
        (week,) = on(days[last], "score", "--source", "sample")["horizons"]
        assert (week["horizon"], week["forecasts"]) == (5, 5)
        rows = ledger.rows(horizon=5)
        assert [row.observed is not None for row in rows] == [at < filled for at in range(5)]
    assert week["scored"] == 3


@pytest.mark.usefixtures("small_proof")
def test_a_training_of_the_next_session_alone_says_nothing_of_others(run: Run, client: "MlflowClient") -> None:
    trained = run("train", *MARKET, *FAST, "--json").json
    assert [each["horizon"] for each in trained["decision"]["horizons"]] == [1]
    assert not [check for check in trained["decision"]["checks"] if "ahead" in check["name"]]
    tags = client.get_model_version("SAMPLE-Open", "1").tags
    assert not [name for name in tags if name.startswith(("verdict.", "evidence."))]


def test_a_backtest_has_a_table_for_each_further_horizon(run: Run, client: "MlflowClient") -> None:
    months = ("--from", "2013-05", "--to", "2013-06", "--refit", "never")
    ask = ("backtest", *MARKET, "--presets", "anchored", *FAST[2:], *months, "--horizon", "1,5")
    first = run(*ask, "--json")
    assert first.code == 0, first.out
    done = first.json
    (week,) = done["horizons"]
    assert (week["horizon"], week["sessions"]) == (5, done["test"]["sessions"])
    ours = week["forecasts"][0]
    assert ours["label"] == "a width of its own, without a network"
    assert client.get_run(done["run_id"]).data.metrics["in_5/crps"] == pytest.approx(ours["crps"])
    told = run(*ask, "--jobs", "1").out  # all has been computed
    assert "5 sessions ahead  " in told
    assert "sessions ahead it " in told
    assert list(done["presets"]) == ["anchored"]
