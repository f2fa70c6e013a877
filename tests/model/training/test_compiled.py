"""What a fit leaves for the next one of the same shape: time saved, and not a digit changed."""

import numpy as np
import pytest

from model.config import ForecasterConfig, NetworkConfig, TrainingConfig
from model.forecaster.forecaster import Forecaster
from model.training import compiled
from model.training.fit import train_forecaster
from tests.market import make_prices

pytestmark = pytest.mark.slow

CONFIG = ForecasterConfig(
    lookback=6,
    network=NetworkConfig(units=(4, 3), dropout=0.2, l2=0.001),
    training=TrainingConfig(epochs=4, batch_size=16, patience=2, held_back=20, seed=3),
)
PRICES, OTHERS = make_prices(120), make_prices(120, seed=8)


@pytest.fixture(autouse=True)
def _alone(on_tensorflow: None) -> None:  # noqa: ARG001 - only TensorFlow traces what is kept
    compiled._kept.clear()


def kept() -> list[compiled.Trainable]:
    return list(compiled._kept.values())


def weights(fitted: Forecaster) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [np.array(each) for each in fitted.network.get_weights()]


def same(one: Forecaster, other: Forecaster) -> bool:
    return all(np.array_equal(*pair) for pair in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize(("seed", "cleared"), [(3, False), (4, False), (4, True)])
def test_a_fit_after_another_of_its_shape_comes_to_the_digits_of_one_by_itself(seed: int, cleared: bool) -> None:
    import keras

    config = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"seed": seed})})
    alone = train_forecaster(OTHERS, config)
    compiled._kept.clear()
    first = train_forecaster(PRICES, CONFIG)
    (before,), theirs = kept(), weights(first)
    if cleared:  # as a backtest does between two fits
        keras.backend.clear_session()
    second = train_forecaster(OTHERS, config)
    assert kept() == [before]
    assert second.losses == alone.losses
    assert same(second, alone)
    assert not same(second, first)
    assert all(np.array_equal(*pair) for pair in zip(weights(first), theirs, strict=True))


def test_members_share_one_trained_form_and_keep_their_own_seeds() -> None:
    members = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"members": 2, "seed": 5})})
    together = train_forecaster(PRICES, members)
    assert len(kept()) == 1
    alone: tuple[float, ...] = ()
    for seed in members.training.seeds:
        compiled._kept.clear()
        one = CONFIG.training.model_copy(update={"seed": seed})
        alone += train_forecaster(PRICES, CONFIG.model_copy(update={"training": one})).losses
    assert together.losses == alone


@pytest.mark.parametrize(
    "changed",
    [
        {"training": CONFIG.training.model_copy(update={"learning_rate": 0.01})},
        {"training": CONFIG.training.model_copy(update={"clip_norm": 0.5})},
        {"network": CONFIG.network.model_copy(update={"dropout": 0.3})},
        {"network": CONFIG.network.model_copy(update={"l2": 0.0})},
        {"lookback": 7},
    ],
)
def test_a_fit_of_another_shape_takes_nothing_over(changed: dict[str, object]) -> None:
    train_forecaster(PRICES, CONFIG)
    (before,) = kept()
    train_forecaster(PRICES, CONFIG.model_copy(update=changed))
    (after,) = kept()
    assert after is not before
