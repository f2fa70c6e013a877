"""What Keras fits and judges on: arrays, and on TensorFlow the batches that it would make of them itself.

TensorFlow tunes how its batches are made in a thread of its own. It slept on after an epoch had ended, for up to a
third of a second, and the fit waited. Rows of a few bytes leave nothing to tune, so these batches are made without such
a thread. Their order is the one that Keras would draw, and no digit of a weight changes: of a seeded fit on TensorFlow
it is the same in every epoch.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Targets = npt.NDArray[np.float32]


def to_fit(rows: Rows, targets: Targets, batch_size: int) -> dict[str, Any]:
    """Arguments of `fit`: rows (n, 1) with their targets (n,), in an order that the backend's seed decides."""
    if _on_tensorflow():
        return {"x": _batches(rows, targets, batch_size, shuffled=True), "shuffle": False}  # not once more
    return {"x": rows, "y": targets, "batch_size": batch_size}


def to_judge(rows: Rows, targets: Targets, batch_size: int) -> Any:
    """The `validation_data` of a fit: rows (n, 1) with their targets (n,), in their own order."""
    if _on_tensorflow():
        return _batches(rows, targets, batch_size, shuffled=False)
    return rows, targets


def _on_tensorflow() -> bool:
    import keras

    return bool(keras.backend.backend() == "tensorflow")


def _batches(rows: Rows, targets: Targets, batch_size: int, *, shuffled: bool) -> Any:
    import tensorflow as tf

    with tf.device("CPU"):  # where batches are made; as arrays they would be copied into the graph that makes them
        given = tf.convert_to_tensor(rows), tf.convert_to_tensor(targets)

    def order(_: Any) -> Any:
        numbers = tf.range(len(rows), dtype=tf.int64)
        return tf.random.shuffle(numbers) if shuffled else numbers

    def cut(numbers: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)

    def fill(numbers: Any) -> tuple[Any, ...]:
        return tuple(tf.gather(values, numbers) for values in given)

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    batches = tf.data.Dataset.range(1).map(order).flat_map(cut).map(fill).with_options(options)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // batch_size)))
