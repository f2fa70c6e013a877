"""Runs that a schedule has started: nothing on holidays, late ones as of their own day, missed ones in order."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from prefect.logging import disable_run_logger

from flows.runs.clock import clock_at
from flows.runs.on_schedule import on_schedule
from model.config import PriceRequest
from tasks.ledger.forecasts import Ledger
from tasks.settings import read_settings
from tests.flows.conftest import SMALL, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

INDEPENDENCE_DAY = datetime(2013, 7, 4, 21, 30, tzinfo=UTC)
TUESDAY_EVENING = datetime(2013, 7, 2, 21, 30, tzinfo=UTC)
FRIDAY_EVENING = datetime(2013, 7, 5, 22, 0, tzinfo=UTC)
SAMPLE = ("--source", "sample")


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let runs be such as a schedule has started, due at a time."""

    def at(moment: datetime | None) -> None:
        monkeypatch.setattr("flows.runs.on_schedule._due", lambda: moment)

    return at


@pytest.mark.usefixtures("home")
def test_what_a_schedule_has_started_heeds_the_calendar_and_what_a_person_has_started_does_not(due: Any) -> None:
    seen = []

    @on_schedule
    def work(request: PriceRequest = PriceRequest(ticker="SAMPLE", source="sample")) -> Any:
        seen.append(request.as_of)
        return "done"

    with disable_run_logger():
        with clock_at(INDEPENDENCE_DAY):
            assert work() == "done"
            due(INDEPENDENCE_DAY)
            assert work().name == "NoSession"
        due(TUESDAY_EVENING)
        with clock_at(TUESDAY_EVENING):
            assert work() == "done"
        with clock_at(FRIDAY_EVENING):
            late = work()
    assert (late.is_completed(), late.data) == (True, "done")
    assert late.message == "late: due at 2013-07-02 21:30 UTC, started 72:30 hours after it, as of 2013-07-02"
    assert seen == [None, None, date(2013, 7, 2)]


@pytest.mark.usefixtures("home", "prefect_server")
def test_on_a_holiday_a_scheduled_training_ends_at_once_and_says_why(due: Any, client: "MlflowClient") -> None:
    from flows.train import train

    due(INDEPENDENCE_DAY)
    with clock_at(INDEPENDENCE_DAY):
        state = train(request=PriceRequest(ticker="SAMPLE", source="sample"), return_state=True)
    assert (state.is_completed(), state.name) == (True, "NoSession")
    assert state.message == "no session: none of XNYS has ended since the last run"
    assert client.search_registered_models() == []
    assert client.get_experiment_by_name("tomorrow") is None


@pytest.mark.usefixtures("in_production")
def test_what_was_missed_is_caught_up_in_order_and_a_late_run_is_as_of_its_own_day(run: Run, due: Any) -> None:
    from flows.predict import predict

    with clock_at(datetime(2013, 6, 28, 22, 0, tzinfo=UTC)):
        assert run("predict", *SAMPLE).code == 0
    sample = PriceRequest(ticker="SAMPLE", source="sample")
    due(TUESDAY_EVENING)
    with clock_at(FRIDAY_EVENING):
        state = predict(request=sample, return_state=True)
        late, _, made = str(state.message).partition("; ")
        assert late == "late: due at 2013-07-02 21:30 UTC, started 72:30 hours after it, as of 2013-07-02"
        assert made.startswith("SAMPLE Open on 2013-07-03: $")
        assert state.result().forecast.session == date(2013, 7, 3)
        due(None)
        answer = run("catchup", *SAMPLE, *SMALL, "--json").json
    # The exchange was closed on the 4th.
    assert [made["as_of"] for made in answer["forecasts"]] == ["2013-07-01", "2013-07-03", "2013-07-05"]
    assert answer["passed"] == []
    assert [made["version"] for made in answer["forecasts"]] == [1, 1, 1]
    rows = Ledger(read_settings().ledger_uri).rows("SAMPLE-Open")
    assert [str(row.as_of) for row in rows] == ["2013-06-28", "2013-07-01", "2013-07-02", "2013-07-03", "2013-07-05"]


def test_at_first_the_newest_session_is_caught_up_and_one_that_was_forecast_after_its_training_is_not_again(
    run: Run, client: "MlflowClient"
) -> None:
    saturday = datetime(2013, 6, 29, 16, 0, tzinfo=UTC)
    with clock_at(saturday):
        answer = run("catchup", *SAMPLE, *SMALL, "--json").json
        assert [(made["as_of"], made["version"]) for made in answer["forecasts"]] == [("2013-06-28", None)]
        assert answer["passed"] == []
        assert len(client.search_model_versions()) == 1
        assert run("catchup", *SAMPLE, *SMALL, "--json").json["forecasts"] == []
        (naive,) = Ledger(read_settings().ledger_uri).rows()
    assert (str(naive.session), naive.late) == ("2013-07-01", False)


@pytest.mark.usefixtures("small_proof")
def test_each_session_that_is_caught_up_adds_one_to_the_proof(
    run: Run, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    # What has no skill is left as it is: here nothing is ever decided.
    monkeypatch.setenv("TOMORROW_GATE__MIN_EVIDENCE", "1e30")
    for day in ("2013-06-28", "2013-07-02"):
        with clock_at(datetime.fromisoformat(f"{day} 22:00:00+00:00")):
            assert run("catchup", *SAMPLE, *SMALL).code == 0
    versions = {int(found.version): found for found in client.search_model_versions()}
    kept = [client.get_run(versions[number].run_id or "").data for number in (1, 2, 3)]
    assert [run_.metrics["proof_sessions"] for run_ in kept] == [40, 41, 42]
    assert len({run_.tags["x.proof.run"] for run_ in kept}) == 1
    steps = client.get_metric_history(kept[0].tags["x.proof.run"], "proof_sessions")
    assert sorted((step.step, step.value) for step in steps) == [
        (date(2013, 6, 28).toordinal(), 40),
        (date(2013, 7, 1).toordinal(), 41),
        (date(2013, 7, 2).toordinal(), 42),
    ]


def test_a_session_that_only_the_naive_distribution_forecast_is_caught_up_where_its_training_is_missing(
    run: Run, client: "MlflowClient"
) -> None:
    from flows.predict import predict

    with clock_at(datetime(2013, 6, 28, 22, 0, tzinfo=UTC)):
        naive = predict(request=PriceRequest(ticker="SAMPLE", source="sample"), or_naive=True).forecast
        price = f"${naive.forecast:.2f}"
        caught_up = run("catchup", *SAMPLE, *SMALL)
        status = run("status")
    assert caught_up.out.splitlines() == [
        "SAMPLE-Open: sessions caught up: 1.",
        f"  as of 2013-06-28: Open on 2013-07-01: {price}, naive: no version in Production could forecast it",
    ]
    assert len(client.search_model_versions()) == 1
    assert Ledger(read_settings().ledger_uri).rows() == (naive,)
    assert f"SAMPLE-Open: 1 made, newest {price} for 2013-07-01 (naive); none scored" in status.out
