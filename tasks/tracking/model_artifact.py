"""A forecaster as an MLflow model: one artefact that takes raw prices and gives dollars.

It holds the network (`.keras`), its weights for NumPy where that can compute it (`.npz`), the recipe (JSON), the code
that forecasts and its requirements: no pickle, and no scaler kept elsewhere. Our own flows load it exactly as anybody
else does.
"""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.artifact import inference, numpy_network
from model.artifact.recipes import Recipe
from model.artifact.numpy_network import NumpyNetwork
from model.errors import TooFewPrices
from model.forecaster.forecaster import Forecaster
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices

if TYPE_CHECKING:
    import keras
    from mlflow.models import ModelSignature

REQUIREMENTS = ("mlflow", "numpy", "pandas")
KERAS = ("keras", "tensorflow")


def log_forecaster(run_id: str, forecaster: Forecaster, example: Prices) -> str:
    """Store a forecaster with a run and return its address, `models:/m-...`.

    example: prices to take the input example from, at least one window of them
    """
    import mlflow
    from mlflow.models import Model

    recipe = forecaster.recipe
    columns, rows = _columns(recipe), max(recipe.rows, recipe.spread.rows)
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        network, written = Path(folder, "network.keras"), Path(folder, "recipe.json")
        forecaster.network.save(network)
        written.write_text(recipe.to_json(), encoding="utf-8")
        artifacts = {"network": str(network), "recipe": str(written), "inference": str(inference.__file__)}
        requirements: tuple[str, ...] = REQUIREMENTS
        if isinstance(forecaster.predictor, NumpyNetwork):
            weights = Path(folder, "weights.npz")
            forecaster.predictor.save(weights)
            artifacts |= {"weights": str(weights), "numpy_network": str(numpy_network.__file__)}
        else:
            from model.artifact import cells

            artifacts["cells"] = str(cells.__file__)
            requirements += KERAS
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts=artifacts,
            signature=_signature(recipe),
            input_example=example.frame()[columns].tail(rows),
            pip_requirements=[f"{name}=={version(name)}" for name in requirements],
        )
    return str(logged.model_uri)


def _columns(recipe: Recipe) -> list[str]:
    """What a forecast needs, then what its intervals need besides."""
    return list(dict.fromkeys((*recipe.columns, *inference.PRICES)))


def _signature(recipe: Recipe) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import DataType

    bounds = [f"{side}_{level}" for level in inference.LEVELS for side in ("lower", "upper")]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name, required=name in recipe.columns) for name in _columns(recipe)]),
        outputs=Schema([ColSpec(DataType.double, name) for name in ("forecast", *bounds)]),
        params=ParamSchema([ParamSpec("origins", DataType.long, 1)]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackagedForecaster:
    """A forecaster loaded from the registry or a run."""

    model_uri: str
    model: Any

    def predict(self, prices: Prices, origins: int = 1) -> Forecasts:
        """Forecasts in dollars with their intervals, where the version has any; each for the session after its origin.

        origins: how many of the newest sessions to forecast from
        """
        # MLflow warns of columns that the model does not ask for.
        frame = prices.frame()[self.model.metadata.get_input_schema().input_names()]
        try:
            answer = self.model.predict(frame, params={"origins": origins})
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
