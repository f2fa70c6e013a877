"""The recipe around a network, fitted on the training part alone."""

import math

import numpy as np

from model.artifact.distribution import Calibration
from model.artifact.recipes import ChangeRecipe, LevelRecipe, Recipe
from model.artifact.scale import MovementScale
from model.config import ForecasterConfig
from model.errors import FaultyPrices
from model.market.prices import Prices

# The newest errors that a quantile is read from. One year follows the market, four years hold its tails; the mean of
# both is better than either. At the end of a halt, without movement to measure a width by, an error may be hundreds of
# widths: with an ordinary day's width that would be a multiple of the price.
CHANGES = Calibration(windows=(250, 1000), symmetric=False, largest=20.0)
# Several sessions ahead changes overlap: 250 of them over five sessions are but 50. Chosen on 2015 to 2017.
FURTHER = Calibration(windows=(1000,), symmetric=False, largest=20.0)
# With prices as targets only the newest year counts, and by size, so that the median stays the network's answer.
LEVELS = Calibration(windows=(250,), symmetric=True)


def fit_recipe(train: Prices, config: ForecasterConfig) -> Recipe:
    """The recipe fitted on the training part; FaultyPrices where its prices do not move."""
    series = train.column(config.column)
    if series.min() == series.max():
        raise FaultyPrices(
            f"{config.column} of {train.security.ticker}",
            have=f"the same price, {train.money.price(series[0])}, in all {len(train)} sessions of the training part",
            need="prices that move: a constant price cannot be scaled",
            remedy="look at the source: it may be a halted security, or an export with filled-in days",
        )
    if config.inputs == "level":
        from sklearn.preprocessing import MinMaxScaler

        # Its minimum and maximum are all that is kept: the registered model scales by NumPy alone.
        scaler = MinMaxScaler().fit(series[:, np.newaxis])
        (minimum,), (maximum,) = scaler.data_min_.tolist(), scaler.data_max_.tolist()
        return LevelRecipe(
            column=config.column, lookback=config.lookback, calibration=LEVELS, minimum=minimum, maximum=maximum
        )
    scale = MovementScale()
    scales = scale.at(train.table(), len(train))
    return ChangeRecipe(
        column=config.column,
        lookback=config.lookback,
        scale=scale,
        calibration=CHANGES,
        shrinkage=config.shrinkage,
        series=config.series,
        ordinary=float(np.nanmedian(scales)) if np.isfinite(scales).any() else math.inf,
    )


def sessions_needed(config: ForecasterConfig) -> int:
    """The sessions before the first target: one window, and for changes the sessions of the scale before it."""
    return config.lookback + (MovementScale().rows if config.inputs == "changes" else 0)
