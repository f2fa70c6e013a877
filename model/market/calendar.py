"""The days on which an exchange trades, when each of them is over, and what a schedule has to do on them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from model.market.exchange_hours import OBSERVED, SETTLING, Habit, Hours, Mask, load, sure_days, years
from model.market.exchange_library import Moments, known_sessions, resolved
from model.market.prices import Days

__all__ = [
    "LONGEST_HOLIDAYS",
    "OBSERVED",
    "SETTLING",
    "ExchangeCalendar",
    "Occasion",
    "code_of",
    "missed_sessions",
    "occasion",
    "same_exchange",
]

# The years to load for what does not depend on a day, such as an exchange's hours and time zone.
_COMMON = years(date(2000, 1, 1), date(2000, 1, 1))
_SOME_DAYS = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")
# No exchange is closed for longer: Lunar New Year, Golden Week, the end of Ramadan.
LONGEST_HOLIDAYS = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ExchangeCalendar:
    """The sessions of one exchange, by its ISO 10383 code, without closures announced at short notice.

    exchange: `observed` for one without a calendar: its sessions are the days that prices have
    zone:     the time zone of such an exchange; for any other its calendar gives it
    seen:     the sessions that prices have, as `ExchangeCalendar.bytes_of` makes them: from the first to the last of
              them, they decide on the days that the calendar is not sure of
    """

    exchange: str = "XNYS"
    extra_closures: tuple[date, ...] = ()
    zone: str | None = None
    seen: bytes = b""

    @staticmethod
    def bytes_of(sessions: Days) -> bytes:
        """The sessions of some prices, as `seen` takes them."""
        return sessions.astype("<M8[D]").tobytes()

    @property
    def observed(self) -> bool:
        """Whether its sessions are taken from the prices, since it has no calendar or one that cannot be loaded."""
        return self.exchange == OBSERVED or bool(self.trouble)

    @property
    def good_from(self) -> date | None:
        """The first day that the calendar is good for; None where it is good for all days, or for none."""
        return self._common().good_from

    @property
    def good_until(self) -> date | None:
        """The last day that the calendar covers, after which sessions are presumed; None where there is no such day."""
        return self._common().good_until

    @property
    def trouble(self) -> str:
        """Why a calendar of that name cannot be loaded; empty where it can."""
        return "" if self.exchange == OBSERVED else known_sessions(self.exchange, *_COMMON).trouble

    @property
    def habit(self) -> Habit:
        """The time zone, and its present days of the week and hours, without half days."""
        return self._common().habit

    @property
    def knows_all(self) -> bool:
        """Whether it is sure of every day from 2010 to 2019 and of all to come; prices add nothing then."""
        return self.good_until is None and bool(self.is_sure(_SOME_DAYS).all())

    def due_sessions(self, after: date, until: date) -> tuple[date, ...]:
        """The sessions after a day, up to another, whose prices must be there.

        A session that the calendar is not sure of is due only when the two days are more than two weeks apart.
        """
        sessions = self.sessions(after, until)
        sessions = sessions[sessions > np.datetime64(after, "D")]
        if until - after <= LONGEST_HOLIDAYS:
            sessions = sessions[self.is_sure(sessions)]
        return tuple(_date(day) for day in sessions)

    def following(self, last: date, completed: date) -> date:
        """The session after `last`, the newest that prices have, where `completed` is the newest that is over.

        Sessions between them that the calendar is not sure of, and that have no prices, count as none.
        """
        if last < completed <= last + LONGEST_HOLIDAYS and not self.due_sessions(last, completed):
            return self.next_session(completed)
        return self.next_session(last)

    def is_sure(self, days: Days) -> Mask:
        """(n,) whether it is sure of each day, (n,) increasing: on the others a missing or extra row is no fault."""
        return sure_days(self.exchange, days)

    def sessions(self, first: date, last: date) -> Days:
        """Every session from `first` to `last`, both included."""
        if last < first:
            return np.empty(0, dtype="datetime64[D]")
        sessions = self._hours(first, last).sessions
        return sessions[(sessions >= np.datetime64(first, "D")) & (sessions <= np.datetime64(last, "D"))]

    def last_completed(self, now: datetime) -> date:
        """The newest session whose prices have settled by `now`: half an hour after its close.

        In a market without a night they count as settled at the close, before a weekend too.
        """
        moment = _utc(now)
        hours = self._hours(moment.date(), moment.date())
        over = np.datetime64(moment.replace(tzinfo=None), "us")
        row = int(np.searchsorted(hours.over.astype("datetime64[us]"), over, side="right")) - 1
        return _date(hours.sessions[row])

    def next_session(self, day: date) -> date:
        """The first session after `day`, which need not be a session itself."""
        sessions = self._hours(day, day).sessions
        return _date(sessions[int(np.searchsorted(sessions, np.datetime64(day, "D"), side="right"))])

    def newest(self, day: date) -> date:
        """The last session up to `day`, which may be one itself."""
        sessions = self._hours(day, day).sessions
        return _date(sessions[int(np.searchsorted(sessions, np.datetime64(day, "D"), side="right")) - 1])

    def opens(self, session: date) -> datetime:
        """From when on a forecast of it comes too late, in UTC: the begin of trading.

        In a market without a night it is an hour later: in that hour the prices of the session before settle, and the
        forecast is made.
        """
        hours, row = self._row(session)
        return _moment(hours.from_when[row])

    def closes(self, session: date) -> datetime:
        """When trading ends, in UTC; earlier on half days."""
        hours, row = self._row(session)
        return _moment(hours.closes[row])

    def over(self, days: Days) -> Moments:
        """(n,) datetime64[s], when each session's prices have settled, in UTC; NaT for days that are no sessions."""
        found = np.full(len(days), np.datetime64("NaT", "s"))
        if len(days):
            hours = self._hours(_date(days.min()), _date(days.max()))
            rows = np.minimum(np.searchsorted(hours.sessions, days), len(hours.sessions) - 1)
            there = hours.sessions[rows] == days
            found[there] = hours.over[rows[there]]
        return found

    def today(self, now: datetime) -> date:
        """The date at the exchange, in its own time zone."""
        moment = _utc(now)
        return moment.astimezone(self._hours(moment.date(), moment.date()).habit.zone).date()

    @property
    def time_zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return self._common().habit.zone

    def _common(self) -> Hours:
        return load(self.exchange, self.zone, self.extra_closures, self.seen, *_COMMON)

    def _hours(self, first: date, last: date) -> Hours:
        return load(self.exchange, self.zone, self.extra_closures, self.seen, *years(first, last))

    def _row(self, session: date) -> tuple[Hours, int]:
        hours = self._hours(session, session)
        rows = np.flatnonzero(hours.sessions == np.datetime64(session, "D"))
        if not len(rows):
            raise ValueError(f"{session} is no session of {self.exchange}")
        return hours, int(rows[0])


