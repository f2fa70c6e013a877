"""A forecaster's own past errors, from which its distribution is read."""

from dataclasses import replace
from typing import Any

from model.artifact.inference import errors_of, network_output
from model.artifact.recipes import Recipe
from model.market.prices import Prices


def calibrate(network: Any, recipe: Recipe, known: Prices) -> Recipe:
    """The same recipe with the forecaster's errors on the newest sessions of `known`.

    network: as `model.artifact.inference.forecast` takes it
    """
    most = len(known) - max(recipe.rows, recipe.scale.rows)
    errors = min(recipe.calibration.kept, most)
    if errors < 1:
        return replace(recipe, calibration=replace(recipe.calibration, days=(), errors=()))
    table = known.table()
    outputs = network_output(network, recipe.inputs(table, errors + 1), recipe.outputs)
    found = errors_of(recipe, table, recipe.placed(outputs, table, known.following_day))
    # Six digits are more than an error of a forecast has.
    rounded = tuple(float(f"{error:.6g}") for error in found.values)
    days = tuple(int(day) for day in found.days)
    return replace(recipe, calibration=replace(recipe.calibration, days=days, errors=rounded))
