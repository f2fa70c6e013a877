"""The recurrent layers that a network can be made of, with the equations of one step.

x_t is the input (n, features) and h_t the output (n, units) of step t; s is the logistic function, * multiplies element
by element. W are columns of the layer's `kernel`, U of its `recurrent_kernel`, b parts of its `bias`.

simple_rnn: Keras's SimpleRNN, the network of Elman, "Finding structure in time" (Cognitive Science 14, 1990).

    h_t = tanh(W x_t + U h_(t-1) + b)

Going back one step multiplies a gradient by the transpose of U and by tanh's slope, which is at most 1.

lstm: Keras's LSTM, of Hochreiter and Schmidhuber, "Long short-term memory" (Neural Computation 9(8), 1997), with the
forget gate of Gers, Schmidhuber and Cummins, "Learning to forget" (Neural Computation 12(10), 2000).

    i_t = s(W_i x_t + U_i h_(t-1) + b_i)
    f_t = s(W_f x_t + U_f h_(t-1) + b_f)
    g_t = tanh(W_g x_t + U_g h_(t-1) + b_g)
    c_t = f_t * c_(t-1) + i_t * g_t
    o_t = s(W_o x_t + U_o h_(t-1) + b_o)
    h_t = o_t * tanh(c_t)

Going back one step along c multiplies a gradient by f_t alone. b_f starts at 1.

gru: Keras's GRU, of Cho et al., "Learning phrase representations using RNN encoder-decoder" (EMNLP 2014;
arXiv:1406.1078).

    z_t = s(W_z x_t + U_z h_(t-1) + b_z)
    r_t = s(W_r x_t + U_r h_(t-1) + b_r)
    g_t = tanh(W_g x_t + b_g + r_t * (U_g h_(t-1) + b'_g))
    h_t = z_t * h_(t-1) + (1 - z_t) * g_t

The reset gate r acts after the product with U (`reset_after`, as on GPUs), so that product has a bias of its own: b_z
and b_r are sums of two.

peephole, coupled: our own cells, whose equations stand in `model.artifact.cells`.
"""

from typing import TYPE_CHECKING, Any

from model.config import Cell

if TYPE_CHECKING:
    import keras


def recurrent_layer(cell: Cell, units: int, *, return_sequences: bool, **shared: Any) -> "keras.Layer":
    """A layer of a kind; `shared` are the initial weights and the penalties on weights, which all kinds take."""
    import keras

    from model.artifact.cells import CoupledLSTMCell, PeepholeLSTMCell

    layers = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    if cell in layers:
        return layers[cell](units, return_sequences=return_sequences, **shared)
    cells = {"peephole": PeepholeLSTMCell, "coupled": CoupledLSTMCell}
    return keras.layers.RNN(cells[cell](units, **shared), return_sequences=return_sequences)
