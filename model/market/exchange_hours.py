"""When each session of an exchange begins and is over: by its calendar as far as that is good, else as presumed."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from model.errors import ConfigurationError
from model.market.exchange_library import NOTHING, KnownSessions, Moments, known_sessions, moments, resolved
from model.market.prices import Days

# An exchange of that name has no calendar: its sessions are the days that the prices have.
OBSERVED = "observed"

# Prices of a session that has just closed still move a little: auctions, late reports.
SETTLING = timedelta(minutes=30)

# Sources have prices on some holidays of the other exchange, and on others none.
_HALF_HOLIDAYS = {"CMES": "XNYS", "IEPA": "XNYS"}
# Sources leave out one holiday or another, and no calendar knows which.
_WITHOUT_HOLIDAYS = "24/5"

# What is presumed of an exchange in a time zone that is known: no exchange keeps longer hours.
_OPENS, _CLOSES, _DAY = 9 * 3600, 18 * 3600, 86400
_WEEK = (0, 1, 2, 3, 4)
# How many of the newest sessions show on which days of the week an exchange trades: three months.
_SHOWN = 60

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What is presumed of days that no calendar knows: the days of the week, and seconds after midnight there."""

    zone: ZoneInfo
    weekdays: tuple[int, ...]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Every session of some years.

    sessions:      (n,) datetime64[D], increasing
    opens, closes: (n,) datetime64[s] in UTC
    from_when:     (n,) datetime64[s] in UTC, from when on a forecast comes too late
    over:          (n,) datetime64[s] in UTC, when the prices of each have settled
    habit:         the time zone, and what is presumed of days that no calendar knows
    good_from, good_until, trouble: as the library's calendar has them
    """

    sessions: Days
    opens: Moments
    closes: Moments
    from_when: Moments
    over: Moments
    habit: Habit
    good_from: date | None
    good_until: date | None
    trouble: str


def sure_days(exchange: str, days: Days) -> Mask:
    """(n,) for which days it is certain whether they are sessions: only there a missing row is a fault."""
    if exchange == OBSERVED or not len(days):
        return np.zeros(len(days), dtype=bool)
    known = known_sessions(exchange, *years(_date(days[0]), _date(days[-1])))
    code = resolved(exchange)
    if known.trouble or code == _WITHOUT_HOLIDAYS:
        return np.zeros(len(days), dtype=bool)
    sure = np.ones(len(days), dtype=bool)
    if known.good_from is not None:
        sure &= days >= np.datetime64(known.good_from, "D")
    if known.good_until is not None:
        sure &= days <= np.datetime64(known.good_until, "D")
    if code in _HALF_HOLIDAYS:
        weekend = ~np.isin(_weekday(days), _WEEK)
        sure &= weekend | sure_sessions(_HALF_HOLIDAYS[code], days)
    return sure


def sure_sessions(exchange: str, days: Days) -> Mask:
    """(n,) whether each day is a session by an exchange's calendar."""
    return np.isin(days, known_sessions(exchange, *years(_date(days[0]), _date(days[-1]))).sessions)


def years(first: date, last: date) -> tuple[int, int]:
    """The years to load for some days: one load of the common ones serves nearly all.

    At least a year more at either end: for the newest session before the first day, and the next one after the last.
    """
    return min(first.year - 1, 1990), max(last.year + 2, 2030)


@lru_cache(maxsize=32)
def load(
    exchange: str, zone: str | None, closures: tuple[date, ...], seen: bytes, first_year: int, last_year: int
) -> Hours:
    """The sessions of whole years.

    zone: where an exchange without a calendar is
    seen: the sessions that prices have, as bytes of datetime64[D]; from the first to the last of them they decide on
          all days that the calendar is not sure of
    """
    days = np.frombuffer(seen, dtype="<M8[D]")
    known = NOTHING if exchange == OBSERVED else known_sessions(exchange, first_year, last_year)
    habit = _habit_of(known) if len(known.sessions) else _observed_habit(known.zone or _zone(zone), days)
    known = _presumed_beyond(known, habit, first_year, last_year)
    if len(days):
        unsure = ~sure_days(exchange, known.sessions) & _between(known.sessions, days[0], days[-1])
        known = _rows(known, ~unsure | np.isin(known.sessions, days))
        known = _with(known, habit, days[~sure_days(exchange, days)])
    if closures:
        known = _rows(known, ~np.isin(known.sessions, np.array(closures, dtype="datetime64[D]")))
    return _hours(known, habit)


