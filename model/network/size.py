"""How large a network is, told from its configuration alone: Keras takes seconds to load."""

from model.config import Cell, ForecasterConfig

# For each cell its blocks of weights, its biases for each unit, and its further weights for each unit.
PARTS: dict[Cell, tuple[int, int, int]] = {
    "simple_rnn": (1, 1, 0),
    "lstm": (4, 4, 0),
    "peephole": (4, 4, 3),
    "coupled": (3, 3, 0),
    "gru": (3, 6, 0),
}
# The numbers that a network sees of a session, and those that it puts out, by its kind of inputs.
ENDS = {"level": (1, 1), "changes": (5, 2)}


def weights_of(config: ForecasterConfig) -> int:
    """The number of weights of one network of a configuration."""
    blocks, biases, further = PARTS[config.network.cell]
    seen, outputs = ENDS[config.inputs]
    count = 0
    for units in config.network.units:
        count += units * (blocks * (seen + units) + biases + further)
        seen = units
    return count + outputs * (seen + 1)


def networks_of(config: ForecasterConfig) -> int:
    """How many networks a configuration's forecast is made with: as many as it has seeds, however many these are."""
    return config.training.members * (2 if config.training.shared == "both" else 1)
