"""Large moves of the Close: which are wrong for a reason, and which are only large.

Size alone proves nothing: shares do halve in a day. A large move is wrong where it

- returns in the next session, on a day that was not busy, in a security that is not wild;
- is by a factor of 100 or 1000, as pence and pounds are;
- is by the factor of a split, on a day with the volume and range of any other, or where Adj Close does not move;
- is the newest, so that nobody can know whether it returns, on a day with the volume and range of any other.

A few steps of the smallest coin, from 0.01 to 0.02, are none of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.market.prices import Prices, Values

Reason = Literal["returned", "units", "split", "newest"]

# Sessions on either side of a day that say what is usual there; with fewer than the second number nothing does.
_AROUND, _FEWEST = 20, 5

# What is left of a move that returned, as a share of its logarithm.
_LEFT = 0.25
# Beyond this factor neither volume nor unrest makes a return believable.
_BELIEVABLE = 4.0
# A wild security moves by this many times its usual move (a robust standard deviation) without a fault.
_WILD = 6.0
# Volume and range of a day that something happened on, beside their medians around it.
_BUSY, _WIDE = 3.0, 3.0
_COINS = 3.5  # steps of the smallest coin that a cheap price may take at once

UNITS = (100.0, 1000.0)
_NEAR_UNIT = 0.1  # of the logarithm

_SPLITS = {float(count): f"{count}:1" for count in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50)} | {
    1.5: "3:2",
    2.5: "5:2",
}
# How near the gap at the open has to be to the split's factor: this many usual gaps, but within these two bounds.
_GAPS, _NEAREST, _FURTHEST = 4.0, 0.01, 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One large move.

    row:    the session that it came with
    reason: why it is wrong; None where it is only large
    detail: its prices, in words
    """

    row: int
    reason: Reason | None
    detail: str


def large_moves(prices: Prices, largest: float, wrong: npt.NDArray[np.bool_]) -> tuple[Move, ...]:
    """Every move of the Close by more than `largest`, as a fraction, with the reason why it is wrong, if there is one.

    A fall that would undo a rise of that size is examined too, but reported only if it is wrong. Rows that are known to
    be `wrong` are left out, with the move back from them.
    """
    return tuple(_examine(_Days(prices), largest, wrong)) if len(prices) > 1 else ()


class _Days:
    """What a move is examined by: logarithms of moves and gaps, and what is usual around a day."""

    def __init__(self, prices: Prices) -> None:
        self.opened, self.high, self.low, self.close, self.adjusted, self.volume = prices.values.T
        self.has_volume = prices.has_volume
        with np.errstate(all="ignore"):
            self.move = _known(np.log(self.close[1:] / self.close[:-1]))
            self.gap = _known(np.log(self.opened[1:] / self.close[:-1]))
            self.adjusted_move = _known(np.log(self.adjusted[1:] / self.adjusted[:-1]))
            self.spread = _known((self.high - self.low) / self.close, before=False)
        self.turnover = self.volume * self.close

    def __len__(self) -> int:
        return len(self.close)

    def around(self, values: Values, row: int) -> Values:
        """The values near a row, without its own and the next one's, which a wrong price would spoil as well."""
        before, after = values[max(0, row - _AROUND) : row], values[row + 2 : row + 2 + _AROUND]
        near = np.concatenate([before, after])
        known: Values = near[np.isfinite(near)]
        return known

    def usual(self, moves: Values, row: int) -> float:
        """The usual size of a move around a row: a robust standard deviation."""
        near = self.around(moves, row)
        return 1.4826 * float(np.median(np.abs(near))) if len(near) >= _FEWEST else 0.0

    def exceeds(self, values: Values, row: int, times: float) -> bool:
        """Whether a row's value is at least `times` the median around it."""
        near = self.around(values, row)
        return len(near) >= _FEWEST and values[row] > 0 and bool(values[row] >= times * np.median(near))

    def is_busy(self, row: int) -> bool:
        """Whether far more was traded than usual, counted in shares and in money: a split changes only one of them."""
        return self.has_volume and self.exceeds(self.volume, row, _BUSY) and self.exceeds(self.turnover, row, _BUSY)

    def is_wide(self, row: int) -> bool:
        """Whether prices ranged far more widely than usual within the day."""
        return self.exceeds(self.spread, row, _WIDE)

    def is_ordinary(self, row: int) -> bool:
        """Whether only the price shows that something happened."""
        return not self.is_busy(row) and not self.is_wide(row)

    def can_tell(self, row: int) -> bool:
        """Whether volume or range could tell an ordinary day from another."""
        near = self.around(self.spread, row)
        return len(near) >= _FEWEST and (self.has_volume or bool(np.median(near) > 0))

    def is_few_coins(self, row: int) -> bool:
        """Whether the move is some steps of the smallest coin that the prices around it are counted in."""
        near = self.around(self.close, row)
        near = np.append(near, self.close[row - 1 : row + 1])
        size = 10.0 ** np.arange(0, -7, -1)
        whole = np.abs(near / size[:, np.newaxis] - np.round(near / size[:, np.newaxis])).max(axis=1) < 1e-6
        coin = float(size[int(np.argmax(whole))]) if whole.any() else 0.0
        return bool(abs(self.close[row] - self.close[row - 1]) <= _COINS * coin)


