"""A start from weights that were fitted before: what may be started from, and what may not.

The weights are taken as they are, though the scale they were fitted with was another: a new highest price of the
training part stretches the range of 0 to 1, by some per cent from one training to the next. The network answers with
a level in the same units as its inputs, so both shrink together, and the first epochs take up what is left.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from model.config import ForecasterConfig, NetworkConfig
from model.market.prices import Prices

if TYPE_CHECKING:
    import keras

Weights = tuple[npt.NDArray[Any], ...]

# How weights are made and held in check while they are fitted: two networks may differ in it and still be of one shape.
NO_SHAPE = {"dropout", "kernel_initializer", "recurrent_initializer", "output_initializer", "l1", "l2"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """What a fitted network came from, as far as it matters to whoever starts from it.

    name:          what it is called, such as `META-Open version 3`
    trained_until: the last session that it, or any network before it in the lineage, was fitted on
    generation:    0 for a network that was fitted from the beginning, 1 for one that started from such a one, ...
    """

    name: str
    config: ForecasterConfig
    trained_until: date
    generation: int = 0

    def refusal(self, train: Prices, config: ForecasterConfig) -> str | None:
        """Why a fit on `train` must not start from it; None where it may."""
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
    """A fitted network as another one's beginning.

    weights: of each member, in Keras's order
    """

    past: Past
    weights: tuple[Weights, ...]


def shape(config: ForecasterConfig) -> list[tuple[str, object]]:
    """What decides whether weights of one configuration mean the same in another."""
    network = [(f"network.{name}", getattr(config.network, name)) for name in NetworkConfig.model_fields]
    return [
        ("column", config.column),
        ("inputs", config.inputs),
        ("lookback", config.lookback),
        ("training.members", config.training.members),
        *((name, value) for name, value in network if name.removeprefix("network.") not in NO_SHAPE),
    ]


def member_weights(network: "keras.Model", members: int) -> tuple[Weights, ...]:
    """The weights of each member of a forecaster's network, as `model.network.build.side_by_side` put them together."""
    parts = [network] if members == 1 else [network.get_layer(f"member_{i}") for i in range(members)]
    return tuple(tuple(part.get_weights()) for part in parts)
