"""Two recurrent cells that Keras does not have: an LSTM with peepholes, and one with coupled input and forget gates.

This file is a part of every registered model, so that an old version forecasts with the cells that it was fitted with.
It therefore stands alone: Keras and the standard library, nothing of this project. Written with `keras.ops`, the cells
run on every backend; `keras.layers.RNN` steps them through time.

In the equations, x_t is the input (n, features), h_t the output (n, units) and c_t the memory (n, units) of step
t; s is the logistic function, * multiplies element by element. W are the columns of `kernel` (features,
units), U those of `recurrent_kernel` (units, units), b parts of `bias`, p rows of `peephole` (units,).
"""

from typing import Any

import keras
from keras import ops


class MemoryCell(keras.layers.Layer):  # type: ignore[misc] # Keras comes without types
    """What both cells share: weights, and the states [h, c], (n, units) each.

    The blocks of the kernels and the bias stand in Keras's order: input gate, forget gate, candidate, output gate.
    """

    blocks: int
    peepholes: int

    def __init__(
        self,
        units: int,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.output_size = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs (n, features)."""
        width = self.blocks * self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], width),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
        )
        self.bias = self.add_weight(shape=(width,), name="bias", initializer=self._first_bias)
        if self.peepholes:
            self.peephole = self.add_weight(
                shape=(self.peepholes, self.units),
                name="peephole",
                initializer="zeros",
                regularizer=self.recurrent_regularizer,
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments with which `from_config` makes an equal cell."""
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
        }

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        raise NotImplementedError

    def _blocks(self, inputs: Any, before: Any) -> list[Any]:
        """W x_t + U h_(t-1) + b of each block, (n, units) each."""
        sums = ops.matmul(inputs, self.kernel) + ops.matmul(before, self.recurrent_kernel) + self.bias
        return list(ops.split(sums, self.blocks, axis=-1))


class PeepholeLSTMCell(MemoryCell):
    """An LSTM whose gates see the memory, through one weight for each unit and gate.

        i_t = s(W_i x_t + U_i h_(t-1) + p_i * c_(t-1) + b_i)
        f_t = s(W_f x_t + U_f h_(t-1) + p_f * c_(t-1) + b_f)
        g_t = tanh(W_g x_t + U_g h_(t-1) + b_g)
        c_t = f_t * c_(t-1) + i_t * g_t
        o_t = s(W_o x_t + U_o h_(t-1) + p_o * c_t + b_o)
        h_t = o_t * tanh(c_t)

    Gers and Schmidhuber, "Recurrent nets that time and count" (IJCNN 2000); Gers, Schraudolph and Schmidhuber,
    "Learning precise timing with LSTM recurrent networks" (JMLR 3, 2002). The output gate sees c_t, the other gates
    c_(t-1). As in today's LSTMs, but unlike in the papers, both squashing functions are tanh.

    The peepholes start at 0 and the forget gate's bias at 1: the network starts as Keras's LSTM.
    """

    blocks = 4
    peepholes = 3

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:  # noqa: ARG002 - Keras names the parameters
        """One step: x_t and [h, c] of the step before -> h_t and [h_t, c_t]."""
        before, memory = states
        i, f, g, o = self._blocks(inputs, before)
        see_i, see_f, see_o = ops.unstack(self.peephole, 3)
        i = ops.sigmoid(i + see_i * memory)
        f = ops.sigmoid(f + see_f * memory)
        memory = f * memory + i * ops.tanh(g)
        output = ops.sigmoid(o + see_o * memory) * ops.tanh(memory)
        return output, [output, memory]

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        n = shape[0] // 4
        return ops.concatenate([ops.zeros(n, dtype), ops.ones(n, dtype), ops.zeros(2 * n, dtype)])


class CoupledLSTMCell(MemoryCell):
    """An LSTM with one gate for both input and forgetting: it adds as much as it forgets.

        i_t = s(W_i x_t + U_i h_(t-1) + b_i)
        f_t = 1 - i_t
        g_t = tanh(W_g x_t + U_g h_(t-1) + b_g)
        c_t = f_t * c_(t-1) + i_t * g_t
        o_t = s(W_o x_t + U_o h_(t-1) + b_o)
        h_t = o_t * tanh(c_t)

    The variant CIFG of Greff, Srivastava, Koutník, Steunebrink and Schmidhuber, "LSTM: A search space odyssey" (IEEE
    Transactions on Neural Networks and Learning Systems 28(10), 2017; arXiv:1503.04069). Theirs has peepholes as well;
    this one has none, so that it differs from an LSTM in one thing.

    The input gate's bias starts at -1, so that the forget gate starts where Keras's LSTM has it.
    """

    blocks = 3
    peepholes = 0

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:  # noqa: ARG002 - Keras names the parameters
        """One step: x_t and [h, c] of the step before -> h_t and [h_t, c_t]."""
        before, memory = states
        i, g, o = self._blocks(inputs, before)
        i = ops.sigmoid(i)
        memory = (1 - i) * memory + i * ops.tanh(g)
        output = ops.sigmoid(o) * ops.tanh(memory)
        return output, [output, memory]

    def _first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        n = shape[0] // 3
        return ops.concatenate([-ops.ones(n, dtype), ops.zeros(2 * n, dtype)])


# The cells of this file by their names in a stored network. They are not registered with Keras: registered cells would
# take precedence over those that a version brings with it.
CELLS: dict[str, type[MemoryCell]] = {cell.__name__: cell for cell in (PeepholeLSTMCell, CoupledLSTMCell)}
