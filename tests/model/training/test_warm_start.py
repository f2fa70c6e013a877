"""A start from earlier weights: what is taken over, and what is refused."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pytest

from model.config import PRESETS, ForecasterConfig, NetworkConfig, TrainingConfig
from model.training.fit import train_forecaster
from model.training.warm_start import Past
from tests.lineage import as_parent
from tests.market import make_prices

PRICES = make_prices(120)
STANDS_STILL = {"epochs": 1, "optimizer": "sgd", "learning_rate": 1e-30}
SMALL = ForecasterConfig(
    lookback=5, network=NetworkConfig(units=(4, 3)), training=TrainingConfig(epochs=2, cold_start_every=3)
)


def past(
    generation: int = 0, trained_until: date = PRICES.first, differs: Mapping[str, object] = MappingProxyType({})
) -> Past:
    config = ForecasterConfig.model_validate(SMALL.model_dump() | dict(differs))
    return Past(name="version 7", config=config, trained_until=trained_until, generation=generation)


@pytest.mark.parametrize("members", [1, 2])
def test_a_fit_that_moves_nothing_leaves_the_weights_that_it_started_from(members: int) -> None:
    training = TrainingConfig(epochs=2, members=members)
    first = train_forecaster(PRICES, SMALL.model_copy(update={"training": training}))
    still = SMALL.model_copy(update={"training": TrainingConfig(**STANDS_STILL, members=members, seed=9)})
    second = train_forecaster(PRICES, still, parent=as_parent(first, "the first"))
    np.testing.assert_equal(first.network.get_weights(), second.network.get_weights())
    assert (first.generation, second.generation) == (0, 1)
    assert second.trained_until == PRICES.last


def test_a_lineage_ends_when_a_fresh_start_is_due() -> None:
    assert past(generation=1).refusal(PRICES, SMALL) is None
    assert past(generation=2).refusal(PRICES, SMALL) == (
        "version 7 is of generation 2, and one training in 3 starts afresh"
    )


def test_weights_that_have_seen_the_test_period_are_refused() -> None:
    assert past(trained_until=PRICES.last).refusal(PRICES, SMALL) is None
    assert past(trained_until=PRICES.last).refusal(PRICES.until(PRICES.day(-2)), SMALL) == (
        f"version 7 was fitted on prices up to {PRICES.last}, which reach into the test period: it begins after "
        f"{PRICES.day(-2)}"
    )


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"lookback": 7}, "lookback 7 and not 5"),
        ({"inputs": "changes", "training": {"loss": "pinball"}}, "inputs changes and not level"),
        ({"column": "Close"}, "column Close and not Open"),
        ({"network": {"units": [4]}}, r"network.units (4,) and not (4, 3)"),
        ({"training": {"members": 3}}, "training.members 3 and not 1"),
    ],
)
def test_a_network_of_another_shape_is_refused(differs: dict[str, object], said: str) -> None:
    assert past(differs=differs).refusal(PRICES, SMALL) == f"version 7 does not fit: it has {said}"


def test_another_way_of_fitting_is_no_other_shape() -> None:
    other = {"network": {"units": [4, 3], "dropout": 0.5, "l2": 0.1}, "training": {"epochs": 7, "loss": "huber"}}
    assert past(differs=other).refusal(PRICES, SMALL) is None


@pytest.mark.slow
def test_the_daily_preset_starts_from_weights_that_the_anchored_one_fitted() -> None:
    prices = make_prices(200)
    anchored, daily = (PRESETS[name].model_copy(update={"lookback": 5}) for name in ("anchored", "daily"))
    standing = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1, "patience": None}
    first = train_forecaster(prices, anchored)
    assert any(np.abs(each).max() > 1e-3 for each in first.network.get_weights()[-2:])
    still = daily.model_copy(update={"training": daily.training.model_copy(update=standing)})
    second = train_forecaster(prices, still, parent=as_parent(first, "the first"))
    np.testing.assert_equal(first.network.get_weights(), second.network.get_weights())
    assert second.generation == 1
    # Patience keeps what it started from, if no epoch is better on the windows held back.
    wild = daily.model_copy(update={"training": daily.training.model_copy(update={"learning_rate": 30.0, "epochs": 7})})
    third = train_forecaster(prices, wild, parent=as_parent(first, "the first"))
    np.testing.assert_equal(first.network.get_weights(), third.network.get_weights())
