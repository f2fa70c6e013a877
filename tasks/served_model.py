"""The code inside a registered model: a data frame of raw prices in, dollars out.

MLflow stores this file and runs it when the model is loaded ("models from code"), so it knows nothing of this
project but the files that are stored beside it: the network, its recipe and the inference code of its day.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class ServedForecaster(PythonModel):
    """Forecasts the session after the newest row; with `origins=n`, the sessions after each of the newest n rows."""

    def load_context(self, context: Any) -> None:
        """Read the network with the inference code that it was stored with."""
        name = f"tomorrow_inference_{id(self)}"  # its own, so that two versions can be loaded side by side
        spec = importlib.util.spec_from_file_location(name, context.artifacts["inference"])
        if spec is None or spec.loader is None:
            raise ImportError(f"no inference code at {context.artifacts['inference']}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        self._inference = module
        self._recipe = module.Recipe.from_json(Path(context.artifacts["recipe"]).read_text(encoding="utf-8"))
        # Without compiling nothing but the layers is read, and in safe mode no code is.
        self._network = keras.models.load_model(context.artifacts["network"], compile=False, safe_mode=True)

    def predict(
        self,
        context: Any,  # noqa: ARG002 - MLflow names the parameters
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row a forecast, in dollars, oldest origin first: `forecast`, and its intervals' bounds (NaN for none).

        model_input: raw daily prices by column name, one row a session, oldest first; ValueError if they are not
        """
        index = model_input.index
        if isinstance(index, pd.DatetimeIndex) and not (index.is_monotonic_increasing and index.is_unique):
            raise ValueError("the rows must be in order of their dates, oldest first, one a session")
        origins = int((params or {}).get("origins", 1))
        table = {str(name): values.to_numpy(dtype=float) for name, values in model_input.items()}
        return pd.DataFrame(self._inference.forecast(self._network, self._recipe, table, origins))


set_model(ServedForecaster())
