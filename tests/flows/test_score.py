"""`tomorrow score`: what happened is filled in once, and judged; late forecasts never count."""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from flows.runs.clock import clock_at
from model.artifact.distribution import PROBABILITIES
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.evaluation.baselines import naive_forecasts
from model.evaluation.decision import DecisionWord
from model.evaluation.distribution import log_density, median
from model.evaluation.evidence.e_process import odds_text
from model.evaluation.split import split_prices
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices
from tasks.forecasts import make
from tasks.forecasts.outcomes import find_outcomes
from tasks.forecasts.scoring import score_forecasts
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.kept_files import Trained
from tasks.ledger.retraining_requests import RetrainingRequests
from tasks.prices.request import resolve
from tasks.prices.sources.read import read_prices
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import Settings, read_settings
from tasks.system.lock import locked
from tasks.tracking.client import Tracking
from tasks.tracking.run_inputs import RunConfig
from tasks.training.run import log_setup, start_training_run
from tests.distributions import around
from tests.flows.conftest import Run
from tests.flows.runs.test_fetch import artifacts
from tests.flows.runs.test_story import log_of
from tests.tasks.forecasts.recorded import crps_by_hand, distributed, naive_quantiles

MODEL = "SAMPLE-Open"
LAST = date(2013, 9, 30)
MARKET = ("--source", "sample", "--as-of", LAST.isoformat())
NOW = datetime(2013, 9, 30, 22, 0, tzinfo=UTC)
SESSIONS = 26


@pytest.fixture
def settings(home: Path) -> Settings:
    return read_settings({"TOMORROW_HOME": str(home)})


@pytest.fixture
def prices(settings: Settings) -> Prices:
    request = PriceRequest(ticker="SAMPLE", source="sample", as_of=LAST)
    return read_prices(resolve(request, settings, NOW), settings, NOW)


@pytest.fixture
def in_production(tracking: Tracking, prices: Prices) -> str:
    """A version in Production that needs no network: its run, with the prices that it was trained on."""
    forecaster, evaluation = ForecasterConfig(), EvaluationConfig()
    split = split_prices(prices.until(date(2013, 6, 28)), evaluation, 40)
    with start_training_run(tracking, split, forecaster, {}) as run:
        log_setup(
            run,
            tracking.settings,
            split,
            RunConfig(request=PriceRequest(), forecaster=forecaster, evaluation=evaluation),
        )
    registry = Registry(tracking)
    registry.register(MODEL, run_id=run.run_id, model_uri=f"runs:/{run.run_id}/forecaster")
    registry.move(MODEL, 1, "Production", Ruling(decision=DecisionWord.FORCED, reasons=(), at=NOW, by="a test"))
    return run.run_id


def forecasts(prices: Prices, error: float) -> list[RecordedForecast]:
    """The newest forecasts of the market, each a narrow distribution that is off by so many dollars.

    Each was made the evening before.
    """
    rows = []
    for row in range(len(prices) - SESSIONS, len(prices)):
        naives = naive_forecasts(prices.until(prices.day(row - 1)), "Open", 1)
        evening = datetime.combine(prices.day(row - 1), time(22, 15), UTC)
        made = RecordedForecast(
            model=MODEL,
            version=1,
            ticker="SAMPLE",
            column="Open",
            as_of=prices.day(row - 1),
            session=prices.day(row),
            forecast=float(prices.column("Open")[row]) + error,
            naive=float(naives["newest_Close"][0]),
            naive_name="newest_Close",
            source="sample",
            stale=False,
            run_id="",
            fingerprint="",
            made_at=evening,
            naives={name: float(values[0]) for name, values in naives.items()},
            naive_quantiles=naive_quantiles(prices.until(prices.day(row - 1))),
            late=False,
        )
        rows.append(distributed(made))
    return rows


