"""The calendars of the package exchange_calendars, asked only for the years that each of them covers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from model.errors import ConfigurationError
from model.market.prices import Days

Moments = npt.NDArray[np.datetime64]

# For exchange rates the library ends a session at midnight in London, but their day ends in New York.
_CURRENCIES, _THEIR_ZONE, _THEIR_CLOSE = "24/5", "America/New_York", time(17)

# The first day from which on a calendar was seen to be right: the library's own default is twenty years back.
_GOOD_FROM: dict[str, date | None] = {"XNYS": date(1970, 1, 1), _CURRENCIES: None, "24/7": None}
_OTHERS_GOOD_FROM = date(2000, 1, 1)

# The time zones of calendars that may fail to load: the library gives only those of loaded ones.
_ZONES = {"ASEX": "Europe/Athens", "XBSE": "Europe/Bucharest", "XTAE": "Asia/Jerusalem"}

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownSessions:
    """The sessions of some years that the library knows.

    sessions:      (n,) datetime64[D], increasing
    opens, closes: (n,) datetime64[s] in UTC
    zone:          the exchange's time zone; None where it is not known
    good_from, good_until: the first and the last day that they are good for; None where there is no such day
    trouble:       why there are none though there is a calendar of that name; empty if all is well
    """

    sessions: Days
    opens: Moments
    closes: Moments
    zone: ZoneInfo | None = None
    good_from: date | None = None
    good_until: date | None = None
    trouble: str = ""


NOTHING = KnownSessions(
    sessions=np.empty(0, dtype="datetime64[D]"),
    opens=np.empty(0, dtype="datetime64[s]"),
    closes=np.empty(0, dtype="datetime64[s]"),
)


def resolved(exchange: str) -> str:
    """The code of the calendar that a code stands for, as XNYS for XNAS; ConfigurationError where it is none."""
    import exchange_calendars  # imported here and below: a third of a second, with pandas

    try:
        return str(exchange_calendars.resolve_alias(exchange))
    except exchange_calendars.errors.InvalidCalendarName:
        raise ConfigurationError(
            f"exchange {exchange}",
            have="no calendar of that name",
            need="an exchange's ISO 10383 code, such as XNYS or XETR; 24/7 for coins; observed for one without a "
            "calendar: every day with prices is then a session",
            remedy="correct --exchange, or `exchange` under `securities` in mlflow.yaml",
        ) from None


@lru_cache(maxsize=32)
def known_sessions(exchange: str, first_year: int, last_year: int) -> KnownSessions:
    """What the library knows of an exchange in these years, fewer if it does not cover all of them.

    ConfigurationError where it has no calendar of that name. Where loading one fails, `trouble` says why.
    """
    code = resolved(exchange)
    try:
        calendar, good_until = _load(code, first_year, last_year)
    # Any error here is the library's, and the prices themselves can stand in for the calendar.
    except Exception as error:  # noqa: BLE001
        from importlib.metadata import version

        said = f"{type(error).__name__} in exchange_calendars {version('exchange-calendars')}"
        where = _ZONES.get(code)
        return KnownSessions(
            sessions=NOTHING.sessions,
            opens=NOTHING.opens,
            closes=NOTHING.closes,
            zone=ZoneInfo(where) if where else None,
            trouble=f"the calendar of {exchange} cannot be loaded ({said})",
        )
    sessions = calendar.sessions.to_numpy().astype("datetime64[D]")
    if code == _CURRENCIES:
        zone = ZoneInfo(_THEIR_ZONE)
        after = _THEIR_CLOSE.hour * 3600
        opens, closes = moments(sessions, after - 86400, zone), moments(sessions, after, zone)
    else:
        zone = ZoneInfo(str(calendar.tz))
        opens, closes = (
            column.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
            for column in (calendar.opens, calendar.closes)
        )
    return KnownSessions(
        sessions=sessions,
        opens=opens,
        closes=closes,
        zone=zone,
        good_from=_good_from(code, type(calendar).bound_min()),
        good_until=good_until,
    )


def moments(days: Days, seconds: int, zone: ZoneInfo) -> Moments:
    """(n,) datetime64[s] in UTC: the moments `seconds` after each day's midnight by the clocks of a time zone."""
    import pandas as pd

    there = pd.DatetimeIndex(days.astype("datetime64[s]") + np.timedelta64(seconds, "s"))
    # When clocks change, an hour that occurs twice means the first, and a skipped one the moment after it.
    utc = there.tz_localize(zone, ambiguous=np.ones(len(there), dtype=bool), nonexistent="shift_forward")
    return np.asarray(utc.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]"))


def _load(code: str, first_year: int, last_year: int) -> tuple[Any, date | None]:
    """A calendar of as many of these years as it covers, and its last day if that is before their end."""
    import exchange_calendars

    first, last = f"{first_year}-01-01", f"{last_year}-12-31"
    with _holidays_since(first_year):
        try:
            return exchange_calendars.get_calendar(code, start=first, end=last), None
        except ValueError:
            kind = type(exchange_calendars.get_calendar(code))
            least, most = kind.bound_min(), kind.bound_max()
            if least is None and most is None:
                raise
            first = first if least is None else max(first, str(least.date()))
            until = last if most is None else min(last, str(most.date()))
            found = exchange_calendars.get_calendar(code, start=first, end=until)
            return found, date.fromisoformat(until) if until < last else None


@contextmanager
def _holidays_since(year: int) -> Iterator[None]:
    """Make pandas' holiday rules, which the library uses, begin with a year; by default they begin with 1970."""
    from pandas.tseries.holiday import AbstractHolidayCalendar

    with _one_at_a_time:
        before = AbstractHolidayCalendar.start_date
        if year <= before.year:
            AbstractHolidayCalendar.start_date = before.replace(year=year - 1)
        try:
            yield
        finally:
            AbstractHolidayCalendar.start_date = before


def _good_from(code: str, bound: Any) -> date | None:
    rule = _GOOD_FROM.get(code, _OTHERS_GOOD_FROM)
    covered = None if bound is None else date.fromisoformat(str(bound.date()))
    return max((day for day in (rule, covered) if day is not None), default=None)
