"""From raw prices to dollars: what training, evaluation and the packaged model run alike.

This file is a part of every registered model, so that an old version forecasts as it did when it was judged. It
therefore stands alone: NumPy and the standard library, nothing of this project.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How prices become the network's inputs, and its answer dollars.

    column:           the price that is forecast, and the one that the network sees
    lookback:         the number of sessions in a window
    minimum, maximum: of the training part, in dollars: the range that is scaled to 0..1
    """

    column: str
    lookback: int
    minimum: float
    maximum: float

    def scaled(self, dollars: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Prices in units of the training part's range; prices beyond it lie outside 0..1."""
        return ((dollars - self.minimum) / (self.maximum - self.minimum)).astype(np.float32)

    def dollars(self, scaled: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """The inverse of `scaled`."""
        return scaled.astype(np.float64) * (self.maximum - self.minimum) + self.minimum

    def inputs(self, series: npt.NDArray[np.float64], origins: int = 1) -> npt.NDArray[np.float32]:
        """The newest `origins` windows of a price series (n,): (origins, lookback, 1), a view of the scaled series.

        ValueError where the series is too short or holds what is no price.
        """
        needed = self.lookback + origins - 1
        if origins < 1 or len(series) < needed:
            raise ValueError(
                f"{origins} forecast(s) from {len(series)} sessions of {self.column}: "
                f"needed are at least {max(needed, self.lookback)} sessions, {self.lookback} a window"
            )
        newest = np.asarray(series[len(series) - needed :], dtype=np.float64)
        if not np.isfinite(newest).all() or (newest <= 0).any():
            raise ValueError(f"{self.column} holds a missing, infinite, zero or negative price in the sessions needed")
        windows = np.lib.stride_tricks.sliding_window_view(self.scaled(newest), self.lookback)
        return windows[:, :, np.newaxis]

    def to_json(self) -> str:
        """The recipe as it is stored with the network."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


def forecast(
    network: Any, recipe: Recipe, series: npt.NDArray[np.float64], origins: int = 1
) -> npt.NDArray[np.float64]:
    """Forecasts in dollars, (origins,), made at the newest sessions of a series, each for the session after.

    network: a Keras model from (n, lookback, 1) to (n, 1). Each window is computed by itself, so that a forecast
    does not depend, to the last digit, on how many others are made beside it.
    """
    windows = recipe.inputs(series, origins)
    answers = [float(network.predict_on_batch(window[np.newaxis])[0, 0]) for window in windows]
    return recipe.dollars(np.asarray(answers, dtype=np.float64))
