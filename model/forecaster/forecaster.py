"""A fitted forecaster: the network, the recipe around it, and the configuration that made it."""

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Self

from model.artifact.inference import forecast
from model.artifact.numpy_network import NumpyNetwork
from model.artifact.recipes import Recipe
from model.config import ForecasterConfig
from model.forecaster.calibration import calibrate
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices, Values
from model.network.kept import Weights, joined_network

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCourse:
    """How the loss of one network went, epoch by epoch.

    training:  the mean loss of each epoch on the windows that were fitted on
    held_back: after each epoch, that on the windows held back; empty where none were
    kept:      the epoch whose weights were kept, from 1; 0 for those of the start
    """

    training: tuple[float, ...]
    held_back: tuple[float, ...]
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecaster:
    """Raw prices in, forecasts in their unit out.

    weights:       of each network, in Keras's order
    predictor:     what computes the forecasts: the networks in NumPy where NumPy knows their layers, else in Keras
    courses:       the losses of each network, in the recipe's units
    fit_seconds:   the wall time of the fit, compilation included
    trained_until: the last session of the training part
    generation:    how many fits its weights went through before; 0 for a start from fresh weights
    """

    config: ForecasterConfig
    recipe: Recipe
    weights: tuple[Weights, ...]
    predictor: "NumpyNetwork | keras.Model"
    courses: tuple[LossCourse, ...]
    fit_seconds: float
    trained_until: date
    generation: int = 0

    @property
    def network(self) -> "keras.Model":
        """Keras's network: one object for all forecasters of a form, so read it before you ask for another's."""
        recipe, seeds = self.recipe, self.config.training.seeds
        return joined_network(
            self.config.network, self.config.lookback, recipe.features, recipe.outputs, seeds, self.weights
        )

    @property
    def losses(self) -> tuple[float, ...]:
        """The training loss of each epoch, of one network after the other."""
        return tuple(loss for course in self.courses for loss in course.training)

    def forecast(self, prices: Prices, origins: int = 1) -> Values:
        """Forecasts, (origins,), made at the newest sessions, each for the session after."""
        return self.predict(prices, origins).values

    def predict(self, prices: Prices, origins: int = 1, *, explain: bool = False) -> Forecasts:
        """The same as distributions; `explain`: with what made the newest one wide or narrow."""
        table, following = prices.table(), prices.following_day
        columns = forecast(self.predictor, self.recipe, table, origins, following, explain=explain)
        return Forecasts.from_columns(columns)

    def calibrated(self, known: Prices) -> Self:
        """The same forecaster with the errors that were known at the end of `known`."""
        return replace(self, recipe=calibrate(self.predictor, self.recipe, known))
