"""The network: a stack of Keras's own LSTM layers, each followed by dropout, and one dense output."""

from typing import TYPE_CHECKING

from model.config import NetworkConfig
from model.errors import UsageError

if TYPE_CHECKING:
    import keras


def build_network(config: NetworkConfig, lookback: int) -> "keras.Sequential":
    """A network from (n, lookback, 1) to (n, 1), scaled prices in and out; its weights come from Keras's seed."""
    import keras

    network = keras.Sequential([keras.Input((lookback, 1))])
    last = len(config.units) - 1
    for i, units in enumerate(config.units):
        network.add(
            keras.layers.LSTM(
                units,
                return_sequences=i < last,
                kernel_initializer=_initializer(config.kernel_initializer),
                recurrent_initializer=_initializer(config.recurrent_initializer),
                kernel_regularizer=_penalty(config),
                recurrent_regularizer=_penalty(config),
            )
        )
        network.add(keras.layers.Dropout(config.dropout))
    network.add(keras.layers.Dense(1, kernel_initializer=_initializer(config.kernel_initializer)))
    return network


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
