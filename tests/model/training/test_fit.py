"""Fitting: reproducible, blind to the test period, and configured as it says."""

import random
import threading

import numpy as np
import pytest

from model.config import EvaluationConfig, ForecasterConfig, NetworkConfig, TrainingConfig, preset
from model.errors import UsageError
from model.evaluation.evaluation import evaluate
from model.evaluation.split import split_prices
from model.forecaster.forecaster import Forecaster
from model.market.prices import Prices
from model.network.build import build_network
from model.training.compiled import make_optimizer
from model.training.fit import train_forecaster
from tests.market import changed_from, make_prices

SMALL = ForecasterConfig(lookback=5, network=NetworkConfig(units=(4, 3)), training=TrainingConfig(epochs=2))
WANTED = EvaluationConfig(test_sessions=20)


def trained(prices: Prices, config: ForecasterConfig = SMALL) -> Forecaster:
    return train_forecaster(split_prices(prices, WANTED, config.lookback).train, config)


def test_the_tutorials_preset_is_the_tutorials_network() -> None:
    network = build_network(preset("tutorial").network, preset("tutorial").lookback)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["LSTM", "Dropout"] * 4 + ["Dense"]
    assert [layer.units for layer in network.layers if type(layer).__name__ == "LSTM"] == [45] * 4
    assert {layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"} == {0.2}
    # An LSTM has 4 * units * (inputs + units + 1) weights; three of them see 45 inputs, and the dense layer 45.
    assert network.count_params() == 4 * 45 * (1 + 45 + 1) + 3 * 4 * 45 * (45 + 45 + 1) + 46
    training = preset("tutorial").training
    assert (training.optimizer, training.loss) == ("adam", "mean_squared_error")
    assert (training.epochs, training.batch_size, preset("tutorial").lookback) == (100, 32, 40)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    prices = make_prices(120)
    one, two = trained(prices), trained(prices)
    other = trained(prices, SMALL.model_copy(update={"training": TrainingConfig(epochs=2, seed=1)}))
    assert one.losses == two.losses
    for first, second in zip(one.network.get_weights(), two.network.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert one.losses != other.losses


@pytest.mark.slow
def test_other_threads_that_draw_random_numbers_change_no_weight() -> None:
    prices, stop = make_prices(120), threading.Event()

    def draw() -> None:
        while not stop.is_set():
            random.random()

    quiet = trained(prices)
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        disturbed = trained(prices)
    finally:
        stop.set()
        thread.join()
    for first, second in zip(quiet.network.get_weights(), disturbed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_networks_seeds_are_those_that_keras_would_draw() -> None:
    import keras

    config = NetworkConfig(units=(4, 3))
    ours = build_network(config, 5, draws=random.Random(7))
    keras.utils.set_random_seed(7)
    for first, second in zip(ours.get_weights(), build_network(config, 5).get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_changing_the_test_period_moves_no_weight_and_no_earlier_forecast() -> None:
    prices = make_prices(120)
    changed = changed_from(prices, 110)
    one, two = trained(prices), trained(changed)
    assert one.recipe == two.recipe
    for first, second in zip(one.network.get_weights(), two.network.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    judged = [
        evaluate(forecaster.forecast, split_prices(some, WANTED, 5), "Open")
        for forecaster, some in ((one, prices), (two, changed))
    ]
    # The forecast for row 110 is the last that was made without any changed price.
    np.testing.assert_array_equal(judged[0].forecast[:11], judged[1].forecast[:11])
    assert (judged[0].forecast[11:] != judged[1].forecast[11:]).all()


def test_a_forecast_does_not_depend_on_how_many_are_made_beside_it() -> None:
    prices = make_prices(120)
    forecaster = trained(prices)
    together = forecaster.forecast(prices, 10)
    alone = [forecaster.forecast(prices.until(prices.day(row)))[0] for row in range(110, 120)]
    np.testing.assert_array_equal(together, alone)


def test_the_watchers_hear_of_every_epoch() -> None:
    prices, heard = make_prices(120), []
    forecaster = train_forecaster(prices, SMALL, [lambda epoch, loss: heard.append((epoch, loss))])
    assert heard == list(enumerate(forecaster.losses, start=1))


def test_the_remedies_for_gradients_reach_the_network_and_the_optimiser() -> None:
    config = SMALL.model_copy(
        update={
            "network": NetworkConfig(units=(3,), kernel_initializer="he_normal", l1=0.01, l2=0.02),
            "training": TrainingConfig(epochs=1, clip_norm=0.5, learning_rate=0.01),
        }
    )
    network = trained(make_prices(60), config).network
    layer = network.layers[0]
    assert type(layer.kernel_initializer).__name__ == "HeNormal"
    assert (float(layer.kernel_regularizer.l1), float(layer.kernel_regularizer.l2)) == pytest.approx((0.01, 0.02))
    optimizer = make_optimizer(config.training)
    assert optimizer.clipnorm == 0.5
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.slow
def test_a_gradient_that_is_clipped_to_nearly_nothing_moves_no_weight() -> None:
    prices = make_prices(60)
    settings = {"epochs": 1, "optimizer": "sgd", "learning_rate": 0.01}
    weights = [
        trained(prices, SMALL.model_copy(update={"training": TrainingConfig(**settings, clip_norm=norm)}))
        .network.layers[0]
        .get_weights()[0]
        for norm in (1e-12, 1e-11, 1.0)
    ]
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-9)
    assert np.abs(weights[2] - weights[0]).max() > 1e-6


def test_an_unknown_initialiser_is_refused() -> None:
    with pytest.raises(UsageError, match="glorot_unform"):
        build_network(NetworkConfig(kernel_initializer="glorot_unform"), 5)


def test_the_anchored_preset_starts_as_the_newest_close() -> None:
    config = preset("anchored")
    assert (config.inputs, config.lookback, config.shrinkage) == ("changes", 20, 0.5)
    assert (config.training.loss, config.training.patience, config.training.held_back) == ("huber", 10, 250)
    network = build_network(config.network, config.lookback, 5)
    answers = network.predict_on_batch(np.random.default_rng(0).normal(size=(3, 20, 5)).astype(np.float32))
    assert (answers == 0).all()


@pytest.mark.slow
def test_early_stopping_ends_the_fit_with_the_best_weights_on_the_windows_held_back() -> None:
    prices = make_prices(160)
    given = {"epochs": 200, "patience": 3, "held_back": 30, "learning_rate": 0.05}
    stopped = trained(prices, SMALL.model_copy(update={"training": TrainingConfig(**given)}))
    assert 4 <= len(stopped.losses) < 200
    best = len(stopped.losses) - 3
    short = trained(prices, SMALL.model_copy(update={"training": TrainingConfig(**{**given, "epochs": best})}))
    for first, second in zip(stopped.network.get_weights(), short.network.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_a_recentred_network_differs_in_its_bias_alone_and_errs_by_nothing_on_average_on_the_newest_windows() -> None:
    prices = make_prices(120)
    plain, recentred = (
        train_forecaster(prices, SMALL.model_copy(update={"training": TrainingConfig(epochs=2, recentre=newest)}))
        for newest in (None, 7)
    )
    known = prices.until(prices.day(-2))
    errors = [prices.column("Open")[-7:] - one.forecast(known, 7) for one in (plain, recentred)]
    assert abs(errors[0].mean()) > 0.1
    assert errors[1].mean() == pytest.approx(0, abs=1e-3)
    assert np.ptp(errors[0] - errors[1]) == pytest.approx(0, abs=1e-3)
    assert plain.losses == recentred.losses


@pytest.mark.slow
def test_several_members_answer_with_their_mean_and_count_their_epochs_on() -> None:
    prices, heard = make_prices(120), []
    several = SMALL.model_copy(update={"training": TrainingConfig(epochs=2, members=3, seed=5)})
    fitted = train_forecaster(prices, several, [lambda epoch, loss: heard.append((epoch, loss))])
    assert several.training.seeds == (15, 16, 17)
    assert several.training.most_epochs == 6
    assert heard == list(enumerate(fitted.losses, start=1))
    alone = [
        train_forecaster(prices, SMALL.model_copy(update={"training": TrainingConfig(epochs=2, seed=seed)}))
        for seed in several.training.seeds
    ]
    assert fitted.losses == sum((one.losses for one in alone), ())
    np.testing.assert_allclose(
        fitted.forecast(prices, 4), np.mean([one.forecast(prices, 4) for one in alone], axis=0), rtol=1e-6
    )
