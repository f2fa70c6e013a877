"""A fitted forecaster: the network, the recipe around it, and the configuration that made it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.baselines import naive_forecasts
from model.config import ForecasterConfig
from model.evaluation import Evaluation
from model.inference import Recipe, forecast
from model.prices import COLUMNS, Prices, Values
from model.split import Split

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecaster:
    """Raw prices in, dollars out.

    losses: the training loss of each epoch, on scaled prices
    fit_seconds: the wall time of the fit, compilation included
    """

    config: ForecasterConfig
    recipe: Recipe
    network: "keras.Sequential"
    losses: tuple[float, ...]
    fit_seconds: float

    def forecast(self, prices: Prices, origins: int = 1) -> Values:
        """Forecasts in dollars, (origins,), made at the newest sessions, each for the session after."""
        return forecast(self.network, self.recipe, prices.column(self.config.column), origins)


def evaluate(forecast: "Callable[[Prices, int], Values]", split: Split, column: str) -> Evaluation:
    """Forecast each session of the test period with what was known at the close of the one before.

    forecast: from prices and a number of origins to dollars, such as Forecaster.forecast
    """
    known = split.prices.until(split.prices.day(-2))
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=split.actual[:, COLUMNS.index(column)],
        forecast=forecast(known, split.n_test),
        naive=naive_forecasts(known, column, split.n_test),
    )
