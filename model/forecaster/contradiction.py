"""Whether prices contradict those that a forecaster was trained on: those of another security do, on nearly every day.

Open, High, Low and Close are compared, on the days that both have. Splits, an adjustment for dividends, rounding
and corrections of the newest two sessions are no contradiction. Volumes and Adj Close differ from source to source, and
are not compared.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from model.market.findings import count_days
from model.market.prices import COLUMNS, Prices, Values
from model.market.restatement import Comparison, describe_changes, find_factor, is_unit, settled_until

if TYPE_CHECKING:
    from model.market.restatement import Verdict

_CLOSE, _ADJUSTED, _SHARES = (COLUMNS.index(name) for name in ("Close", "Adj Close", "Volume"))
_MOST_DECIMALS = 6
# How far Adj Close / Close may fall, as a share of itself, because both are rounded.
_ROUNDED_SHARE = 0.002


def compare_with_trained(trained: Prices, given: Prices) -> Comparison:
    """How prices contradict those that a forecaster was trained on; the verdict is `same` where they do not.

    `units` are prices that were all multiplied or divided by 100 or 1000, and `restated` is anything else. One of them
    may be adjusted for dividends and the other not.
    """
    found = _compare(trained, given)
    adjusted = ((_adjusted(trained), given), (trained, _adjusted(given)))
    if found.verdict == "restated" and any(_compare(*both).verdict == "same" for both in adjusted):
        return Comparison(verdict="same")
    return found


def _adjusted(prices: Prices) -> Prices:
    """Prices adjusted for dividends, as Adj Close is; unchanged where Adj Close is adjusted for something else.

    Each dividend makes all earlier adjusted prices smaller, so Adj Close / Close never falls. If only a Close was
    rewritten, it does.
    """
    values = prices.values.copy()
    share = values[:, _ADJUSTED] / values[:, _CLOSE]
    if (np.diff(share) < -_ROUNDED_SHARE * share[1:]).any():
        return prices
    values[:, :4] *= share[:, np.newaxis]
    return replace(prices, values=values)


def _compare(trained: Prices, given: Prices) -> Comparison:
    """The comparison of prices as they are."""
    shorter = trained.until(given.last)
    days = np.intersect1d(shorter.sessions, given.sessions, assume_unique=True)
    if not len(days):
        return Comparison(verdict="same")
    old, new = (prices.values[np.isin(prices.sessions, days)] for prices in (shorter, given))
    settling = days > settled_until(shorter)
    factor = find_factor(old[:, :4], new[:, :4], settling, (_rounding(old[:, :4]), _rounding(new[:, :4])))
    irregular = factor.wrong & ~settling
    found: list[tuple[Verdict, str]] = []
    if irregular.any():
        expected = new.copy()  # what is not compared counts as unchanged
        expected[:, :4] = old[:, :4]
        expected[: factor.rows, :4] *= factor.number
        found += [("restated", line) for line in describe_changes(days, expected, new, irregular)]
    if factor.known and is_unit(factor, old[:, _SHARES], new[:, _SHARES]):
        what = f"another unit of money: {count_days(days, 'session')} multiplied by {factor.number:.6g}"
        found.append(("units", what))
    return Comparison(
        verdict=found[0][0] if found else "same",
        lines=tuple(line for _, line in found),
        days=tuple(str(day) for day in days[irregular]),
    )


def _rounding(values: Values) -> float:
    """By how much rounding may have changed prices, from the number of their decimals."""
    for decimals in range(_MOST_DECIMALS):
        if np.allclose(values, np.round(values, decimals), rtol=1e-9, atol=1e-9):
            return 0.5 * 10.0**-decimals
    return 0.0
