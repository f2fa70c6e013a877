"""The recurrent layers that a network can be made of, one function each, with the equations of one step.

x_t is the input (n, features) and h_t the output (n, units) of step t; s is the logistic function, * multiplies element
by element. W are columns of the layer's `kernel`, U of its `recurrent_kernel`, b parts of its `bias`.

shared: the arguments that all layers take: initial weights, penalties on weights, `return_sequences`
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from model.config import Cell

if TYPE_CHECKING:
    import keras


def simple_rnn(units: int, **shared: Any) -> "keras.Layer":
    """Keras's SimpleRNN, the network of Elman, "Finding structure in time" (Cognitive Science 14, 1990).

    h_t = tanh(W x_t + U h_(t-1) + b)

    Going back one step multiplies a gradient by the transpose of U and by tanh's slope, which is at most 1.
    """
    import keras

    return keras.layers.SimpleRNN(units, **shared)


def lstm(units: int, **shared: Any) -> "keras.Layer":
    """Keras's LSTM.

        i_t = s(W_i x_t + U_i h_(t-1) + b_i)
        f_t = s(W_f x_t + U_f h_(t-1) + b_f)
        g_t = tanh(W_g x_t + U_g h_(t-1) + b_g)
        c_t = f_t * c_(t-1) + i_t * g_t
        o_t = s(W_o x_t + U_o h_(t-1) + b_o)
        h_t = o_t * tanh(c_t)

    Hochreiter and Schmidhuber, "Long short-term memory" (Neural Computation 9(8), 1997), with the forget gate of Gers,
    Schmidhuber and Cummins, "Learning to forget" (Neural Computation 12(10), 2000). Going back one step along c
    multiplies a gradient by f_t alone. b_f starts at 1.
    """
    import keras

    return keras.layers.LSTM(units, **shared)


def peephole(units: int, **shared: Any) -> "keras.Layer":
    """An LSTM whose gates see c: `model.artifact.cells.PeepholeLSTMCell`."""
    from model.artifact.cells import PeepholeLSTMCell

    return _stepped(PeepholeLSTMCell, units, **shared)


def coupled(units: int, **shared: Any) -> "keras.Layer":
    """An LSTM whose input gate also decides how much to forget: `model.artifact.cells.CoupledLSTMCell`."""
    from model.artifact.cells import CoupledLSTMCell

    return _stepped(CoupledLSTMCell, units, **shared)


def gru(units: int, **shared: Any) -> "keras.Layer":
    """Keras's GRU.

        z_t = s(W_z x_t + U_z h_(t-1) + b_z)
        r_t = s(W_r x_t + U_r h_(t-1) + b_r)
        g_t = tanh(W_g x_t + b_g + r_t * (U_g h_(t-1) + b'_g))
        h_t = z_t * h_(t-1) + (1 - z_t) * g_t

    Cho et al., "Learning phrase representations using RNN encoder-decoder" (EMNLP 2014; arXiv:1406.1078). The reset
    gate r acts after the product with U (`reset_after`, as on GPUs), so that product has a bias of its own: b_z and b_r
    are sums of two.
    """
    import keras

    return keras.layers.GRU(units, **shared)


LAYERS: dict[Cell, Callable[..., "keras.Layer"]] = {
    "simple_rnn": simple_rnn,
    "lstm": lstm,
    "peephole": peephole,
    "coupled": coupled,
    "gru": gru,
}


def _stepped(cell: type[Any], units: int, *, return_sequences: bool, **shared: Any) -> "keras.Layer":
    import keras

    return keras.layers.RNN(cell(units, **shared), return_sequences=return_sequences)
