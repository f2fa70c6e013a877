"""A forecaster as an MLflow model: one artefact that takes raw prices and gives dollars.

It holds the network (`.keras`), its weights for NumPy where that can compute it (`.npz`), the recipe (JSON), the code
that forecasts and its requirements: no pickle, and no scaler kept elsewhere. Our own flows load it exactly as anybody
else does.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.artifact import inference
from model.artifact.distribution import LEVELS, PROBABILITIES, quantile_column
from model.artifact.numpy_network import NumpyNetwork
from model.artifact.recipes import Recipe
from model.artifact.scale import PRICES
from model.errors import TooFewPrices, UsageError
from model.forecaster.forecaster import Forecaster
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from mlflow.models import ModelSignature

REQUIREMENTS = ("mlflow", "numpy", "pandas")
KERAS = ("keras", "tensorflow")
DATE = "Date"


def log_forecaster(run_id: str, forecaster: Forecaster, example: Prices) -> str:
    """Store a forecaster with a run and return its address, `models:/m-...`.

    example: prices to take the input example from, at least one window of them
    """
    import mlflow
    from mlflow.models import Model

    recipe = forecaster.recipe
    columns, rows = _columns(recipe), max(recipe.rows, recipe.scale.rows)
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        network, written = Path(folder, "network.keras"), Path(folder, "recipe.json")
        forecaster.network.save(network)
        written.write_text(recipe.to_json(), encoding="utf-8")
        code = Path(folder, "code")
        shutil.copytree(Path(inference.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__"))
        artifacts = {"network": str(network), "recipe": str(written), "code": str(code)}
        requirements: tuple[str, ...] = REQUIREMENTS
        if isinstance(forecaster.predictor, NumpyNetwork):
            weights = Path(folder, "weights.npz")
            forecaster.predictor.save(weights)
            artifacts["weights"] = str(weights)
        else:
            requirements += KERAS
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts=artifacts,
            signature=_signature(recipe),
            input_example=_frame(example, columns).tail(rows),
            pip_requirements=[f"{name}=={version(name)}" for name in requirements],
        )
    return str(logged.model_uri)


def _columns(recipe: Recipe) -> list[str]:
    """What a forecast needs, then what its distribution needs besides."""
    return list(dict.fromkeys((*recipe.columns, *PRICES)))


def _frame(prices: Prices, columns: Sequence[str]) -> "pd.DataFrame":
    """Prices as the registered model takes them."""
    frame = prices.frame()[list(columns)].reset_index()
    return frame.astype({DATE: "datetime64[ns]"})


def _signature(recipe: Recipe) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import DataType

    bounds = [f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")]
    quantiles = [quantile_column(probability) for probability in PROBABILITIES]
    columns = [ColSpec(DataType.double, name, required=name in recipe.columns) for name in _columns(recipe)]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.datetime, DATE, required=False), *columns]),
        outputs=Schema([ColSpec(DataType.double, name) for name in ("forecast", *bounds, *quantiles)]),
        params=ParamSchema([ParamSpec("origins", DataType.long, 1), ParamSpec("next_session", DataType.string, "")]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackagedForecaster:
    """A forecaster loaded from the registry or a run."""

    model_uri: str
    model: Any

    def predict(self, prices: Prices, origins: int = 1) -> Forecasts:
        """Forecasts in dollars as distributions, each for the session after its origin.

        origins: how many of the newest sessions to forecast from

        UsageError where the version gives no distributions; TooFewPrices where it needs more prices.
        """
        # MLflow warns of columns that the model does not ask for.
        asked = self.model.metadata.get_input_schema().input_names()
        given = self.model.metadata.get_output_schema().input_names()
        if not {quantile_column(probability) for probability in PROBABILITIES} <= set(given):
            raise UsageError(
                f"forecast of {prices.security.ticker} by {self.model_uri}",
                have="a version from before forecasts were distributions: it gives a price and its intervals alone",
                need="a version that gives quantiles of the next price",
                remedy="train again: tomorrow train",
            )
        params = {"origins": origins, "next_session": "" if prices.following is None else str(prices.following)}
        try:
            answer = self.model.predict(_frame(prices, [name for name in asked if name != DATE]), params=params)
        except ValueError as error:
            raise TooFewPrices(
                f"forecast of {prices.security.ticker} by {self.model_uri}",
                have=str(error),
                need="prices for every session that the version looks back on",
                remedy="give more history, or look at what the source holds",
            ) from error
        return Forecasts.from_columns({name: answer[name].to_numpy() for name in answer})


def load_libraries() -> None:
    """Import what a forecaster is loaded with, which takes seconds the first time."""
    import mlflow.pyfunc  # noqa: F401 - imported ahead of time


def load_forecaster(model_uri: str) -> PackagedForecaster:
    """The forecaster behind an address such as `models:/META-Open/1` or `models:/m-...`."""
    import mlflow

    from tasks.system.keras_backend import without_messages

    with without_messages():  # a network that NumPy cannot compute is loaded with Keras
        return PackagedForecaster(model_uri=model_uri, model=mlflow.pyfunc.load_model(model_uri))


def load_network(model_uri: str) -> "keras.Model":
    """The network alone behind such an address, to be fitted further."""
    import keras
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    from model.artifact import cells

    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        stored = Path(download_artifacts(artifact_uri=model_uri, dst_path=folder))
        artifacts = Model.load(str(stored)).flavors["python_function"]["artifacts"]
        network = stored / artifacts["network"]["path"]
        return keras.models.load_model(network, custom_objects=cells.CELLS, compile=False, safe_mode=True)
