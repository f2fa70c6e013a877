"""Quantile regressions on HAR features divided by the own level: linear ones by statsmodels, trees by LightGBM.

What is regressed is the change divided by the level of the session before, so that the same trees serve all series.
"""

import warnings
from collections.abc import Sequence

import lightgbm
import numpy as np
from statsmodels.regression.quantile_regression import QuantReg

from benchmarks.peers.market import LEVELS, Market, Quantiles, Series, trailing, yearly
from model.market.prices import Values

QUARTER = 66
SPANS = (1, 2, 5, 10, 22, QUARTER)
TREES = 80
LIGHTGBM = {
    "objective": "quantile",
    "num_leaves": 4,
    "learning_rate": 0.05,
    "min_data_in_leaf": 100,
    "num_threads": 1,
    "deterministic": True,
    "seed": 0,
    "verbose": -1,
}


def linear(market: Market, years: Sequence[int]) -> Quantiles:
    """A regression for each level and series, on the movement of the day and of the quarter; more inputs overfit."""
    return yearly(market, years, _linear)


def _linear(series: Series, rows: slice) -> Values:
    movement = [trailing(series.movement, sessions) / series.level for sessions in (1, QUARTER)]
    inputs = np.column_stack([np.ones(len(series.days)), *movement])
    x, z = _past(series, inputs, rows.start)
    ahead = slice(rows.start - 1, rows.stop - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the outermost levels reach the limit of iterations
        fits = [QuantReg(z, x).fit(q=level, max_iter=200).params for level in LEVELS]
    return np.asarray(inputs[ahead] @ np.transpose(fits)) * series.level[ahead, np.newaxis]


def trees(market: Market, years: Sequence[int]) -> Quantiles:
    """One set of boosted trees for each level and year, over all series."""
    made: dict[str, list[Values]] = {series.name: [] for series in market}
    features = {series.name: _features(series) for series in market}
    for year in years:
        parts = [_past(series, features[series.name], series.year(year).start) for series in market]
        data = lightgbm.Dataset(*(np.concatenate(part) for part in zip(*parts, strict=True)), free_raw_data=False)
        fits = [lightgbm.train(LIGHTGBM | {"alpha": level}, data, TREES) for level in LEVELS]
        for series in market:
            rows = series.year(year)
            ahead = slice(rows.start - 1, rows.stop - 1)
            inputs = features[series.name][ahead]
            quantiles = np.column_stack([fit.predict(inputs, num_threads=1) for fit in fits])
            made[series.name].append(quantiles * series.level[ahead, np.newaxis])
    return {name: np.concatenate(parts) for name, parts in made.items()}


def _features(series: Series) -> Values:
    """(n, features) what is known at each session's Close."""
    level = series.level
    return np.column_stack(
        [
            *(np.log(trailing(series.movement, sessions) / level) for sessions in SPANS),
            *(np.log(trailing(series.reach, sessions) / level) for sessions in SPANS),
            *(trailing(np.abs(series.change), sessions) / level for sessions in SPANS[1:]),
            *(trailing(series.daily, sessions) / level for sessions in SPANS[:3]),
            np.abs(series.overnight) / level,
            np.full(len(level), float(series.name.endswith("Open"))),
            *series.signals,
        ]
    )


def _past(series: Series, inputs: Values, stop: int) -> tuple[Values, Values]:
    """Inputs and scaled changes of the sessions before row `stop`: what was known at t beside the change to t + 1."""
    x, z = inputs[: stop - 1], series.change[1:stop] / series.level[: stop - 1]
    given = np.isfinite(x).all(axis=1) & np.isfinite(z)
    return x[given], z[given]
