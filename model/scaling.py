"""Min-max scaling, fitted on the training part alone."""

from model.config import ForecasterConfig
from model.errors import FaultyPrices
from model.inference import Recipe
from model.prices import Prices


def fit_scaling(train: Prices, config: ForecasterConfig) -> Recipe:
    """The range of the training part's prices, as a recipe; FaultyPrices where it has no width."""
    series = train.column(config.column)
    minimum, maximum = float(series.min()), float(series.max())
    if minimum == maximum:
        raise FaultyPrices(
            f"{config.column} of {train.security.ticker}",
            have=f"the same price, {minimum:.2f}, in all {len(train)} sessions of the training part",
            need="prices that move: a range of no width cannot be scaled",
            remedy="look at the source: a halted security or a filled-in export looks like this",
        )
    return Recipe(column=config.column, lookback=config.lookback, minimum=minimum, maximum=maximum)
