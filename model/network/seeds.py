"""The seeds of a network's random parts: its fresh weights and its dropout.

Keras draws those that are not given from Python's global generator. Any thread draws from that, Prefect's among them:
between the moment it is seeded and the last layer, somebody else's draw would make another network. So they are given
here, from a generator of one's own, in the order in which Keras would draw them.
"""

from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Keras's own range.
LARGEST_SEED = 10**9


def seeded(layer: "keras.Layer", draws: Random, kind: "type[keras.Layer] | None" = None) -> "keras.Layer":
    """The same layer, not built yet, with seeds of its own; of another `kind` that takes the same configuration."""
    import keras

    from model.artifact.cells import CELLS

    config = layer.get_config()
    _seed(config, draws)
    with keras.saving.custom_object_scope(CELLS):
        return (kind or type(layer)).from_config(config)


def _seed(config: dict[str, Any], draws: Random) -> None:
    for name, value in config.items():
        if name == "seed" and config.get("rate") != 0:  # a dropout of nothing needs none
            config[name] = draws.randint(1, LARGEST_SEED)
        elif isinstance(value, dict):
            _seed(value, draws)
