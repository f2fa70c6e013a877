"""What a fit is fed with: Keras's own batches in its own order, and no thread that tunes how they are made."""

from typing import Any

import numpy as np
import pytest

from model.feeding import to_fit, to_judge

N, BATCH = 70, 16  # the last batch is a smaller one
ROWS = np.arange(N, dtype=np.int32)[:, np.newaxis]
TARGETS = (0.1 * np.arange(N)).astype(np.float32)


@pytest.fixture(autouse=True)
def _tensorflow() -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("elsewhere Keras is given the arrays")


def batches(dataset: Any) -> list[tuple[list[int], list[float]]]:
    return [(rows[:, 0].tolist(), targets.tolist()) for rows, targets in dataset.as_numpy_iterator()]


def test_each_pass_gives_every_row_once_with_its_target_in_an_order_of_its_own() -> None:
    dataset = to_fit(ROWS, TARGETS, BATCH)["x"]
    first, second = batches(dataset), batches(dataset)
    assert [len(rows) for rows, _ in first] == [16, 16, 16, 16, 6]
    for one in (first, second):
        pairs = sorted((row, target) for rows, targets in one for row, target in zip(rows, targets, strict=True))
        assert pairs == list(zip(range(N), TARGETS.tolist(), strict=True))
    assert first != second


def test_what_is_judged_on_keeps_its_order() -> None:
    flat = [row for rows, _ in batches(to_judge(ROWS, TARGETS, BATCH)) for row in rows]
    assert flat == list(range(N))


def test_a_fit_comes_to_the_digits_that_keras_comes_to_with_arrays() -> None:
    theirs = _fitted({"x": ROWS, "y": TARGETS, "batch_size": BATCH}, (ROWS[:20], TARGETS[:20]))
    ours = _fitted(to_fit(ROWS, TARGETS, BATCH), to_judge(ROWS[:20], TARGETS[:20], BATCH))
    assert ours == theirs


def test_nothing_tunes_how_batches_are_made() -> None:
    for dataset in (to_fit(ROWS, TARGETS, BATCH)["x"], to_judge(ROWS, TARGETS, BATCH)):
        assert dataset.options().autotune.enabled is False


def _fitted(fed: dict[str, Any], judged: Any) -> dict[str, list[float]]:
    """The losses of four epochs, whose last digits tell one order of batches from another."""
    import keras

    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(1 / N), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    history: dict[str, list[float]] = model.fit(**fed, validation_data=judged, epochs=4, verbose=0).history
    return history
