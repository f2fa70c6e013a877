"""A fitted forecaster: the network, the recipe around it, and the configuration that made it."""

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Self

from model.baselines import naive_forecasts
from model.config import ForecasterConfig
from model.evaluation import Evaluation
from model.forecast import Forecasts
from model.inference import Recipe, forecast
from model.intervals import calibrate
from model.measures import training_scales
from model.prices import COLUMNS, Prices, Values
from model.runtime import NumpyNetwork
from model.split import Split
from model.warm_start import Parent, Past, member_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecaster:
    """Raw prices in, dollars out.

    network: as it was fitted, by Keras
    answers: what answers for it: the same network by NumPy alone where that knows its layers, else Keras's
    losses: the training loss of each epoch, of one network after the other, in the recipe's units
    fit_seconds: the wall time of the fit, compilation included
    trained_until: the last session of the training part
    generation: how many fits its weights had gone through before; 0 for a start from the beginning
    """

    config: ForecasterConfig
    recipe: Recipe
    network: "keras.Model"
    answers: "NumpyNetwork | keras.Model"
    losses: tuple[float, ...]
    fit_seconds: float
    trained_until: date
    generation: int = 0

    def forecast(self, prices: Prices, origins: int = 1) -> Values:
        """Forecasts in dollars, (origins,), made at the newest sessions, each for the session after."""
        return self.predict(prices, origins).values

    def predict(self, prices: Prices, origins: int = 1) -> Forecasts:
        """The same with their intervals."""
        return Forecasts.from_columns(forecast(self.answers, self.recipe, prices.table(), origins))

    def as_parent(self, name: str) -> Parent:
        """Give itself as the beginning of another fit."""
        return Parent(
            past=Past(name=name, config=self.config, trained_until=self.trained_until, generation=self.generation),
            weights=member_weights(self.network, self.config.training.members),
        )

    def calibrated(self, known: Prices) -> Self:
        """The same forecaster with intervals from its errors on the newest sessions of `known`.

        On prices that came after its training part, that is what keeps the intervals up to date without a new fit.
        """
        return replace(self, recipe=calibrate(self.answers, self.recipe, known))


def evaluate(forecast: "Callable[[Prices, int], Forecasts | Values]", split: Split, column: str) -> Evaluation:
    """Forecast each session of the test period with what was known at the close of the one before.

    forecast: from prices and a number of origins to dollars, such as Forecaster.forecast, or with intervals, such as
              Forecaster.predict; of those, each level is judged that has bounds on all sessions
    """
    known = split.prices.until(split.prices.day(-2))
    said = forecast(known, split.n_test)
    made = said if isinstance(said, Forecasts) else Forecasts(values=said, lower={}, upper={})
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=split.actual[:, COLUMNS.index(column)],
        forecast=made.values,
        naive=naive_forecasts(known, column, split.n_test),
        intervals=made.complete(),
        scales=training_scales(split.train.column(column), split.n_test),
    )
