"""A training with further horizons, to the forecast: proof and verdict of each, and the naive one where none is due."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.evaluation.baselines import best_naive_distribution
from model.evaluation.decision import DecisionWord, FurtherVerdict, Verdict
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
    assert "; undecided now; on record is the naive distribution, from when" in run("predict", *MARKET).out
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
    told = run(*ask).out
    assert "5 sessions ahead  " in told
    assert "sessions ahead it " in told
    assert list(done["presets"]) == ["anchored"]
