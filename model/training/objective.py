"""What a network that forecasts a distribution is fitted to: the pinball loss of fixed quantiles, widened and shifted.

The training part's changes in scales have empirical quantiles q_k. For a window the forecast's quantiles are
shift + exp(offset + output) * q_k, and its loss is the mean pinball loss of the window's change over the levels k: up
to a factor, the CRPS of that distribution.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.artifact.horizon import YEAR, YEARS_MEAN, LinearScale
from model.artifact.market_state import STATE, StateBranch, standardised
from model.artifact.scale import Values

# The levels of the loss; the middle of twenty equal cells.
LEVELS = (np.arange(20) + 0.5) / 20
# How strongly the linear branch's weights are held near 0, those of the market's own state and those of other series;
# both were chosen on 2015 to 2017.
RIDGE, SERIES_RIDGE = 0.01, 0.003
# How strongly the width of a horizon is held near the year's mean movement, for each session of the horizon: of changes
# over h sessions only every h-th is independent. It was chosen on 2015 to 2017, too.
HORIZON_RIDGE = 0.03
# An input whose standard deviation is not above this counts as constant.
LEAST_DEVIATION = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pinball:
    """The loss; `quantiles` are the training part's, (len(LEVELS),) without unit."""

    quantiles: npt.NDArray[np.float32]

    @classmethod
    def of(cls, targets: npt.ArrayLike) -> "Pinball":
        """The loss for a training part with these targets, (n,)."""
        return cls(quantiles=np.quantile(np.asarray(targets, dtype=np.float64), LEVELS).astype(np.float32))

    def losses(self, targets: Any, offsets: Any, outputs: Any) -> Any:
        """(n,) the loss of each window, by operations of Keras's backend.

        targets, offsets: (n,); outputs: (n, 2), what the network puts out
        """
        return self.losses_at(self.quantiles, targets, offsets, outputs)

    @staticmethod
    def losses_at(quantiles: Any, targets: Any, offsets: Any, outputs: Any) -> Any:
        """The same for any quantiles, which may be an argument of a compiled program."""
        from keras import ops

        levels = ops.convert_to_tensor(LEVELS.astype(np.float32))
        centred = ops.expand_dims(targets - outputs[:, 1], 1)
        above = centred - ops.expand_dims(ops.exp(offsets + outputs[:, 0]), 1) * ops.expand_dims(quantiles, 0)
        return ops.mean(ops.maximum(levels * above, (levels - 1) * above), axis=1)

    def mean(self, targets: npt.NDArray[Any], offsets: npt.NDArray[Any], outputs: Values) -> float:
        """The mean loss over windows, in NumPy."""
        widths = np.exp(offsets + outputs[:, 0])
        above = (targets - outputs[:, 1])[:, np.newaxis] - np.outer(widths, self.quantiles)
        return float(np.maximum(LEVELS * above, (LEVELS - 1) * above).mean())


def fit_branch(state: Values, targets: npt.ArrayLike) -> StateBranch:
    """The linear branch that minimises the loss by itself, with a penalty on its weights.

    state:   (n, len(STATE) or more), NaN where something is missing; what stands after STATE is from other series
    targets: (n,) changes in scales
    """
    from scipy.optimize import minimize

    changes = np.asarray(targets, dtype=np.float64)
    quantiles = np.quantile(changes, LEVELS)
    there = np.isfinite(state)
    counts = np.maximum(there.sum(axis=0), 1)
    means = np.where(there, state, 0.0).sum(axis=0) / counts
    squares = np.where(there, np.square(state - means), 0.0).sum(axis=0) / counts
    # A constant input, apart from rounding, says nothing: with a deviation of 1 it is 0 throughout.
    deviations = np.where(np.sqrt(squares) > LEAST_DEVIATION, np.sqrt(squares), 1.0)
    inputs = standardised(state, means.tolist(), deviations.tolist())

    def penalised(weights: Values) -> tuple[float, Values]:
        """The loss and its gradient; the first weight is the constant."""
        widened = np.outer(np.exp(weights[0] + inputs @ weights[1:]), quantiles)
        above = changes[:, np.newaxis] - widened
        loss = np.maximum(LEVELS * above, (LEVELS - 1) * above).mean()
        slope = (np.where(above > 0, -LEVELS, 1 - LEVELS) * widened).mean(axis=1)
        own, others = weights[1 : 1 + len(STATE)], weights[1 + len(STATE) :]
        pulled = np.concatenate([2 * RIDGE * own, 2 * SERIES_RIDGE * others])
        gradient = np.concatenate([[slope.mean()], inputs.T @ slope / len(slope) + pulled])
        return float(loss + RIDGE * own @ own + SERIES_RIDGE * others @ others), gradient

    found = minimize(penalised, np.zeros(1 + state.shape[1]), jac=True, method="L-BFGS-B")
    constant, *weights = found.x.tolist()
    return StateBranch(
        constant=constant, weights=tuple(weights), means=tuple(means.tolist()), deviations=tuple(deviations.tolist())
    )


def fit_linear_scale(state: Values, changes: npt.ArrayLike, sessions: int) -> LinearScale:
    """The width for changes over some sessions that minimises the same loss, with a penalty on its weights.

    state:   (n, 2 * len(SPANS)), as `spans_state` gives it; rows with a missing number do not count
    changes: (n,) the changes as logarithms, NaN likewise

    Widths and changes are measured in the year's mean movement, so that calm and volatile years count alike. The
    weights are held near that movement alone; without any row they are.
    """
    from scipy.optimize import minimize

    changes = np.asarray(changes, dtype=np.float64)
    usual = state[:, YEAR].sum(axis=1)
    with np.errstate(all="ignore"):
        inputs, units = state / usual[:, np.newaxis], changes / usual
    there = np.isfinite(inputs).all(axis=1) & np.isfinite(units)
    inputs, units = inputs[there], units[there]
    start, size = np.array(YEARS_MEAN.weights), float(np.abs(units).mean()) if there.any() else 0.0
    if not size > 0:
        return YEARS_MEAN
    units = units / size
    quantiles, deviations = np.quantile(units, LEVELS), inputs.std(axis=0)
    held = HORIZON_RIDGE * sessions * np.square(np.where(deviations > LEAST_DEVIATION, deviations, 1.0))

    def penalised(weights: Values) -> tuple[float, Values]:
        """The loss and its gradient."""
        widened = np.outer(inputs @ weights, quantiles)
        above = units[:, np.newaxis] - widened
        loss = np.maximum(LEVELS * above, (LEVELS - 1) * above).mean()
        slope = (np.where(above > 0, -LEVELS, 1 - LEVELS) * quantiles).mean(axis=1)
        moved = weights - start
        return float(loss + held @ np.square(moved)), inputs.T @ slope / len(slope) + 2 * held * moved

    # No weight is below 0: the width stays above 0 whatever the market does.
    found = minimize(penalised, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    return LinearScale(weights=tuple(found.x.tolist()))
