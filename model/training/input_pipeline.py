"""The input of a fit: rows of a series, from which the network cuts its windows, and batches of these rows.

Given windows, Keras makes one dense array of them: with a lookback of 40 that is forty times the series, and for a
while twice that. So the network holds the series, is given the number of each window's first row, shuffled in the
same order, and cuts the windows of a batch itself.

TensorFlow tunes how its batches are made in a thread of its own. After an epoch that thread slept on for up to a third
of a second, and the fit waited. Rows of a few bytes leave nothing to tune, so on TensorFlow the batches are made here,
without such a thread, in the order that Keras would draw: in a seeded fit it is the same in every epoch.

Neither changes a digit of a weight. Only fitting uses this; what is stored and forecasts takes windows.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from model.forecaster.windows import Windows

RowNumbers = npt.NDArray[np.int32]
Targets = npt.NDArray[np.float32]


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


def on_rows(network: "keras.Model", windows: Windows) -> tuple["keras.Model", RowNumbers]:
    """A model that holds the series and shares the network's weights, and the rows to fit it on, (n, 1)."""
    first = keras.Input((1,), dtype="int32")
    rows = np.arange(len(windows), dtype=np.int32)[:, np.newaxis]
    return keras.Model(first, network(WindowsOf(_series(windows), windows.inputs.shape[1])(first))), rows


def put_series(model: "keras.Model", windows: Windows) -> None:
    """Make a model of `on_rows` cut its windows from another series of the same length."""
    model.layers[1].series.assign(_series(windows))


def to_fit(rows: RowNumbers, targets: Targets, batch_size: int) -> dict[str, Any]:
    """Arguments of `fit`: rows (n, 1) with their targets (n,), in an order that the backend's seed decides."""
    if _on_tensorflow():
        return {"x": _batches(rows, targets, batch_size, shuffled=True), "shuffle": False}  # not once more
    return {"x": rows, "y": targets, "batch_size": batch_size}


def to_judge(rows: RowNumbers, targets: Targets, batch_size: int) -> Any:
    """The `validation_data` of a fit: rows (n, 1) with their targets (n,), in their own order."""
    if _on_tensorflow():
        return _batches(rows, targets, batch_size, shuffled=False)
    return rows, targets


def _series(windows: Windows) -> npt.NDArray[np.float32]:
    return np.concatenate([windows.inputs[:, 0], windows.inputs[-1, 1:]])


def _on_tensorflow() -> bool:
    return bool(keras.backend.backend() == "tensorflow")


def _batches(rows: RowNumbers, targets: Targets, batch_size: int, *, shuffled: bool) -> Any:
    import tensorflow as tf

    with tf.device("CPU"):  # where batches are made; as arrays they would be copied into the graph that makes them
        given = tf.convert_to_tensor(rows), tf.convert_to_tensor(targets)

    def order(_: Any) -> Any:
        numbers = tf.range(len(rows), dtype=tf.int64)
        return tf.random.shuffle(numbers) if shuffled else numbers

    def split_up(numbers: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)

    def fill(numbers: Any) -> tuple[Any, ...]:
        return tuple(tf.gather(values, numbers) for values in given)

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    batches = tf.data.Dataset.range(1).map(order).flat_map(split_up).map(fill).with_options(options)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))
