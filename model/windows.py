"""Supervised examples: a window of scaled prices and the price after it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.inference import Recipe
from model.prices import Days, Prices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Supervised examples cut from one scaled series.

    inputs:   (n, lookback, 1) float32, scaled by the training range; a view, not a copy
    targets:  (n,) float32, scaled likewise, the session after each window
    sessions: (n,) datetime64[D], the trading day of each target, strictly increasing
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    sessions: Days

    def __post_init__(self) -> None:
        if not len(self.inputs) == len(self.targets) == len(self.sessions):
            raise ValueError(f"{len(self.inputs)} inputs, {len(self.targets)} targets, {len(self.sessions)} sessions")

    def __len__(self) -> int:
        return len(self.targets)


def make_windows(prices: Prices, recipe: Recipe, n_targets: int | None = None) -> Windows:
    """Every window of a series, or those of the newest `n_targets` sessions.

    A window belongs to the part that its target lies in, so the first windows of a test period look back into the
    training part. ValueError where there are fewer sessions than one window and its target.
    """
    series = prices.column(recipe.column)
    n = len(series) - recipe.lookback if n_targets is None else n_targets
    inputs = recipe.inputs(series[:-1], n)
    return Windows(
        inputs=inputs,
        targets=recipe.scaled(series[len(series) - n :]),
        sessions=prices.sessions[len(prices) - n :],
    )