def _hours(known: KnownSessions, habit: Habit) -> Hours:
    opens, closes = known.opens, known.closes
    settling = np.timedelta64(int(SETTLING.total_seconds()), "s")
    gap = opens[1:] - closes[:-1]
    night = gap >= 2 * settling
    # Where one session follows another without a night, its first hour is left for forecasts: there is no other time.
    from_when = np.append(opens[:1], np.where(night, opens[1:], closes[:-1] + 2 * settling))
    if habit.opens + _DAY - habit.closes < 2 * SETTLING.total_seconds():
        # Such a market keeps that hour after a day that ends early as well.
        from_when[1:] = np.where(night & (gap < np.timedelta64(_DAY, "s")), opens[1:] + 2 * settling, from_when[1:])
    # A market without a night keeps to its boundary before a weekend, too: its runs come a few minutes after it.
    settles = np.append(night, True) if 2 * night.sum() > len(night) else np.zeros(len(closes), dtype=bool)
    over = closes + np.where(settles, settling, np.timedelta64(0, "s"))
    for array in (known.sessions, opens, closes, from_when, over):
        array.flags.writeable = False
    return Hours(
        sessions=known.sessions,
        opens=opens,
        closes=closes,
        from_when=from_when,
        over=over,
        habit=habit,
        good_from=known.good_from,
        good_until=known.good_until,
        trouble=known.trouble,
    )


def _habit_of(known: KnownSessions) -> Habit:
    """The days of the week and the hours that an exchange kept in the newest weeks that its calendar knows."""
    import pandas as pd

    zone = known.zone or ZoneInfo("UTC")
    days = known.sessions[-_SHOWN:]
    opens, closes = (
        Counter(
            (pd.DatetimeIndex(column[-_SHOWN:]).tz_localize("UTC").tz_convert(zone).tz_localize(None).to_numpy() - days)
            .astype("timedelta64[s]")
            .astype(int)
            .tolist()
        ).most_common(1)[0][0]
        for column in (known.opens, known.closes)
    )
    return Habit(zone=zone, weekdays=_weekdays(days), opens=opens, closes=closes)


def _observed_habit(zone: ZoneInfo | None, days: Days) -> Habit:
    weekdays = _weekdays(days[-_SHOWN:]) if len(days) else _WEEK
    if zone is None or len(weekdays) > len(_WEEK):
        return Habit(zone=zone or ZoneInfo("UTC"), weekdays=weekdays, opens=0, closes=_DAY)
    return Habit(zone=zone, weekdays=weekdays, opens=_OPENS, closes=_CLOSES)


def _weekdays(days: Days) -> tuple[int, ...]:
    """The days of the week, from Monday as 0, on which there are at least half as many sessions as on any other."""
    counts = np.bincount(_weekday(days), minlength=7)
    return tuple(int(day) for day in np.flatnonzero(2 * counts >= counts.max()))


def _weekday(days: Days) -> npt.NDArray[np.int64]:
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def _presumed_beyond(known: KnownSessions, habit: Habit, first_year: int, last_year: int) -> KnownSessions:
    """With the days before and after those that the calendar covers, as far as the years go."""
    every = np.arange(np.datetime64(f"{first_year}-01-01", "D"), np.datetime64(f"{last_year + 1}-01-01", "D"))
    every = every[np.isin(_weekday(every), habit.weekdays)]
    if len(known.sessions):
        first = known.sessions[0]
        last = known.sessions[-1] if known.good_until is None else np.datetime64(known.good_until, "D")
        every = every[(every < first - np.timedelta64(7, "D")) | ((every > last) & (known.good_until is not None))]
    return _with(known, habit, every)


def _with(known: KnownSessions, habit: Habit, days: Days) -> KnownSessions:
    """With these days as sessions, at the usual hours."""
    new = np.setdiff1d(days, known.sessions)
    if not len(new):
        return known
    sessions = np.concatenate([known.sessions, new])
    order = np.argsort(sessions)
    opens = np.concatenate([known.opens, moments(new, habit.opens, habit.zone)])
    closes = np.concatenate([known.closes, moments(new, habit.closes, habit.zone)])
    return replace(known, sessions=sessions[order], opens=opens[order], closes=closes[order])


def _rows(known: KnownSessions, kept: Mask) -> KnownSessions:
    return replace(known, sessions=known.sessions[kept], opens=known.opens[kept], closes=known.closes[kept])


def _between(days: Days, first: np.datetime64, last: np.datetime64) -> Mask:
    return (days >= first) & (days <= last)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"time zone {name}",
            have="no time zone of that name",
            need="one as the IANA names it, such as Africa/Cairo",
            remedy="correct `zone` under `securities` in mlflow.yaml",
        ) from None


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))
