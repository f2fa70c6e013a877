"""The network: a stack of recurrent layers, each followed by dropout, and one dense layer."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from model.config import NetworkConfig
from model.errors import UsageError
from model.network.layers import recurrent_layer
from model.network.seeds import seeded

if TYPE_CHECKING:
    import keras


def build_network(
    config: NetworkConfig, lookback: int, features: int = 1, outputs: int = 1, draws: Random | None = None
) -> "keras.Sequential":
    """A network from (n, lookback, features) to (n, outputs).

    draws: the generator of its layers' seeds; without it Keras draws from Python's global generator
    """
    import keras

    network = keras.Sequential([keras.Input((lookback, features))])
    last = len(config.units) - 1

    def add(layer: "keras.Layer") -> None:
        network.add(layer if draws is None else seeded(layer, draws))

    for i, units in enumerate(config.units):
        add(
            recurrent_layer(
                config.cell,
                units,
                return_sequences=i < last,
                kernel_initializer=_initializer(config.kernel_initializer),
                recurrent_initializer=_initializer(config.recurrent_initializer),
                kernel_regularizer=_penalty(config),
                recurrent_regularizer=_penalty(config),
            )
        )
        add(keras.layers.Dropout(config.dropout))
    output = config.output_initializer or config.kernel_initializer
    add(keras.layers.Dense(outputs, kernel_initializer=_initializer(output)))
    return network


def side_by_side(networks: "Sequence[keras.Sequential]") -> "keras.Model":
    """One network with the outputs of several, (n, networks * outputs); a single network is returned as it is.

    The caller averages them. Inside the network the order of the sum, and with it the last digit, would depend on
    whether the network was just built or loaded from a file.
    """
    import keras

    if len(networks) == 1:
        return networks[0]
    inputs = keras.Input(networks[0].input_shape[1:])
    for i, network in enumerate(networks):
        network.name = f"member_{i}"
    return keras.Model(inputs, keras.layers.Concatenate()([network(inputs) for network in networks]), name="members")


def members(network: "keras.Model") -> "list[keras.Sequential]":
    """The networks that `side_by_side` joined, in their order, in a stored network too."""
    import keras

    if isinstance(network, keras.Sequential):
        return [network]
    return [layer for layer in network.layers if isinstance(layer, keras.Sequential)]


def _initializer(name: str) -> "keras.initializers.Initializer":
    import keras

    try:
        return keras.initializers.get(name)
    except ValueError:
        raise UsageError(
            f"weight initialisation {name!r}",
            have="no initialiser that Keras knows",
            need="a name such as glorot_uniform, he_normal, orthogonal",
            remedy="see Keras's list of initialisers",
        ) from None


def _penalty(config: NetworkConfig) -> "keras.regularizers.Regularizer | None":
    import keras

    if config.l1 == config.l2 == 0:
        return None
    return keras.regularizers.L1L2(l1=config.l1, l2=config.l2)
