"""Scores of predictive distributions, session by session; docs/measures.md holds the formulas and their sources.

actual:    (n,) the actual prices
quantiles: (n, len(PROBABILITIES)) prices, ascending; a row is NaN throughout where there is no distribution

Scores are (n,), NaN where there is no distribution.
"""

import numpy as np
import numpy.typing as npt

from model.artifact.distribution import PROBABILITIES
from model.evaluation.metrics import quantile_losses
from model.market.prices import Values

_EDGES = (0.0, *np.convolve(PROBABILITIES, (0.5, 0.5), mode="valid"), 1.0)
# The share of all probabilities that lies nearest to each of PROBABILITIES; they sum to 1.
CRPS_WEIGHTS: Values = np.diff(_EDGES)
LOGITS: Values = np.log(np.array(PROBABILITIES) / (1 - np.array(PROBABILITIES)))
# The number of outermost segments between quantiles that give a tail's slope. With only one, two quantiles that happen
# to be close make the tail so thin that a single price in it outweighs all other sessions.
TAIL_SEGMENTS = 2
# The probabilities whose quantiles give the density. Between two neighbours of all 25 lie only a few past errors, which
# chance alone crowds or thins: with half of the inner quantiles the log score is .01 higher. Chosen on 2015 to 2017
# among sets that give a normal distribution's density as well as all 25 do.
DENSITY_PROBABILITIES = (0.005, 0.01, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.99, 0.995)
_DENSITY = [PROBABILITIES.index(p) for p in DENSITY_PROBABILITIES]
# Neighbouring quantiles of the log price are at least this far apart: a hundredth of a cent at 100 dollars.
LEAST_GAP = 1e-6


def no_distributions(n: int) -> Values:
    """(n, len(PROBABILITIES)) NaN: no distribution for n sessions."""
    return np.full((n, len(PROBABILITIES)), np.nan)


def given(quantiles: Values) -> npt.NDArray[np.bool_]:
    """(n,) which sessions have a distribution."""
    return np.asarray(np.isfinite(quantiles).all(axis=1))


def check(quantiles: Values) -> None:
    """ValueError unless they are (n, len(PROBABILITIES)), each row ascending, or NaN throughout."""
    if quantiles.shape[1:] != (len(PROBABILITIES),):
        raise ValueError(f"{len(PROBABILITIES)} quantiles a session are needed, got an array of {quantiles.shape}")
    found = quantiles[given(quantiles)]
    if not bool(np.isnan(quantiles[~given(quantiles)]).all()) or bool((np.diff(found, axis=1) < 0).any()):
        raise ValueError("quantiles must be ascending, and a session's either all given or all missing")


def median(quantiles: Values) -> Values:
    """(n,) the quantiles at one half."""
    return quantiles[:, PROBABILITIES.index(0.5)]


def interval(quantiles: Values, level: int) -> tuple[Values, Values]:
    """The central intervals at a level in per cent, lower and upper bounds, each (n,)."""
    tail = (100 - level) / 200
    lower, upper = (PROBABILITIES.index(round(p, 4)) for p in (tail, 1 - tail))
    return quantiles[:, lower], quantiles[:, upper]


def crps(actual: Values, quantiles: Values) -> Values:
    """The continuous ranked probability score: twice the mean loss of the quantiles, by their weights."""
    losses = quantile_losses(actual[:, np.newaxis], quantiles, np.array(PROBABILITIES))
    # Summed row by row: a product of matrices rounds by how many rows it has.
    return np.asarray((2 * CRPS_WEIGHTS * losses).sum(axis=1))


def log_density(actual: Values, quantiles: Values) -> Values:
    """The logarithm of the forecast density at the actual log price: higher is better."""
    from scipy.special import log_expit

    height, slope = _logit_at(actual, quantiles[:, _DENSITY], LOGITS[_DENSITY])
    return np.asarray(log_expit(height) + log_expit(-height) + np.log(slope))


def pit(actual: Values, quantiles: Values) -> Values:
    """The probability integral transform: the forecast probability of prices up to the actual one.

    For a calibrated forecast all values from 0 to 1 are equally likely.
    """
    from scipy.special import expit

    return np.asarray(expit(_logit_at(actual, quantiles, LOGITS)[0]))


def _logit_at(actual: Values, quantiles: Values, logits: Values) -> tuple[Values, Values]:
    """The logit of the distribution function as a function of the log price: its value and its slope, each (n,).

    A monotone cubic through the quantiles (PCHIP, as `scipy.interpolate.PchipInterpolator` has it, which takes one row
    at a time). Beyond the outermost ones it is a straight line, with the mean slope of the last segments.

    logits: (knots,) of the quantiles' probabilities
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # where a quantile is not above 0 there is no log price
        at, knots = np.log(actual), _apart(np.log(np.where(quantiles > 0, quantiles, np.nan)))
    gaps = np.diff(knots, axis=1)
    slopes = np.diff(logits) / gaps
    bends = _slopes_at_knots(knots, gaps, slopes, logits)
    rows = np.arange(len(at))
    segment = np.clip((knots <= at[:, np.newaxis]).sum(axis=1) - 1, 0, len(logits) - 2)
    start, gap, slope = knots[rows, segment], gaps[rows, segment], slopes[rows, segment]
    left, right = bends[rows, segment], bends[rows, segment + 1]
    # Within its segment, from 0 to 1; beyond the outermost knots below 0 or above 1.
    share = (at - start) / gap
    square, cube = (3 * slope - 2 * left - right) * gap, (left + right - 2 * slope) * gap
    value = logits[segment] + share * (left * gap + share * (square + share * cube))
    rise = left + share * (2 * square + 3 * share * cube) / gap
    for beyond, knot in ((at < knots[:, 0], 0), (at > knots[:, -1], -1)):
        value = np.where(beyond, logits[knot] + bends[:, knot] * (at - knots[:, knot]), value)
        rise = np.where(beyond, bends[:, knot], rise)
    return value, rise


def _slopes_at_knots(knots: Values, gaps: Values, slopes: Values, logits: Values) -> Values:
    """(n, knots) Fritsch and Butland's slopes, a weighted harmonic mean of the neighbours'; at the ends the tails'."""
    before, after = 2 * gaps[:, 1:] + gaps[:, :-1], gaps[:, 1:] + 2 * gaps[:, :-1]
    inner = (before + after) / (before / slopes[:, :-1] + after / slopes[:, 1:])
    low, high = (
        (logits[end] - logits[start]) / (knots[:, end] - knots[:, start])
        for start, end in ((0, TAIL_SEGMENTS), (-1 - TAIL_SEGMENTS, -1))
    )
    return np.column_stack([low, inner, high])


def _apart(knots: Values) -> Values:
    """The same ascending knots, with neighbours that are too close moved apart to both sides."""
    steps = LEAST_GAP * np.arange(knots.shape[1])
    up = np.maximum.accumulate(knots - steps, axis=1)
    down = np.minimum.accumulate((knots - steps)[:, ::-1], axis=1)[:, ::-1]
    return (up + down) / 2 + steps
