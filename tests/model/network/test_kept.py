"""Networks that are kept: the same as one newly made, to the last digit."""

from random import Random

import numpy as np
import pytest

from model.config import NetworkConfig
from model.network.build import build_network, side_by_side
from model.network.kept import fresh_network, joined_network

NETWORKS = [NetworkConfig(units=(4,), dropout=0.0), NetworkConfig(cell="gru", units=(3, 2), dropout=0.3)]


@pytest.mark.parametrize("config", NETWORKS)
def test_a_kept_network_begins_as_a_new_one_of_its_seed(config: NetworkConfig) -> None:
    for seed in (3, 4, 3):
        draws = Random(seed)
        made = build_network(config, 6, 5, 2, draws)
        network, after = fresh_network(config, 6, 5, 2, seed)
        np.testing.assert_equal(network.get_weights(), made.get_weights())
        assert after.random() == draws.random()
        network.set_weights([array + 1 for array in network.get_weights()])  # as a fit does


@pytest.mark.parametrize("config", NETWORKS)
def test_several_joined_answer_as_those_that_were_newly_joined(config: NetworkConfig) -> None:
    windows = np.random.default_rng(0).normal(size=(3, 6, 5)).astype(np.float32)
    answers = []
    for seed in (0, 7):
        made = [build_network(config, 6, 5, 2, Random(seed + member)) for member in range(2)]
        weights = [tuple(network.get_weights()) for network in made]
        kept = joined_network(config, 6, 5, 2, (0, 1), weights)
        np.testing.assert_array_equal(kept.predict_on_batch(windows), side_by_side(made).predict_on_batch(windows))
        answers.append(kept)
    assert answers[0] is answers[1]
