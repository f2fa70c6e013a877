"""The seeds of a network's random parts: its fresh weights and its dropout.

Keras draws seeds that are not given from Python's global generator, which every thread uses, Prefect's too: a draw by
another thread between seeding and the last layer would change the network. So the seeds are given here, from a
generator of our own, in the order in which Keras would draw them.
"""

from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Keras's own range.
LARGEST_SEED = 10**9


def seeded(layer: "keras.Layer", draws: Random, kind: "type[keras.Layer] | None" = None) -> "keras.Layer":
    """The same layer, not built yet, with its own seeds; of another `kind`, if given, that takes its configuration."""
    import keras

    from model.artifact.cells import CELLS

    config = layer.get_config()
    _seed(config, draws)
    with keras.saving.custom_object_scope(CELLS):
        return (kind or type(layer)).from_config(config)


def _seed(config: dict[str, Any], draws: Random) -> None:
    for name, value in config.items():
        if name == "seed" and config.get("rate") != 0:  # a dropout of 0 needs no seed
            config[name] = draws.randint(1, LARGEST_SEED)
        elif isinstance(value, dict):
            _seed(value, draws)
