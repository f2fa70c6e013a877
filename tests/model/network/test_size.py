"""The number of weights, told without Keras, is the number that Keras makes."""

from typing import get_args

import pytest

from model.config import PRESETS, Cell, NetworkConfig
from model.network.build import build_network
from model.network.size import ENDS, networks_of, weights_of


@pytest.mark.slow
@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("preset", ["tutorial", "anchored"])
def test_it_is_as_keras_counts_it(cell: Cell, preset: str) -> None:
    config = PRESETS[preset].model_copy(update={"network": NetworkConfig(cell=cell, units=(5, 3))})
    seen, outputs = ENDS[config.inputs]
    assert weights_of(config) == build_network(config.network, 4, seen, outputs).count_params()


def test_those_of_anchored_are_known() -> None:
    # Four blocks of 16 units, which see 5 numbers and each other, and a bias; then two outputs.
    assert weights_of(PRESETS["anchored"]) == 4 * 16 * (5 + 16 + 1) + 2 * (16 + 1)


def test_the_networks_are_as_many_as_their_seeds() -> None:
    for shared in ("own", "shared", "both"):
        training = PRESETS["anchored"].training.model_copy(update={"shared": shared})
        assert networks_of(PRESETS["anchored"].model_copy(update={"training": training})) == len(training.seeds)
    many = PRESETS["anchored"].training.model_copy(update={"members": 10**15})
    assert networks_of(PRESETS["anchored"].model_copy(update={"training": many})) == 10**15
