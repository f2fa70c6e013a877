"""From a Keras network to the same network in NumPy, if NumpyNetwork knows all its layers."""

from typing import TYPE_CHECKING

from model.artifact.numpy_network import Layer, NumpyNetwork

if TYPE_CHECKING:
    import keras


def without_keras(network: "keras.Model", members: int = 1) -> NumpyNetwork | None:
    """The same network without Keras; None if it has a layer that `NumpyNetwork` does not know."""
    parts = [network] if members == 1 else [network.get_layer(f"member_{i}") for i in range(members)]
    stacks = [_weights_of(part) for part in parts]
    known = [stack for stack in stacks if stack is not None]
    return NumpyNetwork(known) if len(known) == len(stacks) else None


def _weights_of(network: "keras.Sequential") -> list[Layer] | None:
    import keras

    found: list[Layer] = []
    layers = [layer for layer in network.layers if type(layer) is not keras.layers.Dropout]
    if not layers or not _is_linear(layers[-1]) or not all(_is_plain_lstm(layer) for layer in layers[:-1]):
        return None
    for layer in layers:
        names = ("kernel", "bias") if layer is layers[-1] else ("kernel", "recurrent", "bias")
        found.append(dict(zip(names, layer.get_weights(), strict=True)))
    return found


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
