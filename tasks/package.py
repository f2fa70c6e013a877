"""A forecaster as an MLflow model: one artefact that takes raw prices and gives dollars.

It holds the network (`.keras`), the recipe (JSON), the inference code and its requirements: no pickle, and no scaler
kept elsewhere. Our own flows load it exactly as anybody else does.
"""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model import inference
from model.errors import TooFewPrices
from model.forecaster import Forecaster
from model.prices import Prices, Values

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

REQUIREMENTS = ("keras", "mlflow", "numpy", "pandas", "tensorflow")


def log_forecaster(run_id: str, forecaster: Forecaster, example: Prices) -> str:
    """Store a forecaster with a run and return its address, `models:/m-...`.

    example: prices to take the input example from, at least one window of them
    """
    import mlflow
    from mlflow.models import Model

    column = forecaster.config.column
    with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
        network, recipe = Path(folder, "network.keras"), Path(folder, "recipe.json")
        forecaster.network.save(network)
        recipe.write_text(forecaster.recipe.to_json(), encoding="utf-8")
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"network": str(network), "recipe": str(recipe), "inference": str(inference.__file__)},
            signature=_signature(column),
            input_example=example.frame()[[column]].tail(forecaster.config.lookback),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
    return str(logged.model_uri)


def _signature(column: str) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import DataType

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, column)]),
        outputs=Schema([ColSpec(DataType.double, "forecast")]),
        params=ParamSchema([ParamSpec("origins", DataType.long, 1)]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackagedForecaster:
    """A forecaster loaded from the registry or a run."""

    model_uri: str
    model: Any

    def forecast(self, prices: Prices, origins: int = 1) -> Values:
        """Forecasts in dollars, (origins,), made at the newest sessions, each for the session after."""
        # MLflow warns of columns that the model does not ask for.
        frame = prices.frame()[self.model.metadata.get_input_schema().input_names()]
        try:
            answer = self.model.predict(frame, params={"origins": origins})
        except ValueError as error:
            raise TooFewPrices(
                f"forecast of {prices.security.ticker} by {self.model_uri}",
                have=str(error),
                need="prices for every session of the network's window",
                remedy="give more history, or look at what the source holds",
            ) from error
        return np.asarray(answer["forecast"], dtype=np.float64)


def load_forecaster(model_uri: str) -> PackagedForecaster:
    """The forecaster behind an address such as `models:/META-Open/1` or `models:/m-...`."""
    import mlflow

    from tasks.backend import load_backend

    load_backend()
    return PackagedForecaster(model_uri=model_uri, model=mlflow.pyfunc.load_model(model_uri))