def test_forecasts_that_went_wrong_are_scored_once_and_retraining_is_asked_for_once(
    run: Run, tracking: Tracking, prices: Prices, in_production: str
) -> None:
    ledger = Ledger(tracking.settings.ledger_uri)
    made = forecasts(prices, error=3.0)
    # The first was made too late, and was far better than it could be.
    late = replace(forecasts(prices, error=0.0)[0], late=True)
    waiting = replace(made[-1], as_of=LAST, session=LAST + timedelta(days=1))
    for row in (late, *made[1:], waiting):
        ledger.append(row)
    with clock_at(NOW):
        first = run("score", *MARKET, "--json").json
        again = run("score", *MARKET, "--json").json
    assert (first["forecasts"], first["scored"], first["counted"]) == (SESSIONS + 1, SESSIONS - 1, SESSIONS - 1)
    assert (first["filled"], first["waiting"]) == (SESSIONS, 1)
    assert first["rmse"] == pytest.approx(3.0)
    assert first["bias"] == pytest.approx(3.0)
    assert first["naive_rmse"] < 3.0
    assert (first["coverage"], first["level"]) == (0.0, 0.95)
    assert (first["retrain"], first["asked"]) == (True, True)
    assert "5 of the newest 5 windows" in first["reasons"][0]
    assert [reason.split(" ", 1)[0] for reason in first["reasons"][1:]] == ["CRPS", "80", "95"]
    # The same again: nothing is filled in, and the request stands.
    assert (again["filled"], again["retrain"], again["asked"]) == (0, True, False)
    assert [row.observed for row in ledger.rows()] == [*prices.column("Open")[-SESSIONS:], None]

    request = RetrainingRequests(tracking.settings.ledger_uri).newest(MODEL)
    assert request is not None
    assert (request.session, request.version) == (LAST, 1)
    version = tracking.client.get_model_version(MODEL, "1")
    assert version.tags["retrain"].startswith("requested after 2013-09-30")
    scored = tracking.client.get_run(version.tags["x.score.run"])
    assert scored.info.status == "FINISHED"
    assert scored.data.tags["mlflow.parentRunId"] == in_production
    history = tracking.client.get_metric_history(scored.info.run_id, "rolling_rmse")
    assert [metric.step for metric in history] == [row.session.toordinal() for row in made[1:]]
    figures = [file.path for file in tracking.client.list_artifacts(scored.info.run_id, "figures")]
    assert figures == [
        f"figures/{name}.png"
        for name in ("crps", "forecast", "live_evidence", "live_skill", "pit", "reliability", "scale", "score")
    ]
    assert again["versions"][0]["run_id"] == scored.info.run_id


def test_forecasts_are_scored_whatever_became_of_the_files_of_the_training(
    run: Run, tracking: Tracking, prices: Prices, in_production: str
) -> None:
    for row in forecasts(prices, error=3.0):
        Ledger(tracking.settings.ledger_uri).append(row)
    place = Path(urlsplit(str(tracking.client.get_run(in_production).info.artifact_uri)).path)
    (place / "prices.parquet").write_bytes(b"PAR1")
    with clock_at(NOW):
        scored = run("score", *MARKET, "--json")
    assert (scored.code, scored.json["scored"], scored.json["asked"]) == (0, SESSIONS, True)
    damaged = f"{MODEL} version 1: the file prices.parquet of its run {in_production}: it is not as it was written"
    assert f"{damaged}: scored without its drift" in log_of("score")


@pytest.mark.usefixtures("in_production")
def test_the_figures_of_one_of_several_wait_until_it_is_scored_alone(
    run: Run, tracking: Tracking, prices: Prices
) -> None:
    ledger = Ledger(tracking.settings.ledger_uri)
    for row in forecasts(prices, error=3.0):
        ledger.append(row)
    ledger.fill_in(find_outcomes(ledger.unfilled(MODEL), prices).known, at=NOW)

    def score(*, draw: bool) -> tuple[int, int]:
        """The windows and the figures in MLflow afterwards."""
        run_id = score_forecasts(tracking, MODEL, prices, NOW, draw=draw).runs[1]
        figures = tracking.client.list_artifacts(run_id, "figures")
        return len(tracking.client.get_metric_history(run_id, "rolling_rmse")), len(figures)

    assert score(draw=False) == (SESSIONS, 0)
    with clock_at(NOW):
        assert run("score", *MARKET).code == 0
    assert score(draw=False) == (SESSIONS, 8)


