"""Windows cut from a series inside the network, so that a fit holds the series alone and no copy of every window.

Given windows, Keras makes one dense array of them: of a lookback of 40 forty times the series, twice while it does.
Given the numbers of their first rows it shuffles those in the same order, and each batch cuts its own windows. No
digit of a weight changes. Only fitting uses this; what is stored and forecasts with takes windows as ever.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from model.forecaster.windows import Windows


class WindowsOf(keras.layers.Layer):  # type: ignore[misc] # Keras comes without types
    """From the row that a window begins at, (batch, 1) int32, to the window, (batch, lookback, features)."""

    def __init__(self, series: npt.NDArray[np.float32], lookback: int) -> None:
        super().__init__(trainable=False)
        self.series = self.add_weight(shape=series.shape, initializer="zeros", trainable=False, name="series")
        self.series.assign(series)
        self.steps = np.arange(lookback, dtype=np.int32)

    def call(self, first: Any) -> Any:
        """Cut a batch of windows."""
        return keras.ops.take(self.series, first + self.steps, axis=0)


def on_rows(network: "keras.Model", windows: Windows) -> tuple["keras.Model", npt.NDArray[np.int32]]:
    """The network with the series inside, which shares its weights, and what to fit it on: (n, 1), a row each."""
    first = keras.Input((1,), dtype="int32")
    rows = np.arange(len(windows), dtype=np.int32)[:, np.newaxis]
    return keras.Model(first, network(WindowsOf(_series(windows), windows.inputs.shape[1])(first))), rows


def put_series(model: "keras.Model", windows: Windows) -> None:
    """Have a model of `on_rows` cut its windows from another series, as long as the one that it was made for."""
    model.layers[1].series.assign(_series(windows))


def _series(windows: Windows) -> npt.NDArray[np.float32]:
    return np.concatenate([windows.inputs[:, 0], windows.inputs[-1, 1:]])
