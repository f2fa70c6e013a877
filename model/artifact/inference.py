"""From raw prices to a distribution in dollars: the same code in training, in evaluation and in the registered model.

The files of this folder are a part of every registered model, so that an old version forecasts as it did when it was
judged. They therefore stand alone: NumPy and the standard library, nothing else of this project; `cells.py` needs
Keras.
"""

from typing import Any

import numpy as np

from .distribution import LEVELS, NO_ERRORS, PROBABILITIES, Errors, quantile_column
from .recipes import Inputs, Placed, Recipe
from .scale import Table, Values
from .sessions_ahead import further_column


def network_output(network: Any, windows: Inputs, outputs: int) -> Values:
    """(n, outputs) a network's outputs for n windows: the means over its members."""
    members = np.asarray(network.predict_on_batch(np.ascontiguousarray(windows)), dtype=np.float64)
    return np.asarray(members.reshape(len(members), -1, outputs).mean(axis=1), dtype=np.float64)


def forecast(
    network: Any,
    recipe: Recipe,
    table: Table,
    origins: int = 1,
    following: float | None = None,
    *,
    explain: bool = False,
) -> dict[str, Values]:
    """Forecasts made at the newest sessions of a table, each for the session after: (origins,) prices by name.

    `forecast` is the median; `lower_80`, `upper_80` and so on bound the interval of each level; `quantile_0.005` and so
    on are the distribution. Where the table holds too little for a distribution, or too few errors are known,
    `forecast` is the centre and the others are NaN. The same names with `in_5_` before them are of the fifth session
    after, where the recipe has that horizon; its `forecast` is NaN, too, where there is no distribution.

    network:   a Keras model or a NumpyNetwork, from (n, lookback, features) to (n, members * outputs). Each window is
               computed by itself, so that no digit of a forecast depends on how many others are made beside it.
    following: the date of the session after the newest one, in days since 1970; else the next weekday
    explain:   add what made the distribution wide or narrow, where that is a product: `scale`, its width, is
               `usual_scale` times every `factor_...`
    """
    made = _made(recipe, table, origins)
    outputs = _each_by_itself(network, recipe.inputs(table, made), recipe.outputs)
    placed = recipe.placed(outputs, table, following)
    units = _quantiles(recipe, table, placed, origins)
    centre, width, usual = (each[-origins:, np.newaxis] for each in (placed.centre, placed.width, placed.usual))
    middle = units[:, [PROBABILITIES.index(0.5)]]
    quantiles = recipe.dollars(centre + usual * middle + width * (units - middle))
    columns = _columns(quantiles)
    point = recipe.dollars(placed.centre[-origins:])
    columns["forecast"] = np.where(np.isfinite(columns["forecast"]), columns["forecast"], point)
    for ahead in getattr(recipe, "further", ()):
        further = _columns(ahead.quantiles(recipe.column, table, origins))
        columns |= {further_column(ahead.sessions, name): values for name, values in further.items()}
    why = recipe.explained(outputs[-origins:], table, following) if explain else {}
    return columns | ({"scale": width[:, 0], **why} if why else {})


def _columns(quantiles: Values) -> dict[str, Values]:
    """The columns of distributions (n, len(PROBABILITIES)): the median, the intervals' bounds and the quantiles."""
    dollars = dict(zip(PROBABILITIES, quantiles.T, strict=True))
    columns = {"forecast": dollars[0.5]}
    for level in LEVELS:
        tail = round((100 - level) / 200, 4)
        columns |= {f"lower_{level}": dollars[tail], f"upper_{level}": dollars[round(1 - tail, 4)]}
    return columns | {quantile_column(p): values for p, values in dollars.items()}


def errors_of(recipe: Recipe, table: Table, placed: Placed) -> Errors:
    """The errors of the forecasts made at a table's newest sessions, without the newest: its outcome is not known.

    placed: the forecasts made at the newest sessions, the newest one included
    """
    n = len(placed.centre) - 1
    if n < 1 or recipe.column not in table:
        return NO_ERRORS
    actual = recipe.measure(np.asarray(table[recipe.column][-n:], dtype=np.float64))
    values = (actual - placed.centre[:-1]) / placed.width[:-1]
    days = np.asarray(table["Date"][-n:], dtype=np.float64) if "Date" in table else np.full(n, np.nan)
    there = np.isfinite(values)
    return Errors(days=days[there], values=values[there])


def _each_by_itself(network: Any, windows: Inputs, outputs: int) -> Values:
    """(n, outputs) a network's outputs, none of which depends on the other windows."""
    if getattr(network, "each_by_itself", False):
        return network_output(network, windows, outputs)
    return np.concatenate([network_output(network, windows[i : i + 1], outputs) for i in range(len(windows))])


def _made(recipe: Recipe, table: Table, origins: int) -> int:
    """How many forecasts to make: those asked for, and earlier ones whose errors the calibration needs.

    It needs the errors of the sessions after the stored errors, at most `calibration.kept` of them for each origin.
    """
    if "Date" not in table or origins < 1:
        return origins
    days, calibration = np.asarray(table["Date"]), recipe.calibration
    newer = int(np.sum(days > calibration.days[-1])) if calibration.days else len(days)
    wanted = min(newer, calibration.kept + origins - 1) + 1
    return max(origins, min(wanted, len(days) - recipe.rows + 1))


def _quantiles(recipe: Recipe, table: Table, placed: Placed, origins: int) -> Values:
    """(origins, len(PROBABILITIES)) quantiles of the errors that were known at each of the newest origins."""
    calibration, stored = recipe.calibration, recipe.calibration.stored()
    if "Date" not in table:
        return np.tile(calibration.quantiles(stored.values), (origins, 1))
    newer = errors_of(recipe, table, placed)
    fresh = newer.days > (stored.days[-1] if len(stored.days) else -np.inf)
    known = Errors(
        days=np.concatenate([stored.days, newer.days[fresh]]),
        values=np.concatenate([stored.values, newer.values[fresh]]),
    )
    return calibration.quantiles_at(known, np.asarray(table["Date"][-origins:], dtype=np.float64))
