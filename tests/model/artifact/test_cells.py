"""The cells against their equations, written down again in NumPy; every cell as a network that is fitted and kept."""

from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import pytest

from model.artifact import cells
from model.config import Cell, ForecasterConfig, NetworkConfig, TrainingConfig
from model.market.prices import Values
from model.network.build import build_network
from model.network.layers import recurrent_layer
from model.training.fit import train_forecaster
from tests.market import make_prices

CELLS: tuple[Cell, ...] = get_args(Cell)
UNITS, FEATURES, WINDOWS = 4, 3, 5
States = tuple[Values, ...]


def logistic(values: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)


def simple_rnn_step(weights: list[Values], x: Values, states: States) -> States:
    kernel, recurrent, bias = weights
    return (np.tanh(x @ kernel + states[0] @ recurrent + bias),)


def lstm_step(weights: list[Values], x: Values, states: States) -> States:
    kernel, recurrent, bias = weights
    h, c = states
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def peephole_step(weights: list[Values], x: Values, states: States) -> States:
    kernel, recurrent, bias, (p_i, p_f, p_o) = weights
    h, c = states
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    i, f = logistic(i + p_i * c), logistic(f + p_f * c)
    c = f * c + i * np.tanh(g)
    return logistic(o + p_o * c) * np.tanh(c), c


def coupled_step(weights: list[Values], x: Values, states: States) -> States:
    kernel, recurrent, bias = weights
    h, c = states
    i, g, o = np.split(x @ kernel + h @ recurrent + bias, 3, axis=-1)
    c = (1 - logistic(i)) * c + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def gru_step(weights: list[Values], x: Values, states: States) -> States:
    kernel, recurrent, (bias, recurrent_bias) = weights
    (h,) = states
    x_z, x_r, x_g = np.split(x @ kernel + bias, 3, axis=-1)
    h_z, h_r, h_g = np.split(h @ recurrent + recurrent_bias, 3, axis=-1)
    z = logistic(x_z + h_z)
    return (z * h + (1 - z) * np.tanh(x_g + logistic(x_r + h_r) * h_g),)


STEPS = dict(zip(CELLS, (simple_rnn_step, lstm_step, peephole_step, coupled_step, gru_step), strict=True))


@pytest.mark.parametrize("steps", [1, 9])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_computes_its_equations(cell: Cell, steps: int) -> None:
    rng = np.random.default_rng(7)
    layer = recurrent_layer(cell, UNITS, return_sequences=True)
    layer.build((None, steps, FEATURES))
    weights = [rng.normal(0, 0.5, weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    inputs = rng.normal(size=(WINDOWS, steps, FEATURES))
    outputs = np.asarray(layer(inputs.astype(np.float32)))
    states: States = (np.zeros((WINDOWS, UNITS)),) * len(layer.get_initial_state(WINDOWS))
    for step in range(steps):
        states = STEPS[cell](weights, inputs[:, step], states)
        np.testing.assert_allclose(outputs[:, step], states[0], atol=1e-6)


def test_a_peephole_cell_starts_as_an_lstm() -> None:
    inputs = np.random.default_rng(0).random((3, 6, 1)).astype(np.float32)
    peephole, lstm = (build_network(NetworkConfig(cell=cell, units=(4,)), 6) for cell in ("peephole", "lstm"))
    kernel, recurrent, bias, seen, *dense = peephole.get_weights()
    assert (seen == 0).all()
    np.testing.assert_array_equal(bias, lstm.get_weights()[2])
    lstm.set_weights([kernel, recurrent, bias, *dense])
    np.testing.assert_allclose(peephole.predict_on_batch(inputs), lstm.predict_on_batch(inputs), atol=1e-6)


def test_a_coupled_cell_starts_with_the_forget_gate_of_an_lstm() -> None:
    layer = recurrent_layer("coupled", UNITS, return_sequences=False)
    layer.build((None, 5, FEATURES))
    bias = layer.get_weights()[2]
    np.testing.assert_allclose(1 - logistic(bias[:UNITS]), logistic(np.ones(UNITS)), atol=1e-7)
    assert (bias[UNITS:] == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_stored_network_answers_as_it_did(cell: Cell, tmp_path: Path) -> None:
    import keras

    network = build_network(NetworkConfig(cell=cell, units=(4, 3), l2=0.01, recurrent_initializer="he_normal"), 6)
    inputs = np.random.default_rng(0).random((3, 6, 1)).astype(np.float32)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(
        tmp_path / "network.keras", custom_objects=cells.CELLS, compile=False, safe_mode=True
    )
    np.testing.assert_array_equal(loaded.predict_on_batch(inputs), network.predict_on_batch(inputs))
    assert len(loaded.losses) == len(network.losses) > 0


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_the_same_seed_fits_the_same_network_of_any_cell(cell: Cell) -> None:
    network = NetworkConfig(cell=cell, units=(3, 2))
    config = ForecasterConfig(lookback=4, network=network, training=TrainingConfig(epochs=4, learning_rate=0.02))
    one, two = (train_forecaster(make_prices(90), config) for _ in range(2))
    assert one.losses == two.losses
    assert one.losses[-1] < one.losses[0]
    np.testing.assert_equal(one.network.get_weights(), two.network.get_weights())


@pytest.mark.usefixtures("on_tensorflow")
@pytest.mark.parametrize("cell", CELLS)
def test_only_lstm_layers_are_fused(cell: Cell) -> None:
    from model.training.fused import FusedLSTM, fused_twin

    network = build_network(NetworkConfig(cell=cell, units=(3,)), 4)
    kind = type(fused_twin(network, Random(0)).layers[0])
    assert kind is (FusedLSTM if cell == "lstm" else type(network.layers[0]))
