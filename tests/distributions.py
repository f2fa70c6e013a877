"""Predictive distributions for tests, whose intervals are known."""

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.market.prices import Values


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
