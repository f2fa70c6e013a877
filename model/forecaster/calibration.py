"""A forecaster's own past errors, from which its distribution is read."""

from dataclasses import replace
from typing import Any

from model.artifact.distribution import Calibration, Errors
from model.artifact.horizon import FurtherHorizon
from model.artifact.inference import errors_of, network_output
from model.artifact.recipes import ChangeRecipe, Recipe
from model.market.prices import Prices


def calibrate(network: Any, recipe: Recipe, known: Prices) -> Recipe:
    """The same recipe with the forecaster's errors on the newest sessions of `known`, those of each horizon.

    network: as `model.artifact.inference.forecast` takes it
    """
    if isinstance(recipe, ChangeRecipe) and recipe.further:
        further = tuple(calibrate_further(each, recipe.column, known) for each in recipe.further)
        recipe = replace(recipe, further=further)
    most = len(known) - max(recipe.rows, recipe.scale.rows)
    errors = min(recipe.calibration.kept, most)
    if errors < 1:
        return replace(recipe, calibration=replace(recipe.calibration, days=(), errors=()))
    table = known.table()
    outputs = network_output(network, recipe.inputs(table, errors + 1), recipe.outputs)
    found = errors_of(recipe, table, recipe.placed(outputs, table, known.following_day))
    return replace(recipe, calibration=_with_errors(recipe.calibration, found))


def calibrate_further(further: FurtherHorizon, column: str, known: Prices) -> FurtherHorizon:
    """The same further horizon with its errors whose outcomes lie in the newest sessions of `known`."""
    found = further.errors(column, known.table(), further.calibration.kept)
    return replace(further, calibration=_with_errors(further.calibration, found))


def _with_errors(calibration: Calibration, found: Errors) -> Calibration:
    # Six digits are more than an error of a forecast has.
    rounded = tuple(float(f"{error:.6g}") for error in found.values)
    return replace(calibration, days=tuple(int(day) for day in found.days), errors=rounded)
