"""Fitting: reproducible, blind to the test period, and configured as it says."""

import random
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.artifact.market_state import market_state
from model.artifact.recipes import ChangeRecipe
from model.config import EvaluationConfig, ForecasterConfig, NetworkConfig, TrainingConfig, preset
from model.errors import UsageError
from model.evaluation.evaluation import evaluate
from model.evaluation.split import split_prices
from model.forecaster.forecaster import Forecaster
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import make_windows
from model.market.prices import Prices
from model.network.build import build_network
from model.training.compiled import make_optimizer
from model.training.fit import train_forecaster
from model.training.objective import fit_branch
from tests.market import changed_from, make_prices
from tests.project import ROOT

SMALL = ForecasterConfig(lookback=5, network=NetworkConfig(units=(4, 3)), training=TrainingConfig(epochs=2))
SMALL_CHANGES = SMALL.model_copy(
    update={"inputs": "changes", "network": NetworkConfig(units=(6,), dropout=0.0, output_initializer="zeros")}
)
WANTED = EvaluationConfig(test_sessions=20)


def small(**training: Any) -> ForecasterConfig:
    """The small configuration, fitted in another way."""
    return SMALL.model_copy(update={"training": TrainingConfig(**training)})


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
    other = trained(prices, small(epochs=2, seed=1))
    assert one.losses == two.losses
    np.testing.assert_equal(one.network.get_weights(), two.network.get_weights())
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
    np.testing.assert_equal(quiet.network.get_weights(), disturbed.network.get_weights())


# In a process of its own: threads that other tests left behind may draw from Python's global generator, as Keras does.
DRAWS = """
import random
import keras
import numpy as np
from model.config import NetworkConfig
from model.network.build import build_network
config = NetworkConfig(units=(4, 3))
ours = build_network(config, 5, draws=random.Random(7))
keras.utils.set_random_seed(7)
np.testing.assert_equal(ours.get_weights(), build_network(config, 5).get_weights())
"""


def test_a_networks_seeds_are_those_that_keras_would_draw() -> None:
    subprocess.run([sys.executable, "-c", DRAWS], cwd=ROOT, check=True)


def test_changing_the_test_period_moves_no_weight_and_no_earlier_forecast() -> None:
    prices = make_prices(120)
    changed = changed_from(prices, 110)
    one, two = trained(prices), trained(changed)
    assert one.recipe == two.recipe
    np.testing.assert_equal(one.network.get_weights(), two.network.get_weights())
    judged = [
        evaluate(forecaster.predict, split_prices(some, WANTED, 5), "Open")
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
        trained(prices, small(**settings, clip_norm=norm)).network.layers[0].get_weights()[0]
        for norm in (1e-12, 1e-11, 1.0)
    ]
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-9)
    assert np.abs(weights[2] - weights[0]).max() > 1e-6


def test_an_unknown_initialiser_is_refused() -> None:
    with pytest.raises(UsageError, match="glorot_unform"):
        build_network(NetworkConfig(kernel_initializer="glorot_unform"), 5)


def test_the_anchored_preset_starts_as_the_newest_close_and_the_markets_scale() -> None:
    config = preset("anchored")
    assert (config.inputs, config.lookback, config.shrinkage) == ("changes", 20, 0.5)
    assert (config.network.units, config.network.dropout) == ((16,), 0.0)
    training = config.training
    assert (training.loss, training.patience, training.held_back) == ("pinball", 6, 250)
    assert (training.epochs, training.batch_size, training.members) == (16, 64, 3)
    network = build_network(config.network, config.lookback, 5, 2)
    answers = network.predict_on_batch(np.random.default_rng(0).normal(size=(3, 20, 5)).astype(np.float32))
    assert (answers == 0).all()
    # An LSTM has 4 * units * (inputs + units + 1) weights, the dense layer 17 for each of two outputs.
    assert network.count_params() == 4 * 16 * (5 + 16 + 1) + 2 * 17


def test_the_linear_branch_is_fitted_on_the_training_parts_windows_and_kept() -> None:
    prices = make_prices(600)
    config = SMALL_CHANGES.model_copy(update={"training": TrainingConfig(epochs=1, loss="pinball")})
    recipe = train_forecaster(prices, config).recipe
    assert isinstance(recipe, ChangeRecipe)
    bare = fit_recipe(prices, config)
    windows = make_windows(prices, bare)
    known = {name: values[:-1] for name, values in prices.table().items()}
    state = market_state(known, len(windows), float(prices.table()["Date"][-1]), recipe.scale)
    assert recipe.branch == fit_branch(state, windows.targets)
    assert any(weight != 0 for weight in recipe.branch.weights[:5])


@pytest.mark.slow
def test_a_market_that_says_when_it_will_be_wild_is_found_out() -> None:
    """The volume foretells the next session's width by a factor of three: the 95 % intervals follow it."""
    prices = foretold(700)
    config = SMALL_CHANGES.model_copy(
        update={"training": TrainingConfig(epochs=8, learning_rate=0.01, loss="pinball", patience=4, held_back=100)}
    )
    fitted = train_forecaster(prices.rows(0, 600), config)
    widths = []
    for stop in range(600, 700):
        known = prices.rows(0, stop)
        low, high = fitted.predict(known).intervals()[95]
        widths.append(np.log(high / low) / fitted.recipe.scale.at(known.table(), 1)[0])
    loud = prices.column("Volume")[599:699] > 2e6
    assert np.median(np.array(widths)[loud]) > 1.8 * np.median(np.array(widths)[~loud])


def foretold(n: int) -> Prices:
    """Sessions whose moves are wild after a loud one, and calm after a quiet one, at random."""
    rng = np.random.default_rng(4)
    loud = rng.random(n) < 0.5
    size = np.where(np.append(False, loud[:-1]), 0.03, 0.01)
    moves = rng.normal(0, 1, n) * size
    close = 100 * np.exp(np.cumsum(moves))
    open_ = close * np.exp(-0.5 * moves)
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    values = np.column_stack([open_, high, low, close, close, np.where(loud, 4e6, 1e6)])
    return replace(make_prices(n), values=values)


@pytest.mark.slow
def test_early_stopping_ends_the_fit_with_the_best_weights_on_the_windows_held_back() -> None:
    prices = make_prices(160)
    given = {"epochs": 200, "patience": 3, "held_back": 30, "learning_rate": 0.05}
    stopped = trained(prices, small(**given))
    assert 4 <= len(stopped.losses) < 200
    best = len(stopped.losses) - 3
    short = trained(prices, small(**{**given, "epochs": best}))
    np.testing.assert_equal(stopped.network.get_weights(), short.network.get_weights())


@pytest.mark.slow
def test_several_members_answer_with_their_mean_and_count_their_epochs_on() -> None:
    prices, heard = make_prices(120), []
    several = small(epochs=2, members=3, seed=5)
    fitted = train_forecaster(prices, several, [lambda epoch, loss: heard.append((epoch, loss))])
    assert several.training.seeds == (15, 16, 17)
    assert several.training.most_epochs == 6
    assert heard == list(enumerate(fitted.losses, start=1))
    alone = [train_forecaster(prices, small(epochs=2, seed=seed)) for seed in several.training.seeds]
    assert fitted.losses == sum((one.losses for one in alone), ())
    np.testing.assert_allclose(
        fitted.forecast(prices, 4), np.mean([one.forecast(prices, 4) for one in alone], axis=0), rtol=1e-6
    )
