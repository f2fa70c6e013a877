"""How wide intervals must be to hold the price as often as they promise (split conformal prediction).

Errors are divided by the market's scale on their day (`Spread` in inference.py). A width is therefore a number of
scales, and an interval is wide where the market is volatile.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from model.artifact.distribution import LEVELS
from model.artifact.inference import network_output
from model.artifact.recipes import Recipe
from model.forecaster.windows import make_windows
from model.market.prices import Prices, Values

# A year of sessions. With `anchored` it is the part that early stopping holds back, so no weight was fitted on it.
ERRORS = 250


def calibrate(network: Any, recipe: Recipe, known: Prices, errors: int = ERRORS) -> Recipe:
    """The same recipe with widths from the forecaster's errors on the newest sessions of `known`.

    network: as `model.artifact.inference.forecast` takes it
    """
    errors = min(errors, len(known) - max(recipe.rows, recipe.spread.rows))
    if errors < 1:
        return replace(recipe, spread=replace(recipe.spread, widths={}))
    windows = make_windows(known, recipe, errors)
    table = {name: values[:-1] for name, values in known.table().items()}
    actual = known.column(recipe.column)[-errors:]
    forecasts = recipe.dollars(network_output(network, windows.inputs), table)
    strays = np.abs(actual - forecasts) / recipe.spread.dollars(table, errors)
    return replace(recipe, spread=replace(recipe.spread, widths=conformal_widths(strays)))


def conformal_widths(strays: Values) -> Mapping[str, float]:
    """Level in per cent -> the smallest width that holds the next error with at least that probability.

    strays: (n,) absolute errors in scales; NaN where there was no scale

    That is the ceil((n + 1) * level)-th smallest of n exchangeable errors (Vovk, Gammerman and Shafer, 2005). A level
    is absent where n is too small for it: 95 % needs 19.
    """
    ordered = np.sort(strays[np.isfinite(strays)])
    ranks = {level: math.ceil((len(ordered) + 1) * level / 100) for level in LEVELS}
    return {str(level): float(ordered[rank - 1]) for level, rank in ranks.items() if rank <= len(ordered)}
