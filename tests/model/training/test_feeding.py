"""What a fit is fed with: Keras's own batches in its own order, and no thread that tunes how they are made."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.training.feeding import to_fit, to_judge

BATCH = 16


@pytest.fixture(autouse=True)
def _tensorflow() -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("elsewhere Keras is given the arrays")


def arrays(n: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    return np.arange(n, dtype=np.int32)[:, np.newaxis], (0.1 * np.arange(n)).astype(np.float32)


def batches(dataset: Any) -> list[tuple[list[int], list[float]]]:
    return [(rows[:, 0].tolist(), targets.tolist()) for rows, targets in dataset.as_numpy_iterator()]


def test_every_row_is_given_once_with_its_target_in_an_order_that_the_seed_decides() -> None:
    import keras

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


def test_what_is_judged_on_keeps_its_order() -> None:
    flat = [row for numbers, _ in batches(to_judge(*arrays(70), BATCH)) for row in numbers]
    assert flat == list(range(70))


@pytest.mark.parametrize("n", [64, 70, 10])
def test_a_fit_comes_to_the_digits_that_keras_comes_to_with_arrays(n: int) -> None:
    rows, targets = arrays(n)
    ours = _losses(
        lambda: {**to_fit(rows, targets, BATCH), "validation_data": to_judge(rows[:20], targets[:20], BATCH)}
    )
    theirs = _losses(
        lambda: {"x": rows, "y": targets, "batch_size": BATCH, "validation_data": (rows[:20], targets[:20])}
    )
    assert ours == theirs


def test_nothing_tunes_how_batches_are_made() -> None:
    for dataset in (to_fit(*arrays(70), BATCH)["x"], to_judge(*arrays(70), BATCH)):
        assert dataset.options().autotune.enabled is False


def _losses(fed: Callable[[], dict[str, Any]]) -> dict[str, list[float]]:
    """Of four epochs, whose last digits tell one order of batches from another."""
    import keras

    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(0.01), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    history: dict[str, list[float]] = model.fit(**fed(), epochs=4, verbose=0).history
    return history
