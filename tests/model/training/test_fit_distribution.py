"""Fitting a distribution: the compiled program comes to what Keras itself comes to, and the best weights are kept."""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from model.config import PRESETS, Cell, ForecasterConfig, NetworkConfig, TrainingConfig
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.network.build import build_network
from model.training import epochs as by_keras_or_compiled
from model.training import fit_distribution as fitting
from model.training.fit_distribution import fit_distribution, fitted_on
from model.training.objective import Pinball
from tests.market import make_prices

if TYPE_CHECKING:
    import keras

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("on_tensorflow")]

LOOKBACK = 5
NETWORK = NetworkConfig(units=(4,), dropout=0.0)
TRAINING = TrainingConfig(epochs=3, batch_size=32, learning_rate=0.01, loss="pinball")
Weights = list[npt.NDArray[Any]]


@pytest.fixture(autouse=True)
def _alone(on_tensorflow: None) -> None:  # noqa: ARG001 - only TensorFlow compiles what is kept
    from model.training import epoch_program

    epoch_program._kept.clear()


def windows_of(n: int, seed: int = 0) -> Windows:
    """So many windows, with offsets as a linear branch would make them."""
    config = ForecasterConfig.model_validate(
        {"inputs": "changes", "lookback": LOOKBACK, "training": {"loss": "pinball"}}
    )
    prices = make_prices(n + LOOKBACK + 40, seed)
    windows = make_windows(prices, fit_recipe(prices, config))
    offsets = np.random.default_rng(seed).normal(0, 0.2, n).astype(np.float32)
    return replace(windows, offsets=offsets)


def fresh(network: NetworkConfig, seed: int) -> "tuple[keras.Sequential, Random]":
    import keras

    keras.utils.set_random_seed(seed)
    draws = Random(seed)
    return build_network(network, LOOKBACK, 5, 2, draws), draws


def fitted(
    windows: Windows, network: NetworkConfig = NETWORK, training: TrainingConfig = TRAINING, seed: int = 7
) -> tuple[tuple[float, ...], Weights]:
    built, draws = fresh(network, seed)
    course = fit_distribution(built, windows, training, seed, draws, lambda *_: None)
    return course.training, built.get_weights()


