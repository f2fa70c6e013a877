"""What a scheduled run has to do, by the exchange's calendar, and which sessions were missed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from model.market.calendar import ExchangeCalendar
from model.market.schedule import missed_sessions, occasion

CALENDAR = ExchangeCalendar("XNYS")
ALLOWED = timedelta(minutes=30)


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


def test_an_extra_closure_is_no_session() -> None:
    closed = ExchangeCalendar("XNYS", [date(2019, 7, 3)])
    due = datetime(2019, 7, 3, 21, 30, tzinfo=UTC)
    assert not occasion(closed, due, due, ALLOWED).is_session


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
    assert missed_sessions(CALENDAR, set(), date(2019, 7, 10)) == ()
