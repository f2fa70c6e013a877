"""The code inside a registered model: a data frame of raw prices in, dollars out.

MLflow stores this file and runs it when the model is loaded ("models from code"), so it knows nothing of this
project but the files that are stored beside it: the network, its recipe and the inference code of its day. Keras, and
the cells of its day, are loaded only for a network that was stored without weights for NumPy.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class ServedForecaster(PythonModel):
    """Forecasts the session after the newest row; with `origins=n`, the sessions after each of the newest n rows."""

    def load_context(self, context: Any) -> None:
        """Read the network with the inference code that it was stored with."""
        # Names of their own, so that two versions can be loaded side by side.
        self._inference = _module(f"tomorrow_inference_{id(self)}", context.artifacts["inference"])
        self._recipe = self._inference.Recipe.from_json(Path(context.artifacts["recipe"]).read_text(encoding="utf-8"))
        if "weights" in context.artifacts:
            numpy_network = _module(f"tomorrow_numpy_network_{id(self)}", context.artifacts["numpy_network"])
            self._network = numpy_network.NumpyNetwork.load(Path(context.artifacts["weights"]))
        else:
            cells = _module(f"tomorrow_cells_{id(self)}", context.artifacts["cells"])
            self._network = _keras_network(context.artifacts["network"], cells.CELLS)

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


def _module(name: str, file: str) -> Any:
    """Run a stored file of code as a module."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no code at {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _keras_network(file: str, cells: dict[str, Any]) -> Any:
    import keras

    # Without compiling nothing but the layers is read, and in safe mode no code is.
    return keras.models.load_model(file, custom_objects=cells, compile=False, safe_mode=True)


set_model(ServedForecaster())
