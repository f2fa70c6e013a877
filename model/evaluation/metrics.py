"""Metrics of forecasts. docs/measures.md holds the formula and the source of each, and where it is undefined.

Prices, forecasts and bounds are (n,) prices, one a session; an error is forecast minus actual. Undefined metrics are
NaN.
"""

import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from model.market.prices import Values


def rmse(actual: Values, forecast: Values) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean(np.square(forecast - actual))))


def mae(actual: Values, forecast: Values) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(forecast - actual)))


def bias(actual: Values, forecast: Values) -> float:
    """Mean error: above 0 where the forecasts are too high."""
    return float(np.mean(forecast - actual))


def training_scales(training: Values, n: int) -> dict[str, Values]:
    """The scales of MASE and RMSSE for each of n sessions after the `training` prices, (n,) each.

    `absolute` and `squared` are the mean absolute and the mean squared change from one price to the next: the errors
    of the newest price as a forecast. NaN where there are fewer than two prices.
    """
    changes = np.diff(training) if len(training) > 1 else np.array([np.nan])
    return {"absolute": np.full(n, np.mean(np.abs(changes))), "squared": np.full(n, np.mean(np.square(changes)))}


def mase(actual: Values, forecast: Values, scale: Values) -> float:
    """Mean absolute scaled error: the mean error in units of the `absolute` scale. NaN where prices never moved."""
    return _mean_ratio(np.abs(forecast - actual), scale)


def rmsse(actual: Values, forecast: Values, scale: Values) -> float:
    """Root mean squared scaled error: errors in units of the `squared` scale. NaN where prices never moved."""
    return math.sqrt(_mean_ratio(np.square(forecast - actual), scale))


def skill(error: float, naive_error: float) -> float:
    """1 - error / naive error: above 0 is better than naive, 1 is without error.

    Where the naive forecast makes no error at all, nothing can be better: 0 if the forecast makes none either,
    else minus infinity.
    """
    if naive_error == 0:
        return 0.0 if error == 0 else -math.inf
    return 1 - error / naive_error


