"""What a tuning may change of a preset."""

import pytest

from model.config import PRESETS, ForecasterConfig
from model.errors import UsageError
from model.tuning.space import CHOICES, LEARNING_RATE, space_around, values_of, with_values

ANCHORED = PRESETS["anchored"]


def test_a_base_with_its_own_values_is_the_base() -> None:
    assert with_values(ANCHORED, values_of(ANCHORED)) == ANCHORED


def test_values_change_what_they_name_and_the_number_of_layers_stays() -> None:
    two = ANCHORED.model_copy(update={"network": ANCHORED.network.model_copy(update={"units": (16, 16)})})
    changed = with_values(two, {"network.units": 8, "training.patience": 3, "lookback": 10})
    assert (changed.network.units, changed.training.patience, changed.lookback) == ((8, 8), 3, 10)
    assert changed.training.members == two.training.members
    assert changed.network.output_initializer == "zeros"


def test_the_bases_own_values_are_among_those_that_are_drawn() -> None:
    own = with_values(ANCHORED, {"lookback": 25, "training.patience": None, LEARNING_RATE: 0.05})
    space = space_around(own)
    assert space.choices["lookback"] == (10, 15, 20, 25, 30, 40)
    assert space.choices["training.patience"] == (None, 3, 6, 10)
    assert (space.least_rate, space.largest_rate) == (0.0005, 0.05)
    assert space_around(ANCHORED).choices == CHOICES


@pytest.mark.parametrize(
    ("base", "why"),
    [
        (PRESETS["tutorial"], "it forecasts the price's level"),
        (
            ANCHORED.model_copy(update={"training": ANCHORED.training.model_copy(update={"shared": "both"})}),
            "fitted on many securities",
        ),
        (
            ANCHORED.model_copy(update={"network": ANCHORED.network.model_copy(update={"units": (16, 8)})}),
            "its layers differ in size",
        ),
    ],
)
def test_what_cannot_be_tuned_says_why(base: ForecasterConfig, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        space_around(base)
