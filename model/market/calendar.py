"""The days on which an exchange trades, when each of them is over, and what a schedule has to do on them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from model.errors import ConfigurationError
from model.market.prices import Days

# Prices of a session that has just closed still move a little: auctions, late reports.
SETTLING = timedelta(minutes=30)

# One load of these years serves all common days; others are loaded as they are asked for.
_FIRST_YEAR, _LAST_YEAR = 1990, 2030


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Hours:
    """Every session of some years.

    sessions:      (n,) datetime64[D], increasing
    opens, closes: (n,) datetime64[s] in UTC
    zone:          the exchange's time zone
    """

    sessions: Days
    opens: npt.NDArray[np.datetime64]
    closes: npt.NDArray[np.datetime64]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class ExchangeCalendar:
    """The sessions of one exchange, by its ISO 10383 code, without closures announced at short notice."""

    exchange: str = "XNYS"
    extra_closures: tuple[date, ...] = ()

    def sessions(self, first: date, last: date) -> Days:
        """Every session from `first` to `last`, both included."""
        if last < first:
            return np.empty(0, dtype="datetime64[D]")
        sessions = self._hours(first, last).sessions
        return sessions[(sessions >= np.datetime64(first, "D")) & (sessions <= np.datetime64(last, "D"))]

    def last_completed(self, now: datetime) -> date:
        """The newest session whose close lies half an hour or more before `now`."""
        moment = _utc(now)
        hours = self._hours(moment.date(), moment.date())
        over = np.datetime64((moment - SETTLING).replace(tzinfo=None), "us")
        row = int(np.searchsorted(hours.closes.astype("datetime64[us]"), over, side="right")) - 1
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
        """When trading begins, in UTC."""
        hours, row = self._row(session)
        return _moment(hours.opens[row])

    def closes(self, session: date) -> datetime:
        """When trading ends, in UTC; earlier on half days."""
        hours, row = self._row(session)
        return _moment(hours.closes[row])

    def today(self, now: datetime) -> date:
        """The date at the exchange, in its own time zone."""
        moment = _utc(now)
        return moment.astimezone(self._hours(moment.date(), moment.date()).zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return self._hours(date(_FIRST_YEAR + 1, 1, 1), date(_FIRST_YEAR + 1, 1, 1)).zone

    def _hours(self, first: date, last: date) -> _Hours:
        # A year more at either end: the newest session before the first day, the next one after the last.
        years = min(first.year - 1, _FIRST_YEAR), max(last.year + 2, _LAST_YEAR)
        return _load(self.exchange, self.extra_closures, *years)

    def _row(self, session: date) -> tuple[_Hours, int]:
        hours = self._hours(session, session)
        rows = np.flatnonzero(hours.sessions == np.datetime64(session, "D"))
        if not len(rows):
            raise ValueError(f"{session} is no session of {self.exchange}")
        return hours, int(rows[0])


def same_exchange(first: str, second: str) -> bool:
    """Whether two codes stand for one calendar, as XNAS and XNYS do."""
    import exchange_calendars

    return bool(exchange_calendars.resolve_alias(first) == exchange_calendars.resolve_alias(second))


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A run that a schedule has started, as of the session that was over when it was due.

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
    """The sessions up to `last`, oldest first, of which nothing was done though something was done before them.

    Where nothing was done at all it is the newest one alone.
    """
    if not done:
        return (calendar.newest(last),)
    return tuple(day for day in map(_date, calendar.sessions(min(done), last)) if day not in done)


@lru_cache(maxsize=16)
def _load(exchange: str, extra_closures: tuple[date, ...], first_year: int, last_year: int) -> _Hours:
    import exchange_calendars  # imported here: a third of a second, with pandas

    try:
        calendar = exchange_calendars.get_calendar(exchange, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    except (exchange_calendars.errors.CalendarError, ValueError) as error:
        raise ConfigurationError(
            f"exchange {exchange}",
            have=str(error),
            need="an exchange's ISO 10383 code, such as XNYS, and years that its calendar covers",
            remedy="correct `exchange` under `securities` in mlflow.yaml",
        ) from None
    sessions = calendar.sessions.to_numpy().astype("datetime64[D]")
    kept = ~np.isin(sessions, np.array(extra_closures, dtype="datetime64[D]"))
    opens, closes = (
        column.dt.tz_localize(None).to_numpy().astype("datetime64[s]")[kept]
        for column in (calendar.opens, calendar.closes)
    )
    for array in (sessions := sessions[kept], opens, closes):
        array.flags.writeable = False
    return _Hours(sessions=sessions, opens=opens, closes=closes, zone=ZoneInfo(str(calendar.tz)))


def _utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError(f"{now} has no time zone")
    return now.astimezone(UTC)


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))


def _moment(second: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(second)).replace(tzinfo=UTC)
