"""Gradients back in time: known answers, vanishing and what is done against it, and the figure."""

from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from model.config import PRESETS, Cell, ForecasterConfig, NetworkConfig, TrainingConfig
from model.figures.gradients import gradients_figure
from model.forecaster.windows import Windows
from model.market.prices import Values
from model.network.build import build_network
from model.training.compiled import make_optimizer
from model.training.fit import train_forecaster
from model.training.gradients import GradientNorms, gradient_norms, norms_of
from model.training.objective import Pinball
from tests.market import make_prices, weekdays

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.usefixtures("on_tensorflow")

SMALL = ForecasterConfig(lookback=5, network=NetworkConfig(units=(4, 3)), training=TrainingConfig(epochs=1))


def some_windows(lookback: int, n: int = 6) -> Windows:
    rng = np.random.default_rng(1)
    return Windows(
        inputs=rng.random((n, lookback, 1)).astype(np.float32),
        targets=rng.random(n).astype(np.float32),
        offsets=rng.normal(0, 0.1, n).astype(np.float32),
        sessions=weekdays(n),
    )


def linear_network(weight: float, layers: int, lookback: int) -> "keras.Sequential":
    """Linear recurrent layers of one unit: h_t = x_t + weight * h_(t-1), and the newest h is the answer."""
    import keras

    network = keras.Sequential([keras.Input((lookback, 1))])
    for i in range(layers):
        network.add(keras.layers.SimpleRNN(1, activation="linear", return_sequences=i < layers - 1))
    network.add(keras.layers.Dense(1))
    one = np.ones((1, 1))
    network.set_weights([*[one, weight * one, np.zeros(1)] * layers, one, np.zeros(1)])
    return network


@pytest.mark.parametrize("weight", [0.5, 1.0, 1.2])
def test_in_a_linear_layer_each_step_back_multiplies_the_gradient_by_the_recurrent_weight(weight: float) -> None:
    windows = some_windows(12)
    network = linear_network(weight, 1, 12)
    answers = network.predict_on_batch(windows.inputs)[:, 0]
    (norms,) = norms_of(network, windows, "mean_squared_error")
    back = np.arange(12)[::-1]
    np.testing.assert_allclose(norms, np.abs(2 * (answers - windows.targets)).mean() * weight**back, rtol=1e-5)


def test_in_a_stack_every_path_through_the_layers_above_counts() -> None:
    lower, upper = norms_of(linear_network(0.5, 2, 8), some_windows(8), "mean_squared_error")
    back = np.arange(8)[::-1]
    np.testing.assert_allclose(upper / upper[-1], 0.5**back, rtol=1e-5)
    # t steps back there are t + 1 moments to go up, each with the same factor for all the steps.
    np.testing.assert_allclose(lower / lower[-1], (back + 1) * 0.5**back, rtol=1e-5)


@pytest.mark.parametrize("output", [0, 1])
def test_where_a_distribution_is_fitted_the_gradient_is_that_of_its_own_loss(output: int) -> None:
    """The newest h is either the correction of the scale or the shift; nudging it gives the slope."""
    import keras

    windows = some_windows(6)
    network = keras.Sequential([keras.Input((6, 1)), keras.layers.SimpleRNN(1, activation="linear")])
    network.add(keras.layers.Dense(2))
    one, dense = np.ones((1, 1)), np.eye(2)[[output]]
    network.set_weights([one, 0.5 * one, np.zeros(1), dense, np.zeros(2)])
    loss = Pinball(quantiles=np.linspace(-1.83, 1.79, 20, dtype=np.float32))
    (norms,) = norms_of(network, windows, loss)
    outputs = network.predict_on_batch(windows.inputs).astype(np.float64)

    def each(nudge: float) -> Values:
        at = outputs + nudge * dense
        parts = (slice(row, row + 1) for row in range(6))
        return np.array([loss.mean(windows.targets[part], windows.offsets[part], at[part]) for part in parts])

    slopes = (each(1e-5) - each(-1e-5)) / 2e-5
    np.testing.assert_allclose(norms, np.abs(slopes).mean() * 0.5 ** np.arange(6)[::-1], rtol=1e-3)


def ratio(cell: Cell, recurrent: str) -> float:
    network = build_network(NetworkConfig(cell=cell, units=(16,), recurrent_initializer=recurrent), 40, draws=Random(0))
    (norms,) = norms_of(network, some_windows(40), "mean_squared_error")
    return float(norms[0] / norms[-1])


def test_over_forty_steps_a_simple_rnn_that_starts_small_vanishes_and_an_lstm_far_less() -> None:
    small = ratio("simple_rnn", "random_normal")
    assert 0 < small < 1e-15
    assert ratio("lstm", "random_normal") > 1e6 * small
    # An orthogonal start, which is the preset's, keeps lengths: it is the remedy for a simple_rnn.
    assert ratio("simple_rnn", "orthogonal") > 1e-2