def code_of(exchange: str) -> str:
    """The code of the calendar that a code stands for, as XNYS for XNAS; ConfigurationError where it is none."""
    return exchange if exchange == OBSERVED else resolved(exchange)


def same_exchange(first: str, second: str) -> bool:
    """Whether two codes stand for one calendar, as XNAS and XNYS do."""
    return resolved(first) == resolved(second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A run that a schedule has started, as of the session that was over when it was due.

    is_session: whether a session has ended since the last run: without one there is nothing to do
    as_of:      the newest session that was over when it was due, where another one is over by now; else None
    late:       by how much it started too late; None where it is in time
    """

    is_session: bool
    as_of: date | None
    late: timedelta | None


def occasion(
    calendar: ExchangeCalendar, due: datetime, started: datetime, allowed: timedelta, since: datetime | None = None
) -> Occasion:
    """What a run has to do, from when it was due and when it started; up to `allowed` it is not late.

    since: when the last run was due; by default a day before
    """
    known = calendar.last_completed(due)
    return Occasion(
        is_session=known > calendar.last_completed(since or due - timedelta(days=1)),
        as_of=None if calendar.last_completed(started) == known else known,
        late=started - due if started - due > allowed else None,
    )


def missed_sessions(calendar: ExchangeCalendar, done: Collection[date], last: date) -> tuple[date, ...]:
    """The sessions up to `last` that are not in `done`, from the oldest in it on; oldest first.

    Where nothing was done yet, the newest one alone.
    """
    if not done:
        return (calendar.newest(last),)
    return tuple(day for day in map(_date, calendar.sessions(min(done), last)) if day not in done)


def _utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError(f"{now} has no time zone")
    return now.astimezone(UTC)


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))


def _moment(second: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(second)).replace(tzinfo=UTC)
