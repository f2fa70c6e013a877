"""Checks of prices: one readable line for each kind of fault, and for what is odd but right, with its days.

Nothing is filled in or dropped. A fault that a person has looked at and accepted, day by day, is a note from then on.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from model.config import Frozen
from model.errors import FaultyPrices
from model.market.calendar import ExchangeCalendar
from model.market.findings import Cause, Finding, apart, needed, ways_on
from model.market.moves import UNITS, Move, Reason, large_moves
from model.market.prices import COLUMNS, Days, Prices, Values

PRICE_COLUMNS = COLUMNS[:5]

# Sources store prices in single precision and print six decimals: an Open may lie a little above its High.
_ROUNDING = 1e-6
# Where nothing is traded under the ticker itself, or the exchange settles a price, the Close is computed separately and
# may lie a hair outside the day's range.
_HAIR = 0.005
# Exchanges of futures.
_SETTLED = ("CMES", "IEPA")
# An exchange rate may lack up to this many sessions in a row: bank holidays.
_HOLIDAYS = 3
# For cheaper prices one or two of the smallest coins look like a factor of 100.
_CHEAP = 0.1

Rows = npt.NDArray[np.bool_]

_MOVES: dict[Reason, str] = {
    "returned": "Close that went away and returned in the next session",
    "units": f"Close changed by a factor of {' or '.join(f'{unit:g}' for unit in UNITS)}, as from pence to pounds",
    "split": "Close changed as by a split, on a day like any other, and earlier prices are not adjusted for one",
    "newest": "newest Close far from the one before, on a day with the volume and range of any other",
}


class ChecksConfig(Frozen):
    """The limits of the checks, and what was accepted.

    largest_move: a Close that moves by more from one session to the next, as a fraction, is examined
    accepted:     days that a person has accepted as right, and by whom, when and why, in words
    """

    largest_move: Annotated[float, Field(gt=0)] = 0.4
    accepted: Mapping[date, str] = {}


def check_prices(prices: Prices, calendar: ExchangeCalendar, limits: ChecksConfig = ChecksConfig()) -> tuple[str, ...]:
    """What is odd but right, one line for each kind; FaultyPrices where anything is wrong.

    The error's `faults` has a line for each kind of fault.
    """
    faults, notes = apart(_findings(prices, calendar, limits), limits.accepted)
    if not faults:
        return notes
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise FaultyPrices(
        f"prices of {prices.security.ticker} from {prices.origin}",
        have=count + "".join(f"\n  - {fault.text}" for fault in faults),
        need=needed(faults),
        remedy=ways_on(prices, calendar.exchange, faults),
        faults=[fault.text for fault in faults],
    )


def _findings(prices: Prices, calendar: ExchangeCalendar, limits: ChecksConfig) -> list[Finding]:
    """Everything that is wrong or odd, one for each kind."""
    if not len(prices):
        return []
    # A missing price, or High and Low in the wrong order, is reported once, not four times.
    money = prices.values[:, :5]
    comparable: Rows = np.logical_and.reduce(np.isfinite(money) & (money > 0), axis=1, dtype=np.bool_)
    bars = [found for found in _bars(prices, comparable) if len(found.days)]
    wrong = ~comparable
    for found in bars:
        wrong |= np.isin(prices.sessions, found.days) & found.fault
    quiet = _is_quiet(prices)
    return [
        found
        for found in (
            *_sessions(prices, calendar, quiet),
            *_numbers(prices),
            *_volumes(prices, quiet),
            *bars,
            *_moves(prices, large_moves(prices, limits.largest_move, wrong), limits.largest_move),
        )
        if len(found.days)
    ]


def _is_quiet(prices: Prices) -> Rows:
    """The rows of days without trade: no volume, and every price the Close before."""
    traded = prices.values[:, :4]
    before = np.concatenate([traded[:1, 3], traded[:-1, 3]])[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        same: Rows = (np.abs(traded - before) <= 1e-4 * np.abs(before)).all(axis=1)
    quiet: Rows = same & (prices.column("Volume") == 0)
    return quiet


def _sessions(prices: Prices, calendar: ExchangeCalendar, quiet: Rows) -> Iterator[Finding]:
    if calendar.observed:
        return
    expected = calendar.sessions(prices.first, prices.last)
    missing = np.setdiff1d(expected, prices.sessions, assume_unique=True)
    holidays = missing[:0]
    if prices.security.kind == "CURRENCY" or calendar.exchange == "24/5":
        holidays = _short_gaps(missing, expected)
        missing = np.setdiff1d(missing, holidays, assume_unique=True)
    lost = calendar.is_sure(missing)
    extra = ~np.isin(prices.sessions, expected, assume_unique=True)
    sure = calendar.is_sure(prices.sessions)
    closed = f"on a day when {calendar.exchange} did not trade"
    unsure = f"of days that the calendar of {calendar.exchange} is not sure of"
    days = prices.sessions
    yield Finding(what="missing", noun="session", days=missing[lost], cause="missing")
    yield Finding(what=closed, noun="row", days=days[extra & sure & ~quiet], cause="extra")
    what = f"{closed}, without trade and at the price before"
    yield Finding(what=what, noun="row", days=days[extra & sure & quiet], cause="extra", fault=False)
    yield Finding(what="missing, a bank holiday", noun="session", days=holidays, cause="missing", fault=False)
    yield Finding(what=f"missing, {unsure}", noun="session", days=missing[~lost], cause="missing", fault=False)
    yield Finding(what=f"too many, {unsure}", noun="row", days=days[extra & ~sure], cause="extra", fault=False)


def _short_gaps(missing: Days, expected: Days) -> Days:
    """The missing sessions in gaps that are short enough for an exchange rate."""
    places = np.searchsorted(expected, missing)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    short = [run for run in runs if 0 < len(run) <= _HOLIDAYS]
    return expected[np.concatenate(short)] if short else missing[:0]


def _numbers(prices: Prices) -> Iterator[Finding]:
    money, volume = prices.values[:, :5], prices.column("Volume")
    with np.errstate(invalid="ignore"):
        faults = {
            "not a number": np.isnan(money),
            "infinite": np.isinf(money),
            "zero": money == 0,
            "negative": (money < 0) & np.isfinite(money),
        }
    for what, cells in faults.items():
        names = ", ".join(name for name, wrong in zip(PRICE_COLUMNS, cells.any(axis=0), strict=True) if wrong)
        cause: Cause = "negative" if what == "negative" else "number"
        yield Finding(what=f"{names} {what}", days=prices.sessions[cells.any(axis=1)], cause=cause)
    impossible = ~np.isfinite(volume) | (volume < 0)
    yield Finding(what="Volume missing, zero or negative", days=prices.sessions[impossible], cause="number")


def _volumes(prices: Prices, quiet: Rows) -> Iterator[Finding]:
    """Days without trade, in a security that is traded on others."""
    if not prices.has_volume:
        return
    none = prices.column("Volume") == 0
    # A futures exchange settles a price each day, even when the nearest contract was not traded.
    is_settled = _is_future(prices)
    what = "with volume 0: prices as they were settled" if is_settled else "Volume missing, zero or negative"
    yield Finding(
        what=what,
        noun="session" if is_settled else "",
        days=prices.sessions[none & ~quiet],
        cause="volume",
        fault=not is_settled,
    )
    yield Finding(
        what="without trade: volume 0, and every price the Close before",
        noun="session",
        days=prices.sessions[none & quiet],
        cause="volume",
        fault=False,
    )


def _is_future(prices: Prices) -> bool:
    return prices.security.kind == "FUTURE" or prices.security.exchange in _SETTLED


def _bars(prices: Prices, comparable: Rows) -> Iterator[Finding]:
    opened, high, low, close, adjusted = (prices.column(name) for name in PRICE_COLUMNS)
    with np.errstate(invalid="ignore", divide="ignore"):
        slack = _ROUNDING * (1 + np.abs(close))
        computed = not prices.has_volume or _is_future(prices)
        turned = (high < low - slack) & comparable
        yield Finding(what="High below Low", days=prices.sessions[turned], cause="bar")
        in_order = comparable & ~turned
        for name, price in (("Open", opened), ("Close", close)):
            outside = in_order & ~_within(price, low, high, slack)
            hair = outside & _within(price, low, high, slack + _HAIR * close) & computed
            what = f"{name} outside Low to High"
            yield Finding(what=what, days=prices.sessions[outside & ~hair], cause="bar")
            yield Finding(what=f"{what} by a hair", days=prices.sessions[hair], cause="bar", fault=False)
        above = (adjusted > close + slack) & comparable
        yield Finding(what="Adj Close above Close", days=prices.sessions[above], cause="bar")
        far = in_order & _within(close, low, high, slack) & (close > _CHEAP)
        far &= np.any([_by_unit(price / close) for price in (opened, high, low)], axis=0)
        units = " or ".join(f"{unit:g}" for unit in UNITS)
        yield Finding(
            what=f"Open, High or Low {units} times the Close, or that part of it",
            days=prices.sessions[far],
            cause="bar",
        )


def _by_unit(ratio: Values) -> Rows:
    """The rows whose ratio of two prices is that of two units of money."""
    size = np.abs(np.log(ratio))
    near: Rows = np.any([np.abs(size - np.log(unit)) < 0.1 for unit in UNITS], axis=0)
    return near


def _within(price: Values, low: Values, high: Values, slack: Values) -> Rows:
    return (price >= low - slack) & (price <= high + slack)


def _moves(prices: Prices, moves: tuple[Move, ...], largest: float) -> Iterator[Finding]:
    """Large moves, by the reason why they are wrong; those without one are a note."""
    for reason in (*_MOVES, None):
        found = [move for move in moves if move.reason == reason]
        what = (
            f"Close moved by more than {largest:.0%}, and nothing is wrong with it"
            if reason is None
            else _MOVES[reason]
        )
        yield Finding(
            what=what,
            days=prices.sessions[[move.row for move in found]],
            cause="move",
            details=tuple(move.detail for move in found),
            fault=reason is not None,
        )
