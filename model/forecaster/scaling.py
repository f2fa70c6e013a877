"""The recipe around a network, fitted on the training part alone."""

import numpy as np

from model.artifact.inference import ChangeRecipe, LevelRecipe, Recipe, Spread
from model.config import ForecasterConfig
from model.errors import FaultyPrices
from model.market.prices import Prices


def fit_recipe(train: Prices, config: ForecasterConfig) -> Recipe:
    """How prices become inputs and answers dollars; FaultyPrices where the training part's prices do not move."""
    series = train.column(config.column)
    minimum, maximum = float(series.min()), float(series.max())
    if minimum == maximum:
        raise FaultyPrices(
            f"{config.column} of {train.security.ticker}",
            have=f"the same price, {minimum:.2f}, in all {len(train)} sessions of the training part",
            need="prices that move: a range of no width cannot be scaled",
            remedy="look at the source: a halted security or a filled-in export looks like this",
        )
    if config.inputs == "level":
        return LevelRecipe(column=config.column, lookback=config.lookback, minimum=minimum, maximum=maximum)
    spread = Spread()
    scales = spread.scale(train.table(), len(train) - spread.sessions)
    return ChangeRecipe(
        column=config.column,
        lookback=config.lookback,
        spread=spread,
        shrinkage=config.shrinkage,
        ordinary=float(np.median(scales)),
    )


def sessions_needed(config: ForecasterConfig) -> int:
    """The sessions before a first target: the window, and with changes the scale before it."""
    return config.lookback + (Spread().rows if config.inputs == "changes" else 0)
