"""What other series say at an origin, such as an index of volatility: further numbers for the linear branch.

A table holds another series as it was known at each session's close, in columns named after it: `^VIX` for its Close,
or for a file's column; `^VIX High` and `^VIX Low` where its range is wanted. NaN where nothing was known.
"""

from collections.abc import Sequence

import numpy as np

from .market_state import rolling_mean
from .scale import RANGE, MovementScale, Table, Values
from .series_input import CHANGES, LONG, MADE, RANGES, SeriesInput

# What all names of these numbers begin with: they are a group of their own beside the market's own state.
GROUP = "series"


def series_names(series: Sequence[SeriesInput]) -> tuple[str, ...]:
    """The names of the numbers, such as `series ^VIX level`, in the order of `series_state`."""
    return tuple(
        f"{GROUP} {each.name} {made}" for each in series for kind in each.transformations for made in MADE[kind]
    )


def series_state(table: Table, origins: int, series: Sequence[SeriesInput], scale: MovementScale) -> Values:
    """(origins, len(series_names(series))) what other series say at the newest sessions.

    All numbers of a series are NaN where one of them cannot be made: it then counts as not there.
    Nothing older than LONG sessions plus the scale's own has any effect.
    """
    n = min(len(table["Close"]), origins + LONG + scale.rows)
    newest = {name: np.asarray(values[-n:], dtype=np.float64) for name, values in table.items()}
    parts = [np.empty((origins, 0))]
    with np.errstate(all="ignore"):  # what cannot be computed is NaN
        scales = scale.at(newest, n)
        for each in series:
            numbers = [number for kind in each.transformations for number in _made(kind, each, newest, scales, origins)]
            made = np.column_stack(numbers)
            parts.append(np.where(np.isfinite(made).all(axis=1, keepdims=True), made, np.nan))
    return np.hstack(parts)


def silent_series(table: Table, series: Sequence[SeriesInput], scale: MovementScale) -> tuple[str, ...]:
    """The names of the series that say nothing at the newest session: a forecast is made without them."""
    return tuple(each.name for each in series if np.isnan(series_state(table, 1, [each], scale)).any())


def _made(kind: str, each: SeriesInput, table: Table, scales: Values, origins: int) -> list[Values]:
    """The numbers of one transformation, (origins,) each."""
    nothing = np.full(len(scales), np.nan)
    if kind == "range":
        high, low = (np.log(table.get(column, nothing)) for column in each.columns[-2:])
        moves = (high - low) / RANGE
        return [np.log(rolling_mean(moves, window, origins) / scales[-origins:]) for window in RANGES]
    values = np.log(table.get(each.name, nothing))
    if kind == "change":
        return [_change(values, sessions)[-origins:] for sessions in CHANGES]
    beside = values - np.log(scales)
    return [beside[-origins:], rolling_mean(beside, LONG, origins)]


def _change(values: Values, sessions: int) -> Values:
    made = np.full(len(values), np.nan)
    made[sessions:] = values[sessions:] - values[:-sessions]
    return made
