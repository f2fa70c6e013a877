"""Calendars beyond New York's: every one loads, in the years that it covers; the others give way to the prices."""

import itertools
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from model.market.calendar import ExchangeCalendar
from tasks.prices.sources.yahoo_exchanges import CALENDARS, calendar_by_ticker

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.mark.slow
def test_every_calendar_that_yahoo_needs_loads_and_only_three_are_in_trouble() -> None:
    codes = sorted({*CALENDARS.values()} - {"observed"})
    assert len(codes) > 49
    newest = {code: ExchangeCalendar(code).last_completed(NOW) for code in codes}
    assert all(date(2026, 11, 25) <= day <= date(2026, 11, 27) for day in newest.values())
    assert [code for code in codes if ExchangeCalendar(code).observed] == ["ASEX", "XBSE", "XTAE"]


def test_a_calendar_in_trouble_says_so() -> None:
    assert "the calendar of ASEX cannot be loaded (NotImplementedError in exchange_calendars" in (
        ExchangeCalendar("ASEX").trouble
    )


@pytest.mark.parametrize("day", ["1962-02-22", "1962-05-30", "1962-07-04", "1962-09-03", "1962-11-22", "1962-12-25"])
def test_new_york_had_holidays_in_the_sixties(day: str) -> None:
    found = date.fromisoformat(day)
    assert len(ExchangeCalendar("XNYS").sessions(found, found)) == 0


def test_beyond_the_years_of_a_calendar_sessions_are_presumed_and_not_sure() -> None:
    calendar = ExchangeCalendar("XBOM")
    assert (calendar.good_from, calendar.good_until) == (date(2000, 1, 1), date(2026, 12, 31))
    assert calendar.next_session(date(2026, 12, 31)) == date(2027, 1, 1)
    days = np.array(["1999-12-31", "2026-12-31", "2027-01-01"], dtype="datetime64[D]")
    assert calendar.is_sure(days).tolist() == [False, True, False]


@pytest.mark.parametrize("code", ["24/7", "24/5", "CMES"])
def test_a_market_without_a_night_leaves_an_hour_for_forecasts(code: str) -> None:
    calendar = ExchangeCalendar(code)
    days = calendar.sessions(date(2026, 10, 1), date(2026, 11, 20)).tolist()
    for before, session in itertools.pairwise(days):
        assert calendar.opens(session) - calendar.closes(before) >= timedelta(hours=1)
        assert calendar.last_completed(calendar.closes(before)) == before  # on Fridays, too


@pytest.mark.parametrize(
    ("session", "too_late"),
    [
        ("2026-11-25", "2026-11-25 00:00"),
        ("2026-11-27", "2026-11-27 00:00"),  # Thanksgiving had ended five hours before
        ("2026-11-30", "2026-11-29 23:00"),  # on Sunday, after a weekend, at the begin itself
    ],
)
def test_futures_leave_that_hour_after_a_day_that_ends_early_as_well(session: str, too_late: str) -> None:
    calendar = ExchangeCalendar("CMES")
    assert f"{calendar.opens(date.fromisoformat(session)):%Y-%m-%d %H:%M}" == too_late


@pytest.mark.parametrize(("code", "boundary"), [("24/7", "00:00"), ("24/5", "22:00")])
def test_their_sessions_end_at_midnight_and_at_five_in_new_york(code: str, boundary: str) -> None:
    assert f"{ExchangeCalendar(code).closes(date(2026, 11, 18)):%H:%M}" == boundary


def test_observed_sessions_are_the_days_of_the_prices_and_after_them_the_usual_ones() -> None:
    days = np.arange("2026-08-02", "2026-11-20", dtype="datetime64[D]")
    days = days[~np.isin((days.astype(int) + 3) % 7, (4, 5))]  # closed on Fridays and Saturdays, as in Cairo
    days = days[days != np.datetime64("2026-10-06")]
    cairo = ExchangeCalendar("observed", zone="Africa/Cairo", seen=ExchangeCalendar.bytes_of(days))
    assert (cairo.sessions(date(2026, 8, 2), date(2026, 11, 19)) == days).all()
    assert cairo.next_session(date(2026, 11, 19)) == date(2026, 11, 22)
    assert cairo.due_sessions(date(2026, 11, 19), date(2026, 11, 26)) == ()
    assert len(cairo.due_sessions(date(2026, 11, 19), date(2026, 12, 17))) == 20
    assert cairo.following(date(2026, 11, 19), date(2026, 11, 23)) == date(2026, 11, 24)


@pytest.mark.parametrize(
    ("ticker", "calendar"),
    [
        *(("SAP.DE", "XETR"), ("7203.T", "XTKS"), ("RELIANCE.NS", "XBOM"), ("VOD.L", "XLON"), ("BTC-USD", "24/7")),
        *(("EURUSD=X", "24/5"), ("CL=F", "CMES"), ("COMI.CA", "observed"), ("BRK-B", None), ("META", None)),
    ],
)
def test_a_ticker_tells_its_exchange(ticker: str, calendar: str | None) -> None:
    assert calendar_by_ticker(ticker) == calendar
