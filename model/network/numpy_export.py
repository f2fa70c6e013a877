"""From a Keras network to the same network in NumPy, if NumpyNetwork knows all its layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from model.artifact.numpy_network import Layer, NumpyNetwork
from model.config import NetworkConfig
from model.network.build import members

if TYPE_CHECKING:
    import keras


RECURRENT, DENSE = ("kernel", "recurrent", "bias"), ("kernel", "bias")


def in_numpy(config: NetworkConfig, weights: Sequence[Sequence[npt.NDArray[Any]]]) -> NumpyNetwork | None:
    """The networks that `build_network` makes, with the weights of each, without Keras; None as below."""
    if config.cell != "lstm":
        return None
    names = [*[RECURRENT] * len(config.units), DENSE]
    return NumpyNetwork([_named(names, list(member)) for member in weights])


def _named(names: Sequence[Sequence[str]], weights: list[npt.NDArray[Any]]) -> list[Layer]:
    """The weights of each layer by name, in Keras's order."""
    return [{name: weights.pop(0) for name in layer} for layer in names]


def keras_weights(network: NumpyNetwork) -> tuple[tuple[npt.NDArray[Any], ...], ...]:
    """The weights of each member in Keras's order, as `in_numpy` takes them."""
    return tuple(
        tuple(layer[name] for layer in member for name in (RECURRENT if "recurrent" in layer else DENSE))
        for member in network.members
    )


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
    return _named([*[RECURRENT] * len(recurrent), DENSE], network.get_weights())


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
