"""Networks that this process keeps: Keras takes longer to make one than to fit a small one for some epochs.

Each is one object for all networks of its form, and has the weights that it was last given: whoever asks for one reads
it, or fits it and takes its weights, before the next is asked for.
"""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from model.config import NetworkConfig
from model.network.build import build_network, side_by_side

if TYPE_CHECKING:
    import keras

Weights = tuple[npt.NDArray[Any], ...]
Of = TypeVar("Of")

# How many forms, and fresh weights of how many seeds of each: the configurations of a process, and their members.
KEPT, SEEDS = 4, 32


class _Form:
    """One network, and what each seed makes of it: its fresh weights, dropout's seeds, the generator after that."""

    def __init__(self, config: NetworkConfig, shape: tuple[int, int, int]) -> None:
        self._config, self._shape = config, shape
        self._fresh: dict[int, tuple[Weights, list[Any], Any]] = {}
        self.network = build_network(config, *shape)

    def begin(self, seed: int) -> Random:
        """Give the network the weights of a seed; the generator as `build_network` leaves it."""
        draws = Random(seed)  # noqa: S311 - no secrets
        if seed not in self._fresh:
            made = build_network(self._config, *self._shape, draws)
            self._fresh[seed] = tuple(made.get_weights()), _dropout(made), draws.getstate()
            _drop_oldest(self._fresh, SEEDS)
        weights, dropout, state = self._fresh[seed]
        self.network.set_weights(weights)
        for layer, value in zip(_with_dropout(self.network), dropout, strict=True):
            layer.seed_generator.state.assign(value)
        draws.setstate(state)
        return draws


_forms: dict[tuple[object, ...], _Form] = {}
_joined: "dict[tuple[object, ...], keras.Model]" = {}


def fresh_network(
    config: NetworkConfig, lookback: int, features: int, outputs: int, seed: int
) -> "tuple[keras.Sequential, Random]":
    """The kept network of that form, as `build_network` makes it from a seed, and the generator after it."""
    shape = lookback, features, outputs
    key = config, *shape
    form = _forms.pop(key, None) or _Form(config, shape)
    _forms[key] = form
    _drop_oldest(_forms, KEPT)
    return form.network, form.begin(seed)


def joined_network(
    config: NetworkConfig, lookback: int, features: int, outputs: int, seeds: Sequence[int], weights: Sequence[Weights]
) -> "keras.Model":
    """The kept network that `side_by_side` makes of several of that form, with the weights of each.

    seeds: one for each, which a stored network shows
    """
    key = config, lookback, features, outputs, tuple(seeds)
    network = _joined.pop(key, None) or separate_network(*key, weights)
    _joined[key] = network
    _drop_oldest(_joined, KEPT)
    network.set_weights([array for member in weights for array in member])
    return network


def separate_network(
    config: NetworkConfig, lookback: int, features: int, outputs: int, seeds: Sequence[int], weights: Sequence[Weights]
) -> "keras.Model":
    """The same as an object of its own, which nobody changes."""
    draws = [Random(seed) for seed in seeds]  # noqa: S311 - no secrets
    network = side_by_side([build_network(config, lookback, features, outputs, each) for each in draws])
    network.set_weights([array for member in weights for array in member])
    return network


def _with_dropout(network: "keras.Sequential") -> "list[keras.Layer]":
    return [layer for layer in network.layers if getattr(layer, "rate", 0)]


def _dropout(network: "keras.Sequential") -> list[Any]:
    return [layer.seed_generator.state.numpy() for layer in _with_dropout(network)]


def _drop_oldest(kept: dict[Any, Of], most: int) -> None:
    for oldest in list(kept)[:-most]:
        del kept[oldest]
