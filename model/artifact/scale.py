"""The market's present scale: how far a price moves in a session, as a weighted mean of the newest sessions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Table = Mapping[str, Values]

PRICES = ("Open", "High", "Low", "Close")

# The log range of a random walk within a session is this many times its standard deviation (Parkinson).
RANGE = math.sqrt(4 * math.log(2))
# The smallest scale, one hundredth of a per cent: prices that do not move have no scale to divide by.
LEAST_SCALE = 1e-4


def newest_movements(table: Table, n: int) -> Values:
    """(n,) movements of the newest n sessions; NaN where columns, sessions or usable prices are missing.

    A session's movement is the size of its overnight jump and its range, as a share of the price.
    """
    moves = np.full(n, np.nan)
    if not all(name in table for name in PRICES):
        return moves
    open_, high, low, close = (np.asarray(table[name][-(n + 1) :], dtype=np.float64) for name in PRICES)
    if len(close) > 1:
        with np.errstate(all="ignore"):  # an impossible price makes the movement NaN or infinite
            moves[n + 1 - len(close) :] = np.abs(np.log(open_[1:] / close[:-1])) + np.log(high[1:] / low[1:]) / RANGE
    return moves


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementScale:
    """The weighted mean of the movements of the newest sessions.

    sessions:  how many sessions the mean is taken over
    half_life: the sessions after which the recent part of the weights has halved
    recent:    the share of the recent part; the rest is spread evenly
    """

    sessions: int = 39
    half_life: float = 2.0
    recent: float = 0.8

    @property
    def rows(self) -> int:
        """The sessions that one scale needs, among them the one whose Close the first jump is measured from."""
        return self.sessions + 1

    def at(self, table: Table, origins: int) -> Values:
        """(origins,) the scale at the newest sessions; NaN where columns, sessions or usable prices are missing."""
        moves = newest_movements(table, origins + self.sessions - 1)
        with np.errstate(all="ignore"):
            windows = np.lib.stride_tricks.sliding_window_view(moves, self.sessions)
            # Summed row by row: how a matrix product rounds depends on its number of rows.
            means = (windows * self._weights()).sum(axis=1)
        return np.where(np.isfinite(means), np.maximum(means, LEAST_SCALE), np.nan)

    def dollars(self, table: Table, origins: int) -> Values:
        """(origins,) the scale in dollars."""
        scale = self.at(table, origins)
        return scale * np.asarray(table["Close"][-origins:], dtype=np.float64) if "Close" in table else scale

    def _weights(self) -> Values:
        """(sessions,) oldest first; they sum to 1."""
        fading = 0.5 ** (np.arange(self.sessions)[::-1] / self.half_life)
        return np.asarray(self.recent * fading / fading.sum() + (1 - self.recent) / self.sessions, dtype=np.float64)
