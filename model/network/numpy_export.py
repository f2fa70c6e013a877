"""From a Keras network to the same network in NumPy, if NumpyNetwork knows all its layers."""

from typing import TYPE_CHECKING

from model.artifact.numpy_network import Layer, NumpyNetwork
from model.network.build import members

if TYPE_CHECKING:
    import keras


def without_keras(network: "keras.Model") -> NumpyNetwork | None:
    """The same network without Keras; None if it has a layer that `NumpyNetwork` does not know."""
    stacks = [_weights_of(member) for member in members(network)]
    known = [stack for stack in stacks if stack]
    return NumpyNetwork(known) if len(known) == len(stacks) else None


def _weights_of(network: "keras.Sequential") -> list[Layer]:
    """The weights of each layer that has some; empty if one of the layers is not known."""
    import keras

    *recurrent, last = [layer for layer in network.layers if type(layer) is not keras.layers.Dropout]
    if not _is_linear(last) or not all(_is_plain_lstm(layer) for layer in recurrent):
        return []
    named = [(layer, ("kernel", "recurrent", "bias")) for layer in recurrent] + [(last, ("kernel", "bias"))]
    return [dict(zip(names, layer.get_weights(), strict=True)) for layer, names in named]


def _is_linear(layer: "keras.Layer") -> bool:
    import keras

    return type(layer) is keras.layers.Dense and layer.activation is keras.activations.linear and layer.use_bias


def _is_plain_lstm(layer: "keras.Layer") -> bool:
    import keras

    return (
        type(layer) is keras.layers.LSTM
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.use_bias
        and not layer.go_backwards
    )
