"""Checks of prices: one readable line for each kind of fault, with its days. Nothing is filled in or dropped."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from model.config import Frozen
from model.errors import FaultyPrices
from model.market.calendar import ExchangeCalendar
from model.market.day_text import DAYS_SHOWN, and_more, count_days, list_days
from model.market.prices import COLUMNS, Prices, Values

PRICE_COLUMNS = COLUMNS[:5]

# Sources store prices in single precision and print six decimals: an Open may lie a little above its High.
_ROUNDING = 1e-6


class ChecksConfig(Frozen):
    """Limits beyond which prices count as wrong."""

    largest_move: Annotated[float, Field(gt=0)] = Field(
        0.4, description="largest change of the Close from one session to the next, as a fraction"
    )


def check_prices(prices: Prices, calendar: ExchangeCalendar, limits: ChecksConfig = ChecksConfig()) -> None:
    """Raise FaultyPrices where anything is wrong; the error's `faults` has a line for each kind of fault."""
    faults = find_faults(prices, calendar, limits)
    if not faults:
        return
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise FaultyPrices(
        f"prices of {prices.security.ticker} from {prices.origin}",
        have=count + "".join(f"\n  - {fault}" for fault in faults),
        need="one correct row for every session of the exchange, and no other row",
        remedy=_REMEDIES.get(prices.source, "look at the days that are named"),
        faults=list(faults),
    )


_REMEDIES = {
    "csv": "correct the days that are named in the file; nothing is filled in or dropped here",
    "yahoo": "try again later, since Yahoo often corrects itself, or use files with --source csv",
}


def find_faults(prices: Prices, calendar: ExchangeCalendar, limits: ChecksConfig) -> tuple[str, ...]:
    """Everything that is wrong, one line for each kind of fault."""
    if not len(prices):
        return ()
    return (
        *_session_faults(prices, calendar),
        *_number_faults(prices),
        *_bar_faults(prices),
        *_move_faults(prices, limits.largest_move),
    )


def _session_faults(prices: Prices, calendar: ExchangeCalendar) -> Iterator[str]:
    expected = calendar.sessions(prices.first, prices.last)
    missing = np.setdiff1d(expected, prices.sessions, assume_unique=True)
    extra = np.setdiff1d(prices.sessions, expected, assume_unique=True)
    if len(missing):
        yield f"{count_days(missing, 'session')} missing: {list_days(missing)}"
    if len(extra):
        yield f"{count_days(extra, 'row')} on a day when {calendar.exchange} did not trade: {list_days(extra)}"


def _number_faults(prices: Prices) -> Iterator[str]:
    money, volume = prices.values[:, :5], prices.column("Volume")
    with np.errstate(invalid="ignore"):
        faults = {
            "not a number": np.isnan(money),
            "infinite": np.isinf(money),
            "zero": money == 0,
            "negative": (money < 0) & np.isfinite(money),
        }
        least = 1 if prices.has_volume else 0
        no_trade = ~(np.isfinite(volume) & (volume >= least))
    for what, cells in faults.items():
        rows = cells.any(axis=1)
        if rows.any():
            names = ", ".join(name for name, wrong in zip(PRICE_COLUMNS, cells.any(axis=0), strict=True) if wrong)
            yield f"{names} {what}: {list_days(prices.sessions[rows])}"
    if no_trade.any():
        yield f"Volume missing, zero or negative: {list_days(prices.sessions[no_trade])}"


def _bar_faults(prices: Prices) -> Iterator[str]:
    opened, high, low, close, adjusted = (prices.column(name) for name in PRICE_COLUMNS)
    with np.errstate(invalid="ignore"):
        slack = _ROUNDING * (1 + np.abs(close))
        faults = {
            "High below Low": high < low - slack,
            "Open outside Low to High": ~_within(opened, low, high, slack),
            "Close outside Low to High": ~_within(close, low, high, slack),
            "Adj Close above Close": adjusted > close + slack,
        }
        # A missing price, or High and Low in the wrong order, is reported once, not four times.
        comparable = np.isfinite(prices.values[:, :5]).all(axis=1)
        faults["Open outside Low to High"] &= ~faults["High below Low"]
        faults["Close outside Low to High"] &= ~faults["High below Low"]
    for what, rows in faults.items():
        if (rows & comparable).any():
            yield f"{what}: {list_days(prices.sessions[rows & comparable])}"


def _within(price: Values, low: Values, high: Values, slack: Values) -> npt.NDArray[np.bool_]:
    return (price >= low - slack) & (price <= high + slack)


def _move_faults(prices: Prices, largest: float) -> Iterator[str]:
    close = prices.column("Close")
    before, after = close[:-1], close[1:]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        move = after / before - 1
        rows = np.flatnonzero((np.abs(move) > largest) & np.isfinite(move) & (before > 0) & (after > 0))
    if len(rows):
        shown = [
            f"{prices.sessions[row + 1]} ({before[row]:.2f} to {after[row]:.2f}, {move[row]:+.1%})"
            for row in rows[:DAYS_SHOWN]
        ]
        yield f"Close moved by more than {largest:.0%}: {', '.join(shown)}{and_more(len(rows))}"
