"""Supervised examples: a window of inputs, and the target that the network should put out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.artifact.recipes import Recipe
from model.market.prices import Days, Prices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Supervised examples cut from one series.

    inputs:   (n, lookback, features) float32, scaled by the recipe; a view, not a copy
    targets:  (n,) float32, scaled likewise, for the session after each window
    offsets:  (n,) float32, what is added to the network's first output; zeros where the recipe has no linear branch
    sessions: (n,) datetime64[D], the trading day of each target, strictly increasing
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    sessions: Days

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.inputs, self.targets, self.offsets, self.sessions)]
        if len(set(lengths)) != 1:
            raise ValueError("{} inputs, {} targets, {} offsets, {} sessions".format(*lengths))

    def __len__(self) -> int:
        return len(self.targets)


def make_windows(prices: Prices, recipe: Recipe, n_targets: int | None = None) -> Windows:
    """Every window of a series, or those of the newest `n_targets` sessions.

    A window belongs to the part that its target lies in: the first windows of a test period reach back into the
    training part. ValueError where there are fewer sessions than one window and its target.
    """
    n = len(prices) - recipe.rows if n_targets is None else n_targets
    table = prices.table()
    known = {name: values[:-1] for name, values in table.items()}
    return Windows(
        inputs=recipe.inputs(known, n),
        targets=recipe.targets(table, n),
        offsets=recipe.offsets(known, n, float(table["Date"][-1])).astype(np.float32),
        sessions=prices.sessions[len(prices) - n :],
    )