@pytest.mark.usefixtures("in_production")
def test_a_score_that_waited_for_a_newer_one_takes_nothing_of_it_back(
    tracking: Tracking, prices: Prices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has read the ledger when, before it has the lock, the second fills in one more session and scores."""
    ledger = Ledger(tracking.settings.ledger_uri)
    for row in forecasts(prices, error=3.0):
        ledger.append(row)
    *known, newest = find_outcomes(ledger.unfilled(MODEL), prices).known
    ledger.fill_in(known, at=NOW)

    def after_the_second(*given: Any, **named: Any) -> AbstractContextManager[None]:
        monkeypatch.setattr("tasks.forecasts.scoring.locked", locked)
        ledger.fill_in([newest], at=NOW)
        score_forecasts(tracking, MODEL, prices, NOW, draw=False)
        return locked(*given, **named)

    monkeypatch.setattr("tasks.forecasts.scoring.locked", after_the_second)
    run_id = score_forecasts(tracking, MODEL, prices, NOW, draw=False).runs[1]
    assert Registry(tracking).version(MODEL, 1).tags["x.score.written"] == str(LAST)
    table = json.loads(Path(tracking.client.download_artifacts(run_id, "forecasts.json")).read_text(encoding="utf-8"))
    assert len(table["data"]) == SESSIONS


@pytest.mark.usefixtures("in_production")
def test_live_skill_and_evidence_are_those_of_the_forecasts_in_the_ledger(
    run: Run, tracking: Tracking, prices: Prices, tmp_path: Path
) -> None:
    ledger = Ledger(tracking.settings.ledger_uri)
    made = forecasts(prices, error=3.0)
    for row in made:
        ledger.append(row)
    with clock_at(NOW):
        scored = run("score", *MARKET, "--json").json
        text = run("score", *MARKET).out
        (status,) = run("status", "--json").json["forecasts"]
        status_text = run("status").out
    live = scored["live"]
    came = prices.column("Open")[-SESSIONS:].tolist()
    ours = [crps_by_hand(row.quantiles, price) for row, price in zip(made, came, strict=True)]
    naive = {
        name: [crps_by_hand(row.naive_quantiles[name], price) for row, price in zip(made, came, strict=True)]
        for name in made[0].naive_quantiles
    }
    assert live["forecasts"] == SESSIONS
    assert live["skill"] == {"21": pytest.approx(1 - sum(ours[-21:]) / min(sum(each[-21:]) for each in naive.values()))}
    # Every price lay far below its distribution, so that the values of the PIT are near 0, all of them.
    assert live["pit_ks"] > 0.99
    assert live["evidence"] == 1.0
    assert live["evidence_against"] > 20
    against = odds_text(live["evidence_against"])
    assert live["claim"] == f"worse than the naive distribution (evidence {against} on 26 live forecasts)"
    assert (status["claim"], status["evidence"], status["skill"]) == (live["claim"], live["evidence"], live["skill"])
    said = f"Live: {live['claim']}; CRPS skill {live['skill']['21']:+.3f} over the newest 21."
    assert said in text
    assert said in status_text
    assert said in log_of("score")
    assert said in artifacts("score-sample-open")[-1]

    run_id = scored["versions"][0]["run_id"]

    def logged(name: str) -> list[float]:
        return [metric.value for metric in tracking.client.get_metric_history(run_id, name)]

    assert logged("crps") == pytest.approx(ours)
    assert logged("live_skill_21")[-1] == pytest.approx(live["skill"]["21"])
    assert len(logged("live_skill_21")) == SESSIONS - 20
    assert logged("live_skill_63") == []
    assert 10 ** max(logged("live_evidence_against")) == pytest.approx(live["evidence_against"])
    table = json.loads(Path(tracking.client.download_artifacts(run_id, "forecasts.json", str(tmp_path))).read_text())
    assert table["columns"] == ["session", "actual", "forecast", "crps", "naive_crps", "pit"]
    assert [row[0] for row in table["data"]] == [str(row.session) for row in made]
    assert [row[3] for row in table["data"]] == pytest.approx(ours)
    assert [row[5] for row in table["data"]] == pytest.approx(logged("pit"))


def test_with_nothing_forecast_there_is_nothing_to_score(run: Run) -> None:
    with clock_at(NOW):
        scored = run("score", *MARKET, "--json").json
    assert (scored["forecasts"], scored["scored"], scored["rmse"], scored["retrain"]) == (0, 0, None, False)
    assert (scored["crps"], scored["naive_crps"], scored["naive_distribution"], scored["live"]) == (None,) * 4


def test_what_predict_gives_is_what_the_ledger_keeps_and_what_score_and_status_judge(
    run: Run, prices: Prices, settings: Settings, in_production: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantiles = around(np.array([float(prices.column("Close")[-2])]), 1.5, 2.5)

    class Version:
        def predict(self, _: Prices) -> Forecasts:
            return Forecasts(values=median(quantiles), quantiles=quantiles, further={5: 1.1 * quantiles})

        def without(self, _: Prices) -> tuple[str, ...]:
            return ()

    trained = Trained(model=MODEL, run_id=in_production, key="", as_of=date(2013, 6, 28))
    monkeypatch.setattr(make, "trained_as", lambda *_: trained)
    monkeypatch.setattr(make, "load_forecaster", lambda *_: Version())
    friday = ("--source", "sample", "--as-of", "2013-09-27")
    with clock_at(datetime(2013, 9, 27, 22, 15, tzinfo=UTC)):
        made = run("predict", *friday, "--json").json
        text = run("predict", *friday).out
    assert (made["session"], made["quantiles"]["0.5"]) == (LAST.isoformat(), made["forecast"])
    assert [entry["horizon"] for entry in made["horizons"]] == [1, 5]
    week = made["horizons"][1]
    assert (week["session"], list(week["quantiles"].values())) == ("2013-10-04", (1.1 * quantiles[0]).tolist())
    assert list(made["quantiles"]) == [f"{probability:g}" for probability in PROBABILITIES]
    assert list(made["quantiles"].values()) == quantiles[0].tolist()
    assert made["intervals"]["80"] == [made["quantiles"]["0.1"], made["quantiles"]["0.9"]]
    assert (made["lower"], made["upper"]) == (made["quantiles"]["0.025"], made["quantiles"]["0.975"])
    ends = {name: f"${made['quantiles'][name]:.2f}" for name in ("0.01", "0.025", "0.1", "0.9", "0.975", "0.99")}
    assert f"  80 %: {ends['0.1']} to {ends['0.9']}\n  95 %: {ends['0.025']} to {ends['0.975']}\n" in text
    assert f"  1 in 100: below {ends['0.01']}; 1 in 100: above {ends['0.99']}\n" in text

    with clock_at(NOW):
        scored = run("score", *MARKET, "--json").json
        text = run("score", *MARKET).out
        (status,) = run("status", "--json").json["forecasts"]
        line = run("status").out
    (row,) = Ledger(settings.ledger_uri).rows(MODEL)
    (later,) = Ledger(settings.ledger_uri).rows(MODEL, horizon=5)
    assert (later.as_of, str(later.session), later.observed) == (row.as_of, week["session"], None)
    assert (scored["forecasts"], scored["filled"], scored["waiting"]) == (1, 1, 0)
    assert [(each["horizon"], each["forecasts"], each["scored"]) for each in scored["horizons"]] == [(5, 1, 0)]
    assert "5 sessions ahead: 1 made, 0 count; none of a version can be judged yet." in text
    assert "| 5 | 2013-10-04 |" in artifacts("forecast-sample-open")[-1]
    came = float(prices.column("Open")[-1])
    assert row.observed == came
    crps = crps_by_hand(row.quantiles, came)
    naive = {name: crps_by_hand(found, came) for name, found in row.naive_quantiles.items()}
    assert made["currency"] == scored["currency"] == status["newest"]["currency"] == row.currency == "USD"
    assert scored["crps"] == status["crps"] == pytest.approx(crps)
    assert scored["naive_crps"] == status["naive_crps"] == pytest.approx(min(naive.values()))
    assert scored["naive_distribution"] == min(naive, key=lambda name: naive[name])
    assert scored["crps_skill"] == pytest.approx(1 - crps / min(naive.values()))
    assert scored["log_score"] == pytest.approx(log_density(np.array([came]), quantiles)[0])
    assert 0 < text.index(f"CRPS ${crps:.3f}; best naive distribution (") < text.index("RMSE $")
    assert f"1 scored, CRPS ${crps:.3f}, naive ${min(naive.values()):.3f}; RMSE $" in line


@pytest.mark.usefixtures("in_production")
def test_forecasts_of_later_sessions_are_scored_by_themselves_and_disturb_nothing_of_the_next_one(
    run: Run, tracking: Tracking, prices: Prices
) -> None:
    ledger = Ledger(tracking.settings.ledger_uri)
    wide = forecasts(prices, error=0.0)
    bare = [replace(row, quantiles={}, intervals={}, level=None, lower=None, upper=None) for row in wide]
    made = [distributed(row, half_80=0.1, half_95=0.2) for row in bare]
    for row in made:
        ledger.append(row)
    with clock_at(NOW):
        run("score", *MARKET)
        alone = run("score", *MARKET, "--json").json
        assert "sessions ahead" not in run("score", *MARKET).out
        status = run("status", "--json").json["forecasts"]
    assert (alone["retrain"], alone["horizons"]) == (False, [])
    # Each is off by far, which would be a reason to train again if it were of the next session.
    for row, later in zip(bare, [*made[4:], *[None] * 4], strict=True):
        session = LAST + timedelta(days=9) if later is None else later.session
        naives = {name: naive for name, naive in row.naives.items() if name != "drift"}
        wrong = replace(row, naives=naives, forecast=row.forecast + 50.0, horizon=5, session=session)
        ledger.append(distributed(wrong))
    # As before the first draw.
    tracking.client.delete_model_version_tag(MODEL, "1", "x.score.drawn")
    with clock_at(NOW):
        mixed = run("score", *MARKET, "--json").json
        text = run("score", *MARKET).out
        shown = run("status", "--json").json["forecasts"]
    others = ("horizons", "seconds", "prices")
    assert {name: value for name, value in mixed.items() if name not in others} == {
        name: value for name, value in alone.items() if name not in others
    }
    figures = {file.path for file in tracking.client.list_artifacts(mixed["versions"][0]["run_id"], "figures")}
    later_ones = ("cone", "in_5_live_evidence", "in_5_live_forecast", "in_5_live_skill")
    assert len(figures) == 8 + len(later_ones)
    assert figures >= {f"figures/{name}.png" for name in later_ones}
    (week,) = mixed["horizons"]
    (later,) = shown[0].pop("horizons")
    assert shown == [{name: value for name, value in of.items() if name != "horizons"} for of in status]
    for name in ("horizon", "scored", "crps", "naive_crps", "coverage", "level"):
        assert later[name] == week[name]
    assert (week["horizon"], week["forecasts"], week["scored"]) == (5, SESSIONS, SESSIONS - 4)
    came = prices.column("Open")[-SESSIONS + 4 :].tolist()
    ours = [
        crps_by_hand({p: q + 50.0 for p, q in row.quantiles.items()}, price)
        for row, price in zip(wide, came, strict=False)
    ]
    assert week["crps"] == pytest.approx(sum(ours) / len(ours))
    assert (week["coverage"], week["live"]["forecasts"], week["live"]["evidence"]) == (0.0, SESSIONS - 4, 1.0)
    assert f"  5 sessions ahead: {SESSIONS} made, {SESSIONS - 4} count; CRPS " in text
    assert RetrainingRequests(tracking.settings.ledger_uri).newest(MODEL) is None
    assert f"Filled in the actual price of 0 of {SESSIONS} forecasts of later sessions." in log_of("score")
