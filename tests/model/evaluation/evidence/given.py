"""Proofs for tests, whose CRPS, errors and coverage beside the naive ones are known in every digit."""

from dataclasses import replace

import numpy as np

from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import ALONE, Proof
from model.market.prices import Days, Values
from tests.distributions import around

LAST = np.datetime64("2020-01-31")
# A session on which the smaller of two `off_by` is ours multiplies the wealth by this, but for the first, which has no
# bet: the most is bet, one half, and 0.3168 of what could be is won, whatever the two scales are.
FACTOR = 1.158409


def days(n: int) -> Days:
    """The newest n weekdays up to the end of January 2020."""
    return np.asarray(np.busday_offset(LAST, np.arange(1 - n, 1)))


def off_by(scale: float | Values, prices: Values) -> Values:
    """Distributions whose CRPS is `scale` times a constant: median and width are off in proportion, up and down."""
    sign = np.where(np.arange(len(prices)) % 2 == 0, 1.0, -1.0)
    factor = np.zeros(len(prices)) + scale
    return around(prices + factor * sign, 2 * factor, 3 * factor)


def judged(
    scale: float | Values, sessions: int = 600, *, alone: float | None = None, level: float = 200.0
) -> Evaluation:
    """CRPS and RMSE are `scale` times those of the naive forecast, on the newest sessions up to the end of January.

    scale: for all sessions, or of each
    alone: the same of the market's scale alone
    """
    rows = np.arange(5000.0 - sessions, 5000.0)  # so that shorter ones are the ends of longer ones
    prices: Values = level + rows % 7 + 0.5
    sign = np.where(np.arange(sessions) % 2 == 0, 1.0, -1.0)
    beside = {} if alone is None else {ALONE: off_by(alone, prices)}
    return Evaluation(
        sessions=days(sessions),
        actual=prices,
        forecast=prices + scale * sign,
        naive={"newest_Open": prices - 3.0, "newest_Close": prices + 1.0},
        quantiles=off_by(scale, prices),
        naive_quantiles={"constant_250": off_by(1.0, prices), "constant_500": off_by(1.25, prices)},
        statistical_quantiles=beside,
        unit="USD",
    )


def proof(scale: float | Values, sessions: int = 600, *, tried: int = 1, alone: float | None = None) -> Proof:
    """A proof of such forecasts."""
    return Proof(judged=judged(scale, sessions, alone=alone), tried=tried)


def of(scale: float, k: int, sessions: int = 600, newest: int = 0) -> Values:
    """Scales that are `scale` on k sessions, the newest or those before so many of the newest, and else 1."""
    scales = np.ones(sessions)
    scales[sessions - newest - k : sessions - newest] = scale
    return scales


def silent(evaluation: Evaluation) -> Evaluation:
    """The same point forecasts, without distributions."""
    return replace(evaluation, quantiles=no_distributions(len(evaluation.sessions)))
