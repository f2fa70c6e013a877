"""Keras's LSTM and Adam computed by fused TensorFlow kernels: the same training in less time on a CPU.

Keras needs some thirty small operations for a step in time, whose overhead exceeds their arithmetic, and Adam a dozen
for every weight array. That takes time in each batch, and in tracing the first.
Only fitting uses this; the stored network, which forecasts, has Keras's own layers.
"""

from random import Random
from typing import Any

import keras
import tensorflow as tf

from model.network.seeds import seeded


class FusedLSTM(keras.layers.LSTM):  # type: ignore[misc] # Keras comes without types
    """A layer with the weights, outputs and gradients of `keras.layers.LSTM`, to float32's rounding.

    That holds for the layers of `build_network`: default activations, a bias, no mask, not backwards.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:  # noqa: ARG002 - Keras names the parameters
        """(n, time, features) -> the last output (n, units), all of them (n, time, units), the states."""
        by_time = tf.transpose(sequences, (1, 0, 2))
        peephole = tf.zeros(self.units)  # required, but unused
        # BlockLSTMV2 takes Keras's order of gates, but TensorFlow registers the gradient of the other order for it.
        _, carries, _, _, _, _, outputs = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(by_time, out_type=tf.int64)[0],
            x=by_time,
            h_prev=initial_state[0],
            cs_prev=initial_state[1],
            w=_kernels_gates(tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0)),
            b=_kernels_gates(tf.convert_to_tensor(self.cell.bias)),
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            forget_bias=0.0,  # Keras keeps it in the bias
            cell_clip=-1.0,
        )
        return outputs[-1], tf.transpose(outputs, (1, 0, 2)), [outputs[-1], carries[-1]]


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc] # Keras comes without types
    """The steps of `keras.optimizers.Adam`, to float32's rounding; without amsgrad."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight array; Keras passes TensorFlow's own variable."""
        place = self._get_variable_index(variable)
        steps = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), steps),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), steps),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def fused_twin(network: keras.Sequential, draws: Random) -> keras.Sequential:
    """A copy of a network with its weights, whose LSTM layers are fused; `set_weights` takes them back.

    draws: the generator of its dropout's seeds
    """

    def fuse(layer: keras.Layer) -> keras.Layer:
        return seeded(layer, draws, FusedLSTM if type(layer) is keras.layers.LSTM else type(layer))

    twin = keras.models.clone_model(network, clone_function=fuse)
    twin.set_weights(network.get_weights())
    return twin


def _kernels_gates(weights: Any) -> Any:
    """From Keras's order of gates (input, forget, candidate, output) to the kernel's."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)
