"""Intervals: how many scales wide, so that they hold the price as often as they say (split conformal prediction).

The errors that widths come from are divided by the market's scale of their day (`Spread` in inference.py), so what is
kept is a number of scales, and an interval is wide where the market is wild.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from model.artifact.inference import LEVELS, Recipe, answer
from model.forecaster.windows import make_windows
from model.market.prices import Prices, Values

# A year of sessions. With `anchored` it is the part that early stopping holds back, so no weight was fitted on it.
ERRORS = 250


def calibrate(network: Any, recipe: Recipe, known: Prices, errors: int = ERRORS) -> Recipe:
    """The recipe with the widths that would have held the newest sessions of `known`, and with no other change.

    network: as `model.artifact.inference.forecast` takes it
    """
    errors = min(errors, len(known) - max(recipe.rows, recipe.spread.rows))
    if errors < 1:
        return replace(recipe, spread=replace(recipe.spread, widths={}))
    windows = make_windows(known, recipe, errors)
    table = {name: values[:-1] for name, values in known.table().items()}
    actual = known.column(recipe.column)[-errors:]
    strays = np.abs(actual - recipe.dollars(answer(network, windows.inputs), table)) / recipe.spread.dollars(
        table, errors
    )
    return replace(recipe, spread=replace(recipe.spread, widths=conformal_widths(strays)))


def conformal_widths(strays: Values) -> Mapping[str, float]:
    """Level in per cent -> the smallest width that holds a further stray with at least that probability.

    That is the ceil((n + 1) * level)-th smallest of n exchangeable strays (Vovk, Gammerman and Shafer, 2005). A level
    that n is too small for is absent: 95 % takes 19 of them.
    """
    ordered = np.sort(strays[np.isfinite(strays)])
    ranks = {level: math.ceil((len(ordered) + 1) * level / 100) for level in LEVELS}
    return {str(level): float(ordered[rank - 1]) for level, rank in ranks.items() if rank <= len(ordered)}
