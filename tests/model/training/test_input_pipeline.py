"""Windows that are cut inside the network are the windows, and a fit on them is the fit."""

from random import Random

import numpy as np
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


@pytest.mark.parametrize("preset", ["tutorial", "anchored"])
def test_the_weights_are_those_of_a_fit_on_the_windows_themselves(preset: str) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("the fused layer is TensorFlow's")
    from model.training.fused import fused_twin

    windows, config = windows_of(preset), TrainingConfig(epochs=3, batch_size=16)
    weights = []
    for on_windows in (False, True):
        keras.utils.set_random_seed(0)
        draws = Random(0)
        network = build_network(NetworkConfig(units=(4, 3)), LOOKBACK, windows.inputs.shape[-1], draws)
        if on_windows:
            network = fused_twin(network, draws)
            network.compile(optimizer=make_optimizer(config), loss=config.loss)
            network.fit(windows.inputs, windows.targets, batch_size=16, epochs=3, verbose=0)
        else:
            fit(network, windows, config, draws, ())
        weights.append(network.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