def assert_same(one: tuple[tuple[float, ...], Weights], other: tuple[tuple[float, ...], Weights]) -> None:
    assert one[0] == other[0]
    np.testing.assert_equal(one[1], other[1])


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (NETWORK, {}),
        (NetworkConfig(units=(4, 3), dropout=0.0, l2=0.01), {"clip_norm": 0.05}),
        (NetworkConfig(cell="gru", units=(3,), dropout=0.0), {"optimizer": "rmsprop"}),
        (NetworkConfig(cell="coupled", units=(3,), dropout=0.0, l1=0.001), {"optimizer": "sgd"}),
    ],
)
def test_the_compiled_program_comes_to_what_keras_comes_to(
    network: NetworkConfig, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    windows, training = windows_of(100), TRAINING.model_copy(update=changes)
    losses, weights = fitted(windows, network, training)
    monkeypatch.setattr(by_keras_or_compiled, "fuses", lambda: False)
    theirs, their_weights = fitted(windows, network, training)
    np.testing.assert_allclose(losses, theirs, rtol=1e-5)
    start = fresh(network, 7)[0].get_weights()
    for one, other, before in zip(weights, their_weights, start, strict=True):
        assert np.abs(other - before).max() > 1e-4  # they have moved
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("n", [511, 512, 513])
def test_padded_rows_change_nothing(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.training import epoch_program

    monkeypatch.setattr(epoch_program, "PADDED_TO", 512)
    windows, training = windows_of(n), TRAINING.model_copy(update={"epochs": 1, "batch_size": 64})
    losses, weights = fitted(windows, training=training)
    assert len(epoch_program._kept) == 1
    monkeypatch.setattr(by_keras_or_compiled, "fuses", lambda: False)
    theirs, their_weights = fitted(windows, training=training)
    np.testing.assert_allclose(losses, theirs, rtol=1e-5)
    for one, other in zip(weights, their_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_what_stands_in_padded_rows_is_never_looked_at() -> None:
    import tensorflow as tf

    from model.training.epoch_program import PADDED_TO, EpochProgram

    windows, order = windows_of(100), np.arange(100)
    came_to = []
    for padding in (0.0, np.nan):
        program = EpochProgram(*(fresh(NETWORK, 3)[0], windows, TRAINING, Random(3)))
        *arrays, quantiles = program.give(windows, Pinball.of(windows.targets))
        assert {array.shape[0] for array in arrays} == {PADDED_TO}
        padded = [array.numpy() for array in arrays]
        for array in padded:
            array[100:] = padding
        loss = program.epoch((*(tf.constant(array) for array in padded), quantiles), order)
        came_to.append(((loss,), program.form.get_weights()))
    assert_same(*came_to)


@pytest.mark.parametrize(
    "network",
    [
        NetworkConfig(units=(4,), dropout=0.3),
        NetworkConfig(units=(4, 3), dropout=0.2),
        NetworkConfig(cell="gru", units=(3,), dropout=0.2),
    ],
)
def test_a_fit_after_another_of_its_shape_comes_to_the_digits_of_one_by_itself(
    network: NetworkConfig,
) -> None:
    import keras

    from model.training import epoch_program

    training = TRAINING.model_copy(update={"epochs": 2})
    alone = fitted(windows_of(90, seed=8), network, training, seed=2)
    epoch_program._kept.clear()
    first = fitted(windows_of(110), network, training)
    (program,) = epoch_program._kept.values()
    keras.backend.clear_session()  # as a backtest does between two fits
    assert_same(fitted(windows_of(90, seed=8), network, training, seed=2), alone)
    assert list(epoch_program._kept.values()) == [program]
    assert first[0] != alone[0]


def test_programs_of_the_shapes_used_last_are_kept_and_no_more() -> None:
    from model.training import epoch_program

    windows = windows_of(60)
    kept = []
    for units in range(1, epoch_program.KEPT + 2):
        fitted(windows, NetworkConfig(units=(units,), dropout=0.0), TRAINING.model_copy(update={"epochs": 1}))
        kept.append(list(epoch_program._kept))
    assert [len(each) for each in kept] == [*range(1, epoch_program.KEPT + 1), epoch_program.KEPT]
    assert kept[-1][:-1] == kept[-2][1:]
    fitted(windows, NetworkConfig(units=(2,), dropout=0.0), TRAINING.model_copy(update={"epochs": 1}))
    assert list(epoch_program._kept) == [*kept[-1][1:], kept[-1][0]]


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (NetworkConfig(units=(4,), dropout=0.1), {}),
        (NETWORK, {"learning_rate": 0.02}),
        (NETWORK, {"batch_size": 16}),
        (NETWORK, {"clip_value": 0.1}),
    ],
)
def test_a_fit_of_another_shape_takes_nothing_over(network: NetworkConfig, changes: dict[str, object]) -> None:
    from model.training import epoch_program

    windows = windows_of(60)
    fitted(windows, training=TRAINING.model_copy(update={"epochs": 1}))
    fitted(windows, network, TRAINING.model_copy(update={"epochs": 1, **changes}))
    assert len(epoch_program._kept) == 2


class Recorded:
    """In place of what fits: it notes the orders, and gives the weights that it is told to."""

    def __init__(self, network: "keras.Sequential", given: list[float], windows: Windows) -> None:
        self.orders: list[list[int]] = []
        self.ended = False
        self._start, self._given, self._windows = network.get_weights(), given, windows

    def run(self, order: npt.NDArray[np.int64]) -> float:
        self.orders.append(order.tolist())
        return abs(self._given[len(self.orders) - 1])

    def judge(self, first: int) -> float:
        bias = self._given[len(self.orders) - 1] if self.orders else 0.0
        targets, offsets = self._windows.targets, self._windows.offsets
        return Pinball.of(targets).mean(targets[first:], offsets[first:], np.full((len(targets) - first, 2), bias))

    def weights(self) -> Weights:
        return [*self._start[:-1], np.full(2, self._given[len(self.orders) - 1], np.float32)]

    def end(self) -> None:
        self.ended = True


def recorded(
    monkeypatch: pytest.MonkeyPatch, windows: Windows, training: TrainingConfig, given: list[float], seed: int = 5
) -> tuple[Recorded, Weights]:
    """A fit whose output bias, both numbers of it, is after each epoch what is given, from a start at zero."""
    network, draws = fresh(NetworkConfig(units=(2,), dropout=0.0, output_initializer="zeros"), 0)
    epochs = Recorded(network, given, windows)
    monkeypatch.setattr(fitting, "begin", lambda *_: epochs)
    fit_distribution(network, windows, training, seed, draws, lambda *_: None)
    return epochs, network.get_weights()


def test_each_epoch_has_an_order_of_its_own_that_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    windows, training = windows_of(50), TRAINING.model_copy(update={"epochs": 4})
    one, again, other = (recorded(monkeypatch, windows, training, [0.0] * 4, seed)[0] for seed in (5, 5, 6))
    assert all(sorted(order) == list(range(50)) for order in one.orders)
    assert len({tuple(order) for order in (*one.orders, *other.orders)}) == 8
    assert one.orders == again.orders
    assert one.ended


# The windows held back have changes of nothing around nothing: any bias of the output is worse than none.
GIVEN = [0.3, 0.1, 0.2, 0.2, 0.05, 0.05]


@pytest.mark.parametrize(
    ("given", "patience", "epochs", "kept"),
    [
        (GIVEN, 2, 2, 0.0),  # never better than the start
        ([-0.3, -0.1, 0.2, 0.2, 0.05, 0.05], 9, 6, None),
    ],
)
def test_patience_keeps_the_best_weights_those_of_the_start_among_them(
    given: list[float], patience: int, epochs: int, kept: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = windows_of(80)
    targets = windows.targets.copy()
    targets[60:] = 0
    windows = replace(windows, targets=targets)
    training = TRAINING.model_copy(update={"epochs": len(given), "patience": patience, "held_back": 20})
    assert fitted_on(windows, training) == 60
    made, weights = recorded(monkeypatch, windows, training, given)
    assert len(made.orders) == epochs
    assert {len(order) for order in made.orders} == {60}
    loss = Pinball.of(targets)

    def judged(bias: float) -> float:
        return loss.mean(targets[60:], windows.offsets[60:], np.full((20, 2), bias))

    best = min((0.0, *given[:epochs]), key=judged)
    np.testing.assert_allclose(weights[-1], best, rtol=1e-6)
    if kept is not None:
        assert best == kept


def test_patience_waits_for_so_many_epochs_without_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    windows, training = windows_of(3), TRAINING.model_copy(update={"epochs": 9, "patience": 2})
    assert fitted_on(windows, training) == 3  # too few to hold any back: the loss itself is watched
    made, weights = recorded(monkeypatch, windows, training, [0.5, 0.4, 0.45, 0.3, 0.6, 0.3, 0.1, 0.1, 0.1])
    assert len(made.orders) == 6
    np.testing.assert_allclose(weights[-1], 0.3)


def test_without_patience_the_newest_weights_stay_and_nothing_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = windows_of(40)
    made, weights = recorded(monkeypatch, windows, TRAINING, [0.5, 0.1, 0.4])
    np.testing.assert_allclose(weights[-1], 0.4)
    assert {len(order) for order in made.orders} == {40}


@pytest.mark.parametrize(("n", "left"), [(2000, 1750), (1000, 750), (400, 300), (3, 3)])
def test_a_quarter_is_held_back_at_most(n: int, left: int) -> None:
    held_back = TrainingConfig(patience=1, loss="pinball")
    values = np.zeros(n, np.float32)
    windows = Windows(
        inputs=np.zeros((n, 1, 1), np.float32),
        targets=values,
        offsets=values,
        sessions=np.arange(n).astype("datetime64[D]"),
    )
    assert fitted_on(windows, held_back) == left


@pytest.mark.parametrize("cell", ["lstm", "simple_rnn"])
def test_a_fit_makes_the_loss_smaller(cell: Cell) -> None:
    losses, _ = fitted(windows_of(200), NetworkConfig(cell=cell, units=(4,), dropout=0.0))
    assert losses[-1] < losses[0]


def test_the_anchored_preset_is_fitted_by_the_program_of_its_first_member() -> None:
    from model.training import epoch_program
    from model.training.fit import train_forecaster

    anchored = PRESETS["anchored"]
    config = anchored.model_copy(
        update={"lookback": 5, "training": anchored.training.model_copy(update={"epochs": 2, "patience": None})}
    )
    train_forecaster(make_prices(150), config)
    assert len(epoch_program._kept) == 1
