"""Sessions, half days, closures, when a session is over, and what a scheduled run has to do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import ConfigurationError
from model.market.calendar import ExchangeCalendar, missed_sessions, occasion

NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = ExchangeCalendar()
ALLOWED = timedelta(minutes=30)


def new_york(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=NEW_YORK)


def test_january_2020_has_its_21_sessions_without_new_year_and_martin_luther_king_day() -> None:
    sessions = [str(day) for day in CALENDAR.sessions(date(2020, 1, 1), date(2020, 1, 31))]
    assert len(sessions) == 21
    assert (sessions[0], sessions[-1]) == ("2020-01-02", "2020-01-31")
    assert "2020-01-20" not in sessions


@pytest.mark.parametrize("closed", ["2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09", "2026-11-26"])
def test_closures_at_short_notice_and_holidays_are_no_sessions(closed: str) -> None:
    day = date.fromisoformat(closed)
    assert len(CALENDAR.sessions(day, day)) == 0


def test_a_closure_from_the_configuration_is_no_session() -> None:
    closed = ExchangeCalendar("XNYS", (date(2026, 11, 12),))
    assert [str(day) for day in closed.sessions(date(2026, 11, 11), date(2026, 11, 13))] == ["2026-11-11", "2026-11-13"]
    assert closed.next_session(date(2026, 11, 11)) == date(2026, 11, 13)
    assert closed.last_completed(new_york("2026-11-12", "20:00")) == date(2026, 11, 11)
    due = new_york("2026-11-12", "17:30")
    assert not occasion(closed, due, due, ALLOWED).is_session


@pytest.mark.parametrize(
    ("clock", "completed"), [("16:29:59", "2026-11-19"), ("16:30", "2026-11-20"), ("23:59", "2026-11-20")]
)
def test_a_session_is_over_half_an_hour_after_its_close(clock: str, completed: str) -> None:
    assert CALENDAR.last_completed(new_york("2026-11-20", clock)) == date.fromisoformat(completed)


@pytest.mark.parametrize(("clock", "completed"), [("13:29", "2026-11-25"), ("13:30", "2026-11-27")])
def test_a_half_day_is_over_early(clock: str, completed: str) -> None:
    assert CALENDAR.opens(date(2026, 11, 27)) == new_york("2026-11-27", "09:30")
    assert CALENDAR.closes(date(2026, 11, 27)) == new_york("2026-11-27", "13:00")
    assert CALENDAR.last_completed(new_york("2026-11-27", clock)) == date.fromisoformat(completed)


@pytest.mark.parametrize(
    ("session", "closes"),
    [
        ("2026-03-06", "21:00"),  # the Friday before New York's clocks go forward
        ("2026-03-09", "20:00"),
        ("2026-10-30", "20:00"),  # the Friday before they go back
        ("2026-11-02", "21:00"),
    ],
)
def test_the_close_moves_with_new_yorks_clocks(session: str, closes: str) -> None:
    day = date.fromisoformat(session)
    close = datetime.fromisoformat(f"{session}T{closes}").replace(tzinfo=UTC)
    assert CALENDAR.closes(day) == close
    assert CALENDAR.opens(day) == close - timedelta(hours=6.5)
    assert CALENDAR.last_completed(close + timedelta(minutes=30)) == day
    assert CALENDAR.last_completed(close + timedelta(minutes=29)) < day


def test_the_next_session_skips_weekends_and_holidays() -> None:
    assert CALENDAR.next_session(date(2026, 11, 20)) == date(2026, 11, 23)
    assert CALENDAR.next_session(date(2026, 11, 21)) == date(2026, 11, 23)
    assert CALENDAR.next_session(date(2026, 11, 25)) == date(2026, 11, 27)


def test_years_beyond_the_common_ones_are_there_when_they_are_asked_for() -> None:
    assert CALENDAR.next_session(date(2033, 12, 30)) == date(2034, 1, 3)
    assert str(CALENDAR.sessions(date(1985, 1, 1), date(1985, 1, 5))[0]) == "1985-01-02"


def test_on_the_first_day_of_all_years_the_newest_session_is_the_one_before_it() -> None:
    assert CALENDAR.last_completed(datetime(1990, 1, 1, 12, tzinfo=UTC)) == date(1989, 12, 29)
    assert CALENDAR.last_completed(datetime(1970, 1, 1, tzinfo=UTC)) == date(1969, 12, 31)


def test_an_exchange_without_a_calendar_is_named() -> None:
    with pytest.raises(ConfigurationError, match="exchange NOWHERE"):
        ExchangeCalendar("NOWHERE").next_session(date(2020, 1, 1))


def test_a_clock_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        CALENDAR.last_completed(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_day_that_is_no_session_has_no_close() -> None:
    with pytest.raises(ValueError, match="2026-11-21 is no session of XNYS"):
        CALENDAR.closes(date(2026, 11, 21))


@settings(deadline=None)
@given(st.datetimes(datetime(2012, 1, 5), datetime(2029, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_newest_completed_session_is_over_and_the_next_is_not(now: datetime) -> None:
    completed = CALENDAR.last_completed(now)
    assert CALENDAR.closes(completed) + timedelta(minutes=30) <= now
    assert CALENDAR.closes(CALENDAR.next_session(completed)) + timedelta(minutes=30) > now


@pytest.mark.parametrize(
    ("due", "is_session"),
    [
        (datetime(2019, 7, 3, 21, 30, tzinfo=UTC), True),  # trading ended at 13:00 in New York
        (datetime(2019, 7, 4, 21, 30, tzinfo=UTC), False),
        (datetime(2019, 7, 5, 21, 30, tzinfo=UTC), True),
        (datetime(2019, 7, 6, 1, 0, tzinfo=UTC), True),  # still Friday in New York
        (datetime(2019, 7, 6, 21, 30, tzinfo=UTC), False),
    ],
)
def test_there_is_something_to_do_on_days_of_the_exchange_with_a_session(due: datetime, is_session: bool) -> None:
    found = occasion(CALENDAR, due, due, ALLOWED)
    assert (found.is_session, found.as_of, found.late) == (is_session, None, None)


def test_a_late_run_works_as_of_the_session_that_was_due_once_another_is_over() -> None:
    due = datetime(2019, 7, 2, 21, 30, tzinfo=UTC)
    same_night = occasion(CALENDAR, due, due + timedelta(hours=5), ALLOWED)
    assert (same_night.as_of, same_night.late) == (None, timedelta(hours=5))
    next_evening = occasion(CALENDAR, due, due + timedelta(days=1), ALLOWED)
    assert (next_evening.as_of, next_evening.late) == (date(2019, 7, 2), timedelta(days=1))
    assert occasion(CALENDAR, due, due + ALLOWED, ALLOWED).late is None


def test_missed_are_the_sessions_without_anything_since_the_first_with_something() -> None:
    done = {date(2019, 7, 2), date(2019, 7, 8)}
    assert missed_sessions(CALENDAR, done, date(2019, 7, 10)) == (
        date(2019, 7, 3),
        date(2019, 7, 5),
        date(2019, 7, 9),
        date(2019, 7, 10),
    )
    assert missed_sessions(CALENDAR, done, date(2019, 7, 2)) == ()


@pytest.mark.parametrize(
    ("last", "newest"), [("2019-07-03", "2019-07-03"), ("2019-07-04", "2019-07-03"), ("2019-07-07", "2019-07-05")]
)
def test_where_nothing_was_done_at_all_the_newest_session_alone_is_missed(last: str, newest: str) -> None:
    assert CALENDAR.newest(date.fromisoformat(last)) == date.fromisoformat(newest)
    assert missed_sessions(CALENDAR, set(), date.fromisoformat(last)) == (date.fromisoformat(newest),)
