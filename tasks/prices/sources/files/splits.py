"""Applies the splits that a file lists, if its prices are not adjusted for them already."""

import math
from collections.abc import Sequence
from datetime import date

# A ratio below this is a stock dividend, too small to be seen among ordinary daily moves.
SMALLEST = 1.1


def unsplit(days: Sequence[date], closes: Sequence[float], cells: Sequence[str]) -> tuple[list[float], tuple[str, ...]]:
    """For each day the factor to divide its prices by, and notes on what was done.

    A file's prices may be split-adjusted, as yfinance's are, or as traded, as Quandl's and Tiingo's are: the move of
    the Close on the day of the split shows which.

    cells: the column of split ratios, one per day; empty where the file has none
    """
    factors = [1.0] * len(days)
    notes: list[str] = []
    ratios = {row: ratio for row, cell in enumerate(cells) if (ratio := _ratio(cell)) is not None}
    order = sorted(range(len(days)), key=lambda row: days[row])
    for place, row in enumerate(order):
        ratio = ratios.get(row)
        if ratio is None or place == 0 or not _as_traded(closes[order[place - 1]], closes[row], ratio):
            continue
        for earlier in order[:place]:
            factors[earlier] *= ratio
        notes.append(f"prices before {days[row]} divided by {ratio:g}, for the split that the file names that day")
    return factors, tuple(notes)


def _ratio(cell: str) -> float | None:
    """A ratio such as 4, 4.0, 4:1 or 4/1; None where there was no split."""
    first, sign, second = cell.replace("/", ":").partition(":")
    try:
        ratio = float(first) / (float(second) if sign else 1.0)
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 and math.isfinite(ratio) and abs(math.log(ratio)) >= math.log(SMALLEST) else None


def _as_traded(before: float, after: float, ratio: float) -> bool:
    """Whether a Close moved by about the split's ratio, so that the prices are as traded."""
    if not (before > 0 and after > 0):
        return False
    move = math.log(before / after)
    return abs(move - math.log(ratio)) < abs(move)
