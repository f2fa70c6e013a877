"""Predictive distributions for tests, whose intervals are known."""

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof
from model.market.prices import Values
from tests.market import weekdays

# The one naive distribution of `proof`.
NAIVE = "constant_250"


def around(middle: Values, half_80: float | Values, half_95: float | Values) -> Values:
    """(n, len(PROBABILITIES)) quantiles that lie alike on both sides of a middle, with so wide half intervals."""
    off = np.array(PROBABILITIES) - 0.5
    zero = np.zeros(len(middle))
    halves = np.column_stack([zero, zero + half_80, zero + half_95, zero + 1.5 * np.asarray(half_95)])
    return np.array(
        [
            centre + np.sign(off) * np.interp(np.abs(off), (0.0, 0.4, 0.475, 0.495), row)
            for centre, row in zip(middle, halves, strict=True)
        ]
    )


def proof(moves: Values, width: float = 1.0, naive: float = 1.6, horizon: int = 1, centre: float = 0.0) -> Proof:
    """Distributions of some width around the last price, beside naive ones of another.

    centre: how far ours lies above the last price, and the naive one below it
    """
    last = np.full(len(moves), 100.0)
    made = around(last[:1] + centre, 1.28 * width, 1.96 * width).repeat(len(moves), axis=0)
    other = around(last[:1] - centre, 1.28 * naive, 1.96 * naive).repeat(len(moves), axis=0)
    judged = Evaluation(
        sessions=weekdays(len(moves)),
        actual=last + moves,
        forecast=last,
        naive={"newest_Close": last},
        quantiles=made,
        naive_quantiles={NAIVE: other},
        horizon=horizon,
    )
    return Proof(judged=judged, horizon=horizon)
