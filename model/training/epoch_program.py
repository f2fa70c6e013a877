"""A whole epoch as one compiled program: many small batches cost no more than their arithmetic.

With a network of a few thousand weights, what is done around a batch takes ten times as long as the batch. Here the
loop over batches is a part of the program, which XLA compiles once for a shape and keeps: windows, targets and their
order are its arguments, padded to a few sizes. A further fit starts with everything put back, and no digit differs from
a separate fit. Only fitting on TensorFlow's CPU uses it.
"""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.config import TrainingConfig
from model.forecaster.windows import Windows
from model.network.seeds import seeded
from model.training.compiled import STEP, make_optimizer, start_again, without_names
from model.training.objective import Pinball

# Windows are padded to a multiple of it, so that a longer history uses the same program for years, and the fits of a
# proof the same one as the training. What is padded is never computed, and no digit depends on it.
PADDED_TO = 2048
# How many programs are kept: the present security's shape, and a few others'.
KEPT = 4

_kept: "dict[str, EpochProgram]" = {}


class XlaLSTM(keras.layers.LSTM):  # type: ignore[misc] # Keras comes without types
    """A layer with the weights and outputs of `keras.layers.LSTM`, whose loop over time XLA compiles fast.

    The part that does not depend on the step before is one product for all steps. As in FusedLSTM: default activations,
    a bias, no mask, not backwards.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:  # noqa: ARG002 - Keras names the parameters
        """(n, time, features) -> the last output (n, units), all of them (n, time, units), the states."""
        kernel, recurrent = (tf.convert_to_tensor(each) for each in (self.cell.kernel, self.cell.recurrent_kernel))
        driven = tf.transpose(tf.tensordot(sequences, kernel, 1) + tf.convert_to_tensor(self.cell.bias), (1, 0, 2))
        steps = driven.shape[0]

        def step(at: Any, output: Any, carry: Any, outputs: Any) -> tuple[Any, ...]:
            i, f, g, o = tf.split(driven[at] + tf.matmul(output, recurrent), 4, axis=1)
            carry = tf.sigmoid(f) * carry + tf.sigmoid(i) * tf.tanh(g)
            output = tf.sigmoid(o) * tf.tanh(carry)
            return at + 1, output, carry, outputs.write(at, output) if self.return_sequences else outputs

        outputs = tf.TensorArray(sequences.dtype, steps, element_shape=initial_state[0].shape)
        _, output, carry, outputs = tf.while_loop(
            lambda at, *_: at < steps, step, (0, *initial_state, outputs), maximum_iterations=steps
        )
        every = tf.transpose(outputs.stack(), (1, 0, 2)) if self.return_sequences else output[:, tf.newaxis]
        return output, every, [output, carry]


class EpochProgram:
    """The compiled program, with the network that it fits.

    form:  the network's twin with layers that XLA compiles fast; its weights have the same order
    shape: what the next fit must have in common with this one to use it again
    """

    def __init__(self, network: keras.Sequential, windows: Windows, config: TrainingConfig, draws: Random) -> None:
        self.shape = _shape(network, windows, config)
        self.form = _twin(network, draws)
        self.batch_size = config.batch_size
        self.optimizer = make_optimizer(config, fused=False)
        self.optimizer.build(self.form.trainable_variables)
        self._unmoved = [np.copy(variable.numpy()) for variable in self.optimizer.variables]
        self._fit = tf.function(self._epoch, jit_compile=True, autograph=False)
        self._look = tf.function(self._judged, jit_compile=True, autograph=False)

    def begin(self, network: keras.Sequential, draws: Random) -> None:
        """Start again with another network of the same shape, as if newly made from it."""
        start_again(self.form, self.optimizer, self._unmoved, network, draws)

    def give(self, windows: Windows, loss: Pinball) -> tuple[Any, ...]:
        """The arguments that stay the same in every epoch: windows, targets, offsets, padded; the loss's quantiles."""
        size = _padded(len(windows))
        arrays = (windows.inputs, windows.targets, windows.offsets)
        padded = (np.concatenate([a, np.zeros((size - len(a), *a.shape[1:]), np.float32)]) for a in arrays)
        return (*(tf.constant(np.ascontiguousarray(a)) for a in padded), tf.constant(loss.quantiles))

    def epoch(self, given: tuple[Any, ...], order: npt.NDArray[np.int64]) -> float:
        """Fit once on the windows whose numbers `order` lists; their mean loss, penalties on weights included."""
        return float(self._fit(*given, *self._batches(given, order))) / len(order)

    def judge(self, given: tuple[Any, ...], rows: npt.NDArray[np.int64]) -> float:
        """The mean loss on the windows with these numbers, as the weights are now."""
        return float(self._look(*given, *self._batches(given, rows))) / len(rows)

    def _batches(self, given: tuple[Any, ...], rows: npt.NDArray[np.int64]) -> tuple[Any, Any]:
        """(batches, batch_size) the numbers of windows, padded with -1; and how many batches have some."""
        batches = np.full((-(-int(given[0].shape[0]) // self.batch_size), self.batch_size), -1, dtype=np.int32)
        batches.flat[: len(rows)] = rows
        return tf.constant(batches), tf.constant(-(-len(rows) // self.batch_size))

    def _epoch(self, inputs: Any, targets: Any, offsets: Any, quantiles: Any, batches: Any, used: Any) -> Any:
        weights = self.form.trainable_variables

        def batch(at: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                whole, n = self._loss(inputs, targets, offsets, quantiles, batches[at], training=True)
                penalty = sum(self.form.losses)
                aim = whole / n + penalty
            gradients = tape.gradient(aim, [weight.value for weight in weights])
            self.optimizer.apply(gradients, weights)
            return at + 1, total + whole + n * penalty

        return tf.while_loop(lambda at, _: at < used, batch, (tf.constant(0), tf.constant(0.0)))[1]

    def _judged(self, inputs: Any, targets: Any, offsets: Any, quantiles: Any, batches: Any, used: Any) -> Any:
        def batch(at: Any, total: Any) -> tuple[Any, Any]:
            whole, _ = self._loss(inputs, targets, offsets, quantiles, batches[at], training=False)
            return at + 1, total + whole

        return tf.while_loop(lambda at, _: at < used, batch, (tf.constant(0), tf.constant(0.0)))[1]

    def _loss(
        self, inputs: Any, targets: Any, offsets: Any, quantiles: Any, rows: Any, *, training: bool
    ) -> tuple[Any, Any]:
        """The summed loss of a batch, and how many windows it has."""
        there, chosen = tf.cast(rows >= 0, tf.float32), tf.maximum(rows, 0)
        x, y, offset = (tf.gather(values, chosen) for values in (inputs, targets, offsets))
        each = Pinball.losses_at(quantiles, y, offset, self.form(x, training=training))
        return tf.reduce_sum(each * there), tf.reduce_sum(there)


def take(network: keras.Sequential, windows: Windows, config: TrainingConfig, draws: Random) -> EpochProgram:
    """A program for the network: a kept one, if it has the same shape; `draws` are its dropout's seeds."""
    kept = _kept.pop(_shape(network, windows, config), None)
    if kept is None:
        return EpochProgram(network, windows, config, draws)
    kept.begin(network, draws)
    return kept


def keep(program: EpochProgram) -> None:
    """Keep it for the next fit of its shape, with those of the others that were used last."""
    _kept[program.shape] = program
    for oldest in list(_kept)[:-KEPT]:
        del _kept[oldest]


def _padded(n: int) -> int:
    return -(-n // PADDED_TO) * PADDED_TO


def _shape(network: keras.Sequential, windows: Windows, config: TrainingConfig) -> str:
    layers = [(type(layer).__name__, without_names(layer.get_config())) for layer in network.layers]
    size: Sequence[int] = (_padded(len(windows)), *windows.inputs.shape[1:])
    return json.dumps([layers, size, config.model_dump(include=STEP)], sort_keys=True)


def _twin(network: keras.Sequential, draws: Random) -> keras.Sequential:
    """A copy of a network with its weights, whose LSTM layers are those above."""

    def change(layer: keras.Layer) -> keras.Layer:
        return seeded(layer, draws, XlaLSTM if type(layer) is keras.layers.LSTM else type(layer))

    twin = keras.models.clone_model(network, clone_function=change)
    twin.set_weights(network.get_weights())
    return twin
