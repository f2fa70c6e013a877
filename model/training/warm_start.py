"""A start from previously fitted weights, and when that is allowed.

The weights are used unchanged, though they were fitted with another scale: a new highest price stretches the range
that is scaled to 0..1 by some per cent from one training to the next. Inputs and output of the network have the same
units, so both shrink together, and the first epochs correct the rest.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from model.config import ForecasterConfig, NetworkConfig
from model.market.prices import Prices
from model.network.build import members

if TYPE_CHECKING:
    import keras

Weights = tuple[npt.NDArray[Any], ...]

# How weights start and are regularised: networks that differ only in these have the same shape.
NO_SHAPE = {"dropout", "kernel_initializer", "recurrent_initializer", "output_initializer", "l1", "l2"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """The origin of a fitted network, as far as it matters for a start from it.

    name:          the version's name, such as `META-Open version 3`
    trained_until: the last session that it, or any network before it in the lineage, was fitted on
    generation:    0 for a network fitted from fresh weights, 1 for one that started from such a network, ...
    """

    name: str
    config: ForecasterConfig
    trained_until: date
    generation: int = 0

    def refusal(self, train: Prices, config: ForecasterConfig) -> str | None:
        """Why a fit on `train` may not start from it; None if it may."""
        every = config.training.cold_start_every
        if self.generation + 1 >= every:
            return f"{self.name} is of generation {self.generation}, and one training in {every} starts afresh"
        if self.trained_until > train.last:
            return (
                f"{self.name} was fitted on prices up to {self.trained_until}, which reach into the test period: it "
                f"begins after {train.last}"
            )
        pairs = zip(shape(self.config), shape(config), strict=True)
        differs = [f"{name} {there} and not {here}" for (name, there), (_, here) in pairs if there != here]
        return f"{self.name} does not fit: it has {', '.join(differs)}" if differs else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parent:
    """A fitted network from which another one starts.

    weights: of each member, in Keras's order
    """

    past: Past
    weights: tuple[Weights, ...]


def shape(config: ForecasterConfig) -> list[tuple[str, object]]:
    """The settings that must be equal for weights of one configuration to be usable in another."""
    names = [name for name in NetworkConfig.model_fields if name not in NO_SHAPE]
    return [
        ("column", config.column),
        ("inputs", config.inputs),
        ("lookback", config.lookback),
        ("training.members", config.training.members),
        ("training.shared", config.training.shared),
        *((f"network.{name}", getattr(config.network, name)) for name in names),
    ]


def member_weights(network: "keras.Model") -> tuple[Weights, ...]:
    """The weights of each member of a forecaster's network."""
    return tuple(tuple(member.get_weights()) for member in members(network))
