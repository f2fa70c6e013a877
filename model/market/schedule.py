"""What is due when: runs on trading days only, each as of the day that it was due; and what was missed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from model.market.calendar import ExchangeCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A run that a schedule has started.

    today:      the day at the exchange on which it was due
    is_session: whether the exchange trades on it: on other days there is nothing to do
    as_of:      the newest session that was over when it was due, where another one is over by now; else None
    late:       by how much it started too late; None where it is in time
    """

    today: date
    is_session: bool
    as_of: date | None
    late: timedelta | None


def occasion(calendar: ExchangeCalendar, due: datetime, started: datetime, allowed: timedelta) -> Occasion:
    """What a run has to do that was due at one time and started at another; `allowed` is no lateness yet."""
    today, known = calendar.today(due), calendar.last_completed(due)
    return Occasion(
        today=today,
        is_session=len(calendar.sessions(today, today)) == 1,
        as_of=None if calendar.last_completed(started) == known else known,
        late=started - due if started - due > allowed else None,
    )


def missed_sessions(calendar: ExchangeCalendar, done: Collection[date], last: date) -> tuple[date, ...]:
    """The sessions up to `last`, oldest first, of which nothing was done though something was done before them."""
    if not done:
        return ()
    sessions = calendar.sessions(min(done), last)
    return tuple(day for day in (date.fromisoformat(str(session)) for session in sessions) if day not in done)
