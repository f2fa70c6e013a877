"""Where JAX is installed, Keras runs on it as on TensorFlow: what one has fitted, the other forecasts with."""

import importlib.util
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.project import ROOT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install -e '.[jax]'"
)

BACKENDS = ("tensorflow", "jax")
CODE = """
import json, sys
from pathlib import Path
import keras
from model.config import PRESETS, NetworkConfig, TrainingConfig
from model.artifact.inference import forecast
from model.training.fit import train_forecaster
from tests.market import make_prices

prices, file, fits = make_prices(150), Path(sys.argv[1]), sys.argv[2] == "fit"
training = TrainingConfig(epochs=4, learning_rate=0.01, patience=3, held_back=20)
config = PRESETS["tutorial"].model_copy(
    update={"lookback": 6, "network": NetworkConfig(units=(5, 4)), "training": training}
)
if fits:
    fitted = train_forecaster(prices, config)
    fitted.network.save(file)
    file.with_suffix(".json").write_text(fitted.recipe.to_json())
    print(json.dumps([keras.backend.backend(), fitted.losses]))
else:
    from model.artifact.recipes import Recipe
    network = keras.models.load_model(file, compile=False, safe_mode=True)
    recipe = Recipe.from_json(file.with_suffix(".json").read_text())
    print(json.dumps([keras.backend.backend(), forecast(network, recipe, prices.table(), 9)["forecast"].tolist()]))
"""


def on(backend: str, file: Path, what: str) -> list[float]:
    """Fit or forecast in a process of that backend; what came out."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(file), what],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ran_on, values = json.loads(done.stdout)
    assert ran_on == backend
    return [float(value) for value in values]


def test_what_one_backend_has_fitted_both_forecast_alike(tmp_path: Path) -> None:
    for backend in BACKENDS:
        losses = on(backend, tmp_path / f"{backend}.keras", "fit")
        assert losses[-1] < losses[0]
    said = {
        (fitted, answers): on(answers, tmp_path / f"{fitted}.keras", "forecast")
        for fitted, answers in product(BACKENDS, BACKENDS)
    }
    for fitted in BACKENDS:
        np.testing.assert_allclose(said[fitted, "jax"], said[fitted, "tensorflow"], rtol=1e-4)
