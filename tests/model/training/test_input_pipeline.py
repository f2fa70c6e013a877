"""Windows cut inside the network are the windows, batches are Keras's own, and a fit on them is the same fit."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.config import PRESETS, NetworkConfig, TrainingConfig
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.network.build import build_network
from model.training.compiled import make_optimizer
from model.training.fit import fit
from tests.market import make_prices

PRICES = make_prices(150)
LOOKBACK = 6
BATCH = 16


def windows_of(preset: str) -> Windows:
    config = PRESETS[preset].model_copy(update={"lookback": LOOKBACK})
    return make_windows(PRICES, fit_recipe(PRICES, config))


@pytest.mark.parametrize("preset", ["tutorial", "anchored"])
def test_the_windows_are_those_that_were_given(preset: str) -> None:
    import keras

    from model.training.input_pipeline import on_rows

    windows = windows_of(preset)
    unchanged, rows = on_rows(keras.Sequential([keras.layers.Identity()]), windows)
    np.testing.assert_array_equal(unchanged.predict_on_batch(rows), windows.inputs)


@pytest.mark.usefixtures("on_tensorflow")
@pytest.mark.parametrize("preset", ["tutorial", "anchored"])
def test_the_weights_are_those_of_a_fit_on_the_windows_themselves(preset: str) -> None:
    import keras

    from model.training.fused import fused_twin

    windows, config = windows_of(preset), TrainingConfig(epochs=3, batch_size=16)
    weights = []
    for on_windows in (False, True):
        keras.utils.set_random_seed(0)
        draws = Random(0)
        network = build_network(NetworkConfig(units=(4, 3)), LOOKBACK, windows.inputs.shape[-1], draws=draws)
        if on_windows:
            network = fused_twin(network, draws)
            network.compile(optimizer=make_optimizer(config), loss=config.loss)
            network.fit(windows.inputs, windows.targets, batch_size=16, epochs=3, verbose=0)
        else:
            fit(network, windows, config, draws, lambda *_: None)
        weights.append(network.get_weights())
    np.testing.assert_equal(*weights)


def arrays(n: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    return np.arange(n, dtype=np.int32)[:, np.newaxis], (0.1 * np.arange(n)).astype(np.float32)


def batches(dataset: Any) -> list[tuple[list[int], list[float]]]:
    return [(rows[:, 0].tolist(), targets.tolist()) for rows, targets in dataset.as_numpy_iterator()]


@pytest.mark.usefixtures("on_tensorflow")
def test_every_row_is_given_once_with_its_target_in_an_order_that_the_seed_decides() -> None:
    import keras

    from model.training.input_pipeline import to_fit

    rows, targets = arrays(70)
    drawn = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        drawn.append(batches(to_fit(rows, targets, BATCH)["x"]))
    for one in drawn:
        assert [len(numbers) for numbers, _ in one] == [16, 16, 16, 16, 6]
        pairs = sorted((row, target) for both in one for row, target in zip(*both, strict=True))
        assert pairs == list(zip(range(70), targets.tolist(), strict=True))
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.usefixtures("on_tensorflow")
def test_what_is_judged_on_keeps_its_order() -> None:
    from model.training.input_pipeline import to_judge

    flat = [row for numbers, _ in batches(to_judge(*arrays(70), BATCH)) for row in numbers]
    assert flat == list(range(70))


@pytest.mark.slow
@pytest.mark.usefixtures("on_tensorflow")
@pytest.mark.parametrize("n", [64, 70, 10])
def test_a_fit_comes_to_the_digits_that_keras_comes_to_with_arrays(n: int) -> None:
    from model.training.input_pipeline import to_fit, to_judge

    rows, targets = arrays(n)
    ours = _losses(
        lambda: {**to_fit(rows, targets, BATCH), "validation_data": to_judge(rows[:20], targets[:20], BATCH)}
    )
    theirs = _losses(
        lambda: {"x": rows, "y": targets, "batch_size": BATCH, "validation_data": (rows[:20], targets[:20])}
    )
    assert ours == theirs


@pytest.mark.usefixtures("on_tensorflow")
def test_nothing_tunes_how_batches_are_made() -> None:
    from model.training.input_pipeline import to_fit, to_judge

    for dataset in (to_fit(*arrays(70), BATCH)["x"], to_judge(*arrays(70), BATCH)):
        assert dataset.options().autotune.enabled is False


def _losses(fed: Callable[[], dict[str, Any]]) -> dict[str, list[float]]:
    """Of four epochs, whose last digits tell one order of batches from another."""
    import keras

    keras.utils.set_random_seed(5)
    first = keras.initializers.GlorotUniform(seed=5)
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Rescaling(0.01), keras.layers.Dense(1, kernel_initializer=first)]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    history: dict[str, list[float]] = model.fit(**fed(), epochs=4, verbose=0).history
    return history