def _examine(days: _Days, largest: float, wrong: npt.NDArray[np.bool_]) -> Iterator[Move]:
    limit = np.log1p(largest)
    returned = -1
    for row in np.flatnonzero(np.abs(days.move) > limit).tolist():
        if wrong[row - 1] or wrong[row] or returned == row - 1:
            continue
        reason, more = _reason(days, row)
        returned = row if reason == "returned" else returned
        if reason is not None or abs(np.expm1(days.move[row])) > largest:
            yield Move(row=row, reason=reason, detail=f"{_prices(days, row)}{more}")


def _reason(days: _Days, row: int) -> tuple[Reason | None, str]:
    """Why a move is wrong, and what is to be added to its prices."""
    size = abs(days.move[row])
    unit = _unit(days, row)
    if row + 1 < len(days) and abs(np.log(days.close[row + 1] / days.close[row - 1])) <= _LEFT * size:
        believable = size < np.log(_BELIEVABLE) and (days.is_busy(row) or size <= _WILD * days.usual(days.move, row))
        if unit or not (believable or days.is_few_coins(row)):
            return "returned", f", then {days.close[row + 1]:.6g}"
    if unit:
        return "units", ""
    if days.is_few_coins(row):
        return None, ""
    split = _split(days, row)
    if split:
        return "split", f", as {split}"
    if row == len(days) - 1 and days.can_tell(row) and days.is_ordinary(row):
        return "newest", ""
    return None, ""


def _unit(days: _Days, row: int) -> float | None:
    """The factor of another unit of money, if the move is by it."""
    for unit in UNITS:
        if any(abs(abs(moves[row]) - np.log(unit)) < _NEAR_UNIT for moves in (days.move, days.gap)):
            return unit
    return None


def _split(days: _Days, row: int) -> str | None:
    """The ratio of the split that a move looks like; None where it is like none, or where something has happened."""
    gap = -days.gap[row]
    near = float(np.clip(_GAPS * days.usual(days.gap, row), _NEAREST, _FURTHEST))
    # A volatility index may gap up by half; without volume only a whole ratio tells a split.
    ratios = [factor for factor in _SPLITS if days.has_volume or factor.is_integer()]
    ratio = min(ratios, key=lambda factor: abs(abs(gap) - np.log(factor)))
    if abs(abs(gap) - np.log(ratio)) > near or (gap > 0) != (days.move[row] < 0):
        return None
    is_adjusted = abs(days.adjusted_move[row]) < abs(days.move[row]) / 2
    if not is_adjusted and not days.is_ordinary(row):
        return None
    text = _SPLITS[ratio] if gap > 0 else ":".join(reversed(_SPLITS[ratio].split(":")))
    return f"{text} in Adj Close" if is_adjusted else text


def _prices(days: _Days, row: int) -> str:
    before, after = days.close[row - 1 : row + 1].tolist()
    return f"{before:.6g} to {after:.6g}, {after / before - 1:+.1%}"


def _known(values: Values, *, before: bool = True) -> Values:
    """The values with 0 for unknown ones, and for the first row if they are changes from the row `before`."""
    rows = np.concatenate([[0.0], values]) if before else values
    return np.where(np.isfinite(rows), rows, 0.0)
