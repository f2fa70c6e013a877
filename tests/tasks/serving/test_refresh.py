"""The board is read from the ledger and what is in Production; what cannot be read keeps its last values."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tasks.ledger.forecasts import Ledger
from tasks.ledger.retraining_requests import RetrainingRequest, RetrainingRequests
from tasks.registry.version import RegisteredVersion
from tasks.serving.board import Board
from tasks.serving.following.production import InProduction
from tasks.serving.following.refresh import BoardReader
from tasks.settings import Settings
from tests.tasks.forecasts.recorded import distributed, forecast

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
    ledger.append(replace(distributed(forecast(57)), late=True, stale=True))
    request = RetrainingRequest(
        model="TEST-Open", session=date(2020, 3, 20), version=1, at=AT, reasons="The CRPS is\ntoo high."
    )
    RetrainingRequests(settings.ledger_uri).ask(replace(request, session=date(2020, 3, 19), reasons="An older one."))
    RetrainingRequests(settings.ledger_uri).ask(request)
    (_, row) = board(BoardReader(settings), THERE, {"TEST-Open": "Version 2 does not load."}).rows
    assert row.alarms == (
        "Version 2 does not load.",
        "The newest forecast was made from the prices of an earlier fetch.",
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
