"""The board is read from the ledger and what is in Production; what cannot be read keeps its last values."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from model.errors import ConfigurationError
from tasks.ledger.forecasts import Ledger
from tasks.ledger.retraining_requests import RetrainingRequest, RetrainingRequests
from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.version import RegisteredVersion
from tasks.serving.board import Board
from tasks.serving.following.production import InProduction, ProductionLook
from tasks.serving.following.refresh import BoardReader
from tasks.settings import Settings
from tasks.tracking.client import Tracking
from tests.tasks.forecasts.recorded import ahead, distributed, forecast
from tests.tasks.serving.pages.given import write_ledger

AT = datetime(2020, 3, 30, 12, tzinfo=UTC)
VERSION = RegisteredVersion(
    model="TEST-Open", version=1, stage="Production", run_id="r", source="models:/m-1", tags={"verdict": "proven"}
)
THERE = InProduction(version=VERSION, arrived=None, trained=None)


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    """A ledger with the forecasts of two sessions; the price of the first is filled in."""
    ledger = Ledger(settings.ledger_uri)
    made = [distributed(forecast(row)) for row in (55, 56)]
    for row in made:
        ledger.append(row)
    ledger.fill_in([(made[0], made[0].forecast + 1)], at=AT)
    return ledger


def board(reader: BoardReader, there: InProduction | None, trouble: dict[str, str] | None = None) -> Board:
    return reader.read(AT, 0.0, {"TEST-Open": there, "NEW-Close": None}, {"TEST-Open": 1}, trouble or {})


def test_each_model_has_a_row_with_what_is_known_of_it(settings: Settings, ledger: Ledger) -> None:
    (newest,) = ledger.of_newest_session("TEST-Open")
    found = board(BoardReader(settings), THERE)
    new, row = found.rows
    assert found.faults == {}
    assert (new.model, new.ticker, new.column, new.verdict, new.forecast) == (
        "NEW-Close",
        "NEW",
        "Close",
        "naive",
        None,
    )
    assert (row.stage, row.version, row.answering, row.verdict) == ("Production", 1, 1, "proven")
    assert (row.forecasts, row.scored, row.coverage, row.coverage_level) == (2, 1, 1.0, 0.95)
    assert row.forecast is not None
    assert (row.forecast.session, row.forecast.median) == (newest.session, newest.forecast)
    assert row.forecast.ranges == newest.intervals
    lower, upper = row.forecast.naive_ranges[95]
    assert lower < newest.naive < upper
    assert row.prices_as_of == newest.as_of
    assert row.prices_days == (AT.date() - newest.as_of).days


def test_a_forecast_that_is_made_later_is_seen_and_one_that_is_not_changed_is_not_read(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = BoardReader(settings)
    before = board(reader, THERE).rows[1]
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "of_newest_session", lambda *_: pytest.fail("it was read again"))
        assert board(reader, THERE).rows[1] == before
    ledger.append(distributed(forecast(57)))
    after = board(reader, THERE).rows[1]
    assert after.forecasts == 3
    assert after.forecast != before.forecast


def test_what_needs_a_person_is_said(settings: Settings, ledger: Ledger) -> None:
    ledger.append(replace(distributed(forecast(57)), late=True, stale=True, without="^VIX, mood"))
    request = RetrainingRequest(
        model="TEST-Open", session=date(2020, 3, 20), version=1, at=AT, reasons="The CRPS is\ntoo high."
    )
    RetrainingRequests(settings.ledger_uri).ask(replace(request, session=date(2020, 3, 19), reasons="An older one."))
    RetrainingRequests(settings.ledger_uri).ask(request)
    (_, row) = board(BoardReader(settings), THERE, {"TEST-Open": "Version 2 does not load."}).rows
    assert row.alarms == (
        "Version 2 does not load.",
        "The newest forecast was made from the prices of an earlier fetch.",
        "The newest forecast was made without ^VIX, mood: not known when it was made.",
        "The newest forecast was made after its session had opened, so it does not count.",
        "Retraining was requested for 2020-03-20: The CRPS is too high.",
    )


@pytest.mark.usefixtures("ledger")
def test_what_cannot_be_read_keeps_its_last_values(settings: Settings) -> None:
    reader = BoardReader(settings)
    before = board(reader, THERE)
    file = settings.ledger_uri.file
    assert file is not None
    file.write_bytes(b"no database" * 1000)
    after = board(reader, THERE, {"": "MLflow does not answer"})
    assert after.rows == before.rows
    assert set(after.faults) == {"ledger", "registry"}
    assert after.faults["registry"] == "MLflow does not answer"


@pytest.mark.usefixtures("ledger")
def test_what_fails_in_a_way_that_nobody_foresaw_is_named_and_does_not_stop_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise PermissionError("[Errno 13] Permission denied: 'prices'")

    monkeypatch.setattr("tasks.serving.following.refresh.stored_prices", unreadable)
    found = board(BoardReader(settings), THERE)
    assert [row.model for row in found.rows] == ["NEW-Close", "TEST-Open"]
    assert set(found.faults) == {"prices"}


@pytest.mark.usefixtures("ledger")
def test_a_model_whose_place_was_never_read_is_not_called_naive(settings: Settings) -> None:
    (row,) = BoardReader(settings).read(AT, 0.0, {}, {}, {"": "MLflow does not answer"}).rows
    assert (row.stage, row.verdict, row.is_naive) == ("unknown", "not judged", False)
    (row,) = BoardReader(settings).read(AT, 0.0, {}, {}, {}).rows
    assert (row.stage, row.verdict) == ("None", "naive"), "it is not in the registry: nothing of it is in Production"


@pytest.mark.usefixtures("ledger")
def test_a_ledger_that_is_gone_keeps_its_last_values(settings: Settings) -> None:
    reader, file = BoardReader(settings), settings.ledger_uri.file
    before = board(reader, THERE)
    assert file is not None
    file.rename(file.with_suffix(".elsewhere"))
    after = board(reader, THERE)
    assert after.rows == before.rows
    assert set(after.faults) == {"ledger"}
    assert not file.exists()


def test_an_mlflow_that_is_gone_is_a_fault_and_not_an_empty_registry(tracking: Tracking) -> None:
    MlflowRegistry(tracking.client).create_model("TEST-Open")
    look, file = ProductionLook(tracking.settings), tracking.settings.tracking_uri.file
    assert look.look(AT) == {"TEST-Open": None}
    assert file is not None
    file.rename(file.with_suffix(".elsewhere"))
    with pytest.raises(ConfigurationError, match="is gone"):
        look.look(AT)


@pytest.mark.parametrize(("at", "over"), [("2026-11-30T23:59-05:00", False), ("2026-12-01T00:00-05:00", True)])
def test_a_forecast_whose_session_is_over_does_not_pass_for_the_next_one(
    settings: Settings, at: str, over: bool
) -> None:
    write_ledger(settings, sessions=12)  # the newest is of 2026-11-30
    (row,) = BoardReader(settings).read(datetime.fromisoformat(at), 0.0, {"META-Open": None}, {}, {}).rows
    assert ["The newest forecast is of 2026-11-30, which is over." in alarm for alarm in row.alarms] == [True] * over


def test_the_newest_cone_stands_in_the_row_and_later_sessions_change_nothing_else_of_it(
    settings: Settings, ledger: Ledger
) -> None:
    before = board(BoardReader(settings), THERE).rows[1]
    first, newest = (replace(row, observed=None, observed_at=None) for row in ledger.rows("TEST-Open"))
    week = ahead(first)
    ledger.append_all([week, ahead(newest), replace(ahead(newest, 13), version=None, run_id="")])
    ledger.fill_in([(week, 9000.0)], at=AT)
    tags = {
        **VERSION.tags,
        "verdict.5": "undecided",
        "evidence.5": "3.1",
        "verdict.13": "no skill",
        "evidence.13": "0.5",
    }
    there = replace(THERE, version=replace(VERSION, tags=tags))
    row = board(BoardReader(settings), there).rows[1]
    assert row.model_copy(update={"further": ()}) == before
    assert before.further == ()
    five, thirteen = row.further
    assert (five.horizon, five.version, five.verdict, five.evidence) == (5, 1, "undecided", 3.1)
    assert (five.session, five.scored, five.coverage, five.coverage_level) == (ahead(newest).session, 1, 0.0, 0.95)
    assert five.ranges == newest.intervals
    assert (thirteen.horizon, thirteen.version, thirteen.verdict, thirteen.scored) == (13, None, "no skill", 0)
    nothing = board(BoardReader(settings), None).rows[1]
    assert [each.verdict for each in nothing.further] == ["not judged", "naive"]


def test_the_naive_distribution_of_an_earlier_version_is_not_said_to_be_the_newer_ones(
    settings: Settings, ledger: Ledger
) -> None:
    (newest,) = ledger.of_newest_session("TEST-Open")
    ledger.append_all([replace(ahead(newest, 13), version=None, run_id="")])
    # The version that has come into Production since is not without skill so far ahead.
    tags = {**VERSION.tags, "verdict.13": "undecided", "evidence.13": "3.1"}
    there = replace(THERE, version=replace(VERSION, version=2, tags=tags))
    (thirteen,) = board(BoardReader(settings), there).rows[1].further
    assert (thirteen.version, thirteen.verdict, thirteen.evidence) == (None, "naive", None)
