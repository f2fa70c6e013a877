"""NumPy's answers: Keras's own, without Keras."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model.artifact.inference import network_output
from model.artifact.numpy_network import NumpyNetwork
from model.config import PRESETS, NetworkConfig
from model.forecaster.scaling import fit_recipe
from model.network.build import build_network, members, side_by_side
from model.network.numpy_export import in_numpy, without_keras
from tests.market import make_prices


def random_weights(shapes: Sequence[tuple[int, ...]], seed: int) -> list[np.ndarray]:
    """Weights as large as those of a network that has learned something, biases among them."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("preset", PRESETS)
def test_it_answers_as_keras_does_whatever_the_weights(preset: str) -> None:
    config = PRESETS[preset]
    recipe = fit_recipe(make_prices(200), config)
    windows = recipe.inputs(make_prices(200).table(), 60)
    network = side_by_side(
        [
            build_network(config.network, config.lookback, recipe.features, recipe.outputs)
            for _ in range(config.training.members)
        ]
    )
    for seed in range(3):
        network.set_weights(random_weights([w.shape for w in network.get_weights()], seed))
        numpys = without_keras(network)
        assert numpys is not None
        # Near zero a relative error says nothing: the windows' values are about 1.
        np.testing.assert_allclose(
            network_output(numpys, windows, recipe.outputs),
            network_output(network, windows, recipe.outputs),
            rtol=1e-5,
            atol=1e-6,
        )


def test_gates_that_are_wide_open_or_shut_overflow_nowhere() -> None:
    layer = {"kernel": np.full((1, 8), 1e4), "recurrent": np.zeros((2, 8)), "bias": np.full(8, -5e3)}
    dense = {"kernel": np.ones((2, 1)), "bias": np.zeros(1)}
    with np.errstate(all="raise"):
        answers = NumpyNetwork([[layer, dense]]).predict_on_batch(np.array([[[0.0]], [[1.0]]]))
    # Shut, nothing gets in; open, the candidate 1 does, and the output is twice tanh(1).
    np.testing.assert_allclose(answers, [[0.0], [2 * np.tanh(1.0)]])


def test_what_is_written_answers_to_the_last_digit_when_it_is_read(tmp_path: Path) -> None:
    network = side_by_side([build_network(NetworkConfig(units=(3,) * 12, dropout=0.1), 4, 2) for _ in range(11)])
    written = without_keras(network)
    assert written is not None
    written.save(tmp_path / "weights.npz")
    windows = np.random.default_rng(0).random((3, 4, 2))
    answers = NumpyNetwork.load(tmp_path / "weights.npz").predict_on_batch(windows)
    assert answers.shape == (3, 11)
    np.testing.assert_array_equal(answers, written.predict_on_batch(windows))


@pytest.mark.parametrize("units", [(16,), (5, 4, 3)])
def test_how_many_windows_are_given_changes_no_digit(units: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    network = NetworkConfig(units=units, dropout=0.0)
    computed = in_numpy(
        network, [random_weights([w.shape for w in build_network(network, 20, 5).get_weights()], 1)] * 3
    )
    assert computed is not None
    windows = np.random.default_rng(2).normal(size=(40, 20, 5))
    each = np.vstack([computed.predict_on_batch(windows[i : i + 1]) for i in range(len(windows))])
    np.testing.assert_array_equal(computed.predict_on_batch(windows), each)
    monkeypatch.setattr("model.artifact.numpy_network.AT_ONCE", 7)
    np.testing.assert_array_equal(computed.predict_on_batch(windows), each)


def test_members_keep_their_order_in_a_file(tmp_path: Path) -> None:
    import keras

    network = side_by_side([build_network(NetworkConfig(units=(2,)), 4) for _ in range(12)])
    network.save(tmp_path / "network.keras")
    stored = keras.models.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
    for some in (network, stored):
        assert [member.name for member in members(some)] == [f"member_{i}" for i in range(12)]


def test_a_network_with_another_layer_is_left_to_keras() -> None:
    import keras

    for layer in (keras.layers.GRU(3), keras.layers.LSTM(3, activation="relu"), keras.layers.SimpleRNN(3)):
        assert without_keras(keras.Sequential([keras.Input((4, 1)), layer, keras.layers.Dense(1)])) is None
