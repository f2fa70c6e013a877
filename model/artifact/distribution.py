"""A predictive distribution: the probabilities whose quantiles are kept, and the quantiles of past errors.

A forecaster's error is the actual price minus the centre of its forecast, in units of the forecast's own width. The
newest errors that are known at an origin show how the next price may lie around the centre of its forecast.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

# The levels of intervals, in per cent, and the probabilities at which a distribution's quantiles are kept. Between 0.1
# and 0.9 they lie evenly, and denser towards the ends: CRPS from these quantiles is within 0.3 % of the exact one.
LEVELS = (80, 95)
PROBABILITIES = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995),
)
# With fewer errors there is no interval at 95 % (split conformal prediction needs 19 for it).
FEWEST_ERRORS = 19


def quantile_column(probability: float) -> str:
    """The name of a quantile among the columns of a forecast, such as `quantile_0.025`."""
    return f"quantile_{probability:g}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Errors:
    """A forecaster's errors, oldest first.

    days:   (n,) the sessions that were forecast, in days since 1970; NaN where the table has no dates
    values: (n,) without unit
    """

    days: Values
    values: Values

    def known_by(self, days: Values) -> npt.NDArray[np.intp]:
        """(m,) how many of the errors are of sessions up to each of these days."""
        return np.searchsorted(self.days, days, side="right")


NO_ERRORS = Errors(days=np.empty(0), values=np.empty(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How past errors become quantiles.

    windows:   numbers of newest errors: a quantile is the mean of the empirical quantiles over each
    symmetric: whether only the errors' sizes count, so that the median is the centre itself
    largest:   a larger error counts as this many widths; None for no limit
    days:      the sessions of the errors that were known when the forecaster was fitted, in days since 1970
    errors:    these errors; sessions after them are forecast again and their errors added
    """

    windows: tuple[int, ...]
    symmetric: bool
    largest: float | None = None
    days: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()

    @property
    def kept(self) -> int:
        """The largest number of errors that count."""
        return max(self.windows)

    def stored(self) -> Errors:
        """The errors that were known when the forecaster was fitted."""
        return Errors(days=np.array(self.days, dtype=np.float64), values=np.array(self.errors, dtype=np.float64))

    def quantiles(self, known: Values, overlap: int = 1) -> Values:
        """(len(PROBABILITIES),) without unit, ascending, from the errors known; NaN where they are too few.

        The quantile at p is the error of rank (n + 1) p among n: exchangeable errors stay below it with probability p
        (Vovk, Gammerman and Shafer, 2005). Where that rank is below 1 or above n, it is the outermost error.

        overlap: how many neighbouring errors count as one, since they are of forecasts that overlap. The rank is that
                 among n / overlap errors: the fewer count, the further out a quantile lies.
        """
        return np.asarray(self._of_newest(known, np.array([len(known)]), overlap)[0], dtype=np.float64)

    def quantiles_at(self, errors: Errors, days: Values, overlap: int = 1) -> Values:
        """(m, len(PROBABILITIES)) the quantiles from the errors that were known on each of these days."""
        return self._of_newest(errors.values, errors.known_by(days), overlap)

    def _of_newest(self, errors: Values, counts: npt.NDArray[np.intp], overlap: int) -> Values:
        """(m, len(PROBABILITIES)) the quantiles from the first `counts` errors, one row for each count."""
        if self.largest is not None:
            errors = np.clip(errors, -self.largest, self.largest)
        made = np.full((len(counts), len(PROBABILITIES)), np.nan)
        enough = counts >= FEWEST_ERRORS
        if enough.any():
            found = np.mean([self._rolling(errors, counts[enough], window, overlap) for window in self.windows], axis=0)
            made[enough] = np.maximum.accumulate(found, axis=1)
        return made

    def _rolling(self, errors: Values, counts: npt.NDArray[np.intp], window: int, overlap: int) -> Values:
        """(m, len(PROBABILITIES)) the empirical quantiles of the newest `window` of the first `counts` errors."""
        levels = np.array(PROBABILITIES)
        if not self.symmetric:
            return newest_quantiles(errors, counts, window, levels, weibull=True, overlap=overlap)
        outwards = 2 * levels - 1
        # Both sides have the same sizes.
        sizes, sides = np.unique(np.abs(outwards).round(12), return_inverse=True)
        found = newest_quantiles(np.abs(errors), counts, window, sizes, weibull=True, overlap=overlap)[:, sides]
        return np.asarray(np.where(levels == 0.5, 0.0, np.sign(outwards) * found), dtype=np.float64)


def newest_quantiles(
    values: Values,
    counts: npt.NDArray[np.intp],
    most: int,
    levels: Values,
    *,
    weibull: bool = False,
    overlap: int = 1,
) -> Values:
    """(m, len(levels)) quantiles of the newest `most` of the first `counts` values, or of all where there are fewer.

    They are those of `numpy.quantile`, to the last digit; `weibull`: by that method, `overlap`: with so many neighbours
    counted as one, as `Calibration.quantiles` says. A list that is kept in order from one row to the next takes a
    fraction of the time of sorting anew.
    """
    ranks: dict[int, tuple[list[int], Values]] = {}
    low, high, shares = np.empty((3, len(counts), len(levels)))
    order: list[float] = []
    first = last = 0
    listed = values.tolist()
    for row in np.argsort(counts, kind="stable").tolist():
        stop = int(counts[row])
        start = max(0, stop - most)
        if start >= last:
            order, first, last = [], start, start
        while last < stop:
            insort(order, listed[last])
            last += 1
        while first < start:
            del order[bisect_left(order, listed[first])]
            first += 1
        if len(order) not in ranks:
            ranks[len(order)] = _ranks(len(order), levels, weibull=weibull, overlap=overlap)
        picked, shares[row] = ranks[len(order)]
        found = [order[rank] for rank in picked]
        low[row], high[row] = found[: len(levels)], found[len(levels) :]
    # As NumPy does: from the nearer of the two.
    between = high - low
    return np.where(shares >= 0.5, high - between * (1 - shares), low + between * shares)


def _ranks(n: int, levels: Values, *, weibull: bool, overlap: int) -> tuple[list[int], Values]:
    """Between which of n ordered values each quantile lies, the lower ones first, and at which share of the way."""
    # The j-th of n / overlap values lies in the middle of the `overlap` ones that it stands for.
    places = n * levels + overlap * levels - (overlap + 1) / 2 if weibull else (n - 1) * levels
    floor = np.floor(places)
    low, high = np.where(places >= n - 1, n - 1, floor), np.where(places >= n - 1, n - 1, floor + 1)
    below = places < 0
    low[below] = high[below] = 0
    return np.concatenate([low, high]).astype(int).tolist(), places - floor