@dataclass(frozen=True, slots=True)
class Share:
    """The number of `hits` in `n` sessions."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share of hits; NaN among no sessions."""
        return self.hits / self.n if self.n else math.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """The Wilson interval, which holds the true share with a confidence of 95 %; 0 to 1 among no sessions."""
        return wilson(self.hits, self.n)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's interval for a share with a confidence of 95 %, without correction for continuity.

    SciPy's `binomtest` has it too, with another last digit and half a second of import.
    """
    from scipy.special import ndtri

    if n == 0:
        return 0.0, 1.0
    z = float(ndtri(0.975))
    share, scale = hits / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    reach = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Without hits, or with hits only, one bound is exactly 0 or 1; rounding would miss it by a digit.
    return (0.0 if hits == 0 else centre - reach), (1.0 if hits == n else centre + reach)


def directional_accuracy(actual: Values, forecast: Values, reference: Values) -> Share:
    """How often forecast and price lay on the same side of the `reference`, a price known before.

    Sessions whose price equals the reference have no direction and do not count; on any other, a forecast that equals
    the reference is wrong.
    """
    moved = actual != reference
    right = np.sign(forecast - reference)[moved] == np.sign(actual - reference)[moved]
    return Share(int(right.sum()), int(moved.sum()))


@dataclass(frozen=True, slots=True)
class DieboldMariano:
    """Whether two forecasts differ by more than chance.

    statistic: Student's t with n - 1 degrees of freedom; below 0 the first forecast has the smaller errors
    p_value:   two-sided: how often equally good forecasts differ at least as much
    p_better:  one-sided: how often a first forecast that is no better looks at least as good
    """

    statistic: float
    p_value: float
    p_better: float


def diebold_mariano(losses: Values, other: Values, horizon: int = 1) -> DieboldMariano:
    """Test the losses of two forecasts, session by session, with the correction for small samples.

    losses:  (n,) such as squared errors or CRPS, in the order of sessions; those on which either is NaN do not count
    horizon: how many sessions ahead both were made. The losses of forecasts that overlap depend on each other, so that
             the variance of their mean has the autocovariances of up to `horizon` - 1 sessions

    The correction is that of Harvey, Leybourne and Newbold. The statistic is 0 for forecasts with equal losses,
    infinite where the difference is the same on every session, and NaN for fewer than `horizon` + 1 sessions.
    """
    from scipy.special import stdtr

    difference = losses - other
    there = ~np.isnan(difference)
    n = int(there.sum())
    if n <= horizon:
        return DieboldMariano(math.nan, math.nan, math.nan)
    mean = float(np.mean(difference[there]))
    deviation = math.sqrt(_variance_of_sum(difference, mean, horizon) / n)
    if deviation == 0:
        statistic = math.copysign(math.inf, mean) if mean else 0.0
    else:
        statistic = mean / deviation * math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    p_value = min(1.0, 2 * float(stdtr(n - 1, -abs(statistic))))
    return DieboldMariano(statistic, p_value, float(stdtr(n - 1, statistic)))


def _variance_of_sum(difference: Values, mean: float, horizon: int) -> float:
    """The variance that the sum of such differences has for each of them; never below 0.

    It is the variance of one plus twice the autocovariances of the sessions that overlap. That may be below 0 by
    chance: then these count with the weights of Bartlett, with which it cannot be.
    """
    there = ~np.isnan(difference)
    n, centred = int(there.sum()), np.where(there, difference - mean, 0.0)
    variance = float(np.mean(np.square(difference[there] - mean)))
    covariances = [float(centred[lag:] @ centred[:-lag]) / n for lag in range(1, min(horizon, len(centred)))]
    whole = variance + 2 * sum(covariances)
    if whole > 0:
        return whole
    weights = (1 - lag / horizon for lag in range(1, horizon))
    return max(0.0, variance + 2 * sum(weight * each for weight, each in zip(weights, covariances, strict=False)))


def coverage(actual: Values, lower: Values, upper: Values) -> Share:
    """How often the price lay within its interval, bounds included; sessions without an interval do not count."""
    given = ~np.isnan(lower + upper)
    return Share(int(np.sum((lower <= actual) & (actual <= upper) & given)), int(given.sum()))


def winkler(actual: Values, lower: Values, upper: Values, level: float) -> float:
    """Mean width of intervals at `level`, plus 2 / (1 - level) times the distance of each price that lies outside.

    Over the sessions that have an interval.
    """
    return mean_given(np.atleast_1d(scoring_library().interval_score(actual, lower, upper, 1 - level)))


def ks_distance(one: Values, other: Values) -> float:
    """The two-sample Kolmogorov-Smirnov statistic: the largest distance between the two distribution functions.

    From 0, alike, to 1, apart. NaN where a sample is empty.
    """
    if not len(one) or not len(other):
        return math.nan
    from scipy.stats import ks_2samp

    # The exact method would take long for the p-value, which is not used.
    return float(ks_2samp(one, other, method="asymp").statistic)


def uniform_distance(values: Values) -> float:
    """The Kolmogorov-Smirnov statistic of values from 0 to 1 against the uniform distribution; NaN for none."""
    n = len(values)
    if not n:
        return math.nan
    ordered, steps = np.sort(values), np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def quantile_losses(actual: Values, quantile: Values, level: float | Values) -> Values:
    """The pinball loss of each quantile at `level`; at one half it is half the absolute error."""
    return np.asarray(scoring_library().quantile_score(actual, quantile, level))


def mean_given(scores: Values) -> float:
    """The mean of the scores that are not NaN; NaN if there is none."""
    found = scores[~np.isnan(scores)]
    return float(np.mean(found)) if len(found) else math.nan


def _mean_ratio(errors: Values, scale: Values) -> float:
    return float(np.mean(errors / scale)) if bool((scale > 0).all()) else math.nan


@cache
def scoring_library() -> Any:
    """The library of scores, imported without Numba if possible.

    With Numba, the import compiles some forty kernels, which takes five seconds. None of them is used here.
    """
    unseen = "numba" not in sys.modules
    if unseen:
        sys.modules["numba"] = None  # type: ignore[assignment]  # an import finds nothing then
    try:
        import scoringrules
    finally:
        if unseen:
            del sys.modules["numba"]
    return scoringrules