def weights_moved(clip_norm: float | None) -> list[Values]:
    """How far one step of plain gradient descent, of rate 1, moves each array of weights: its gradient."""
    network = build_network(NetworkConfig(cell="simple_rnn", units=(8,), dropout=0), 10, draws=Random(0))
    before, windows = network.get_weights(), some_windows(10)
    config = TrainingConfig(optimizer="sgd", learning_rate=1.0, clip_norm=clip_norm)
    network.compile(optimizer=make_optimizer(config), loss="mean_squared_error")
    network.train_on_batch(windows.inputs, windows.targets + 100)
    return [after - first for first, after in zip(before, network.get_weights(), strict=True)]


def test_clipping_bounds_the_gradient_of_each_array_of_weights_and_keeps_its_direction() -> None:
    free, clipped = weights_moved(None), weights_moved(0.5)
    assert all(np.linalg.norm(one) > 0.5 for one in free)
    for long, short in zip(free, clipped, strict=True):
        assert np.linalg.norm(short) == pytest.approx(0.5, rel=1e-4)
        np.testing.assert_allclose(short, long * 0.5 / np.linalg.norm(long), atol=1e-5)


def norms_of_a_fit(**changes: object) -> GradientNorms:
    fitted = train_forecaster(make_prices(60), SMALL.model_copy(update=changes))
    norms = gradient_norms(fitted, make_prices(60))
    assert norms is not None
    return norms


@pytest.mark.slow
@pytest.mark.parametrize("cell", get_args(Cell))
def test_every_cell_has_gradients_at_every_step_with_fresh_weights_and_after_a_fit(cell: Cell) -> None:
    norms = norms_of_a_fit(network=SMALL.network.model_copy(update={"cell": cell}))
    for values in (norms.start, norms.end):
        assert values.shape == (2, 5)
        assert (values > 0).all()
    assert not np.array_equal(norms.start, norms.end)
    assert norms.ratios() == {
        "gradient_ratio_start": norms.start[0, 0] / norms.start[0, -1],
        "gradient_ratio": norms.end[0, 0] / norms.end[0, -1],
    }


def test_the_fresh_weights_are_those_that_the_fit_began_with() -> None:
    standing = TrainingConfig(epochs=1, members=2, seed=3, optimizer="sgd", learning_rate=1e-12)
    norms = norms_of_a_fit(training=standing)
    np.testing.assert_allclose(norms.start, norms.end, rtol=1e-5)


def test_a_network_that_starts_as_the_naive_forecast_has_no_gradient_there_and_no_ratio() -> None:
    norms = norms_of_a_fit(network=NetworkConfig(units=(3,), output_initializer="zeros"))
    assert (norms.start == 0).all()
    assert norms.ratios().keys() == {"gradient_ratio"}


@pytest.mark.slow
def test_the_anchored_network_has_no_gradient_at_the_start_and_one_at_every_step_after_a_fit() -> None:
    config = PRESETS["anchored"].model_copy(
        update={"lookback": 5, "training": TrainingConfig(epochs=2, loss="pinball", members=2)}
    )
    prices = make_prices(120)
    norms = gradient_norms(train_forecaster(prices, config), prices)
    assert norms is not None
    assert (norms.start == 0).all()
    assert norms.end.shape == (1, 5)
    assert (norms.end > 0).all()


def drawn(norms: GradientNorms) -> tuple[bytes, Any]:
    figure = gradients_figure(norms, "SAMPLE Open")
    assert figure is not None
    file = BytesIO()
    figure.savefig(file)
    return file.getvalue(), figure


@pytest.mark.filterwarnings("error")
def test_the_figure_shows_every_layer_with_the_newest_step_on_the_left() -> None:
    start = np.array([0.5 ** np.arange(40)[::-1], 0.9 ** np.arange(40)[::-1]])
    png, figure = drawn(GradientNorms(start=start, end=10 * start))
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (1000, 500)
    fresh, fitted = figure.axes
    assert fresh.get_yscale() == fitted.get_yscale() == "log"
    assert [line.get_label() for line in fitted.get_lines()] == ["layer 1", "layer 2"]
    np.testing.assert_allclose(fresh.get_lines()[0].get_ydata(), 0.5 ** np.arange(40))
    assert any(f"{0.5**39:.1e} with fresh weights" in text.get_text() for text in figure.texts)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 20])
def test_gradients_that_are_all_zero_have_no_panel_and_no_figure(start: float, end: float, steps: int) -> None:
    norms = GradientNorms(start=np.full((1, steps), start), end=np.full((1, steps), end))
    if not start and not end:
        assert gradients_figure(norms, "SAMPLE Open") is None
        return
    _, figure = drawn(norms)
    expected = [name for name, given in (("with fresh weights", start), ("after the fit", end)) if given]
    assert [axes.get_title("left") for axes in figure.axes] == expected
