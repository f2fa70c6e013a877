"""Whether prices contradict those that a forecaster was trained on: those of another security do, on nearly every day.

Open, High, Low and Close are compared, on the days that both have. No contradiction are splits, prices adjusted for
dividends that were paid since, rounding, and the newest two sessions, which sources still correct. Volumes and Adj
Close differ from source to source, and are not compared.
"""

from typing import TYPE_CHECKING

import numpy as np

from model.market.findings import count_days
from model.market.prices import COLUMNS, Prices, Values
from model.market.restatement import Comparison, describe_changes, find_factor, is_unit, settled_until

if TYPE_CHECKING:
    from model.market.restatement import Verdict

_SHARES = COLUMNS.index("Volume")
_MOST_DECIMALS = 6


def compare_with_trained(trained: Prices, given: Prices) -> Comparison:
    """How prices contradict those that a forecaster was trained on; the verdict is `same` where they do not.

    `units` are prices that were all multiplied or divided by 100 or 1000, and `restated` is anything else.
    """
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
    """By how much rounding may have changed prices that have so few decimals."""
    for decimals in range(_MOST_DECIMALS):
        if np.allclose(values, np.round(values, decimals), rtol=1e-9, atol=1e-9):
            return 0.5 * 10.0**-decimals
    return 0.0
