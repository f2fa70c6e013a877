"""The code inside a registered model: a data frame of raw prices in, dollars out.

MLflow stores this file and runs it when the model is loaded ("models from code"), so it knows nothing of this
project but the files that are stored beside it: the network, its recipe and the forecasting code of its day. Keras, and
the cells of its day, are loaded only for a network that was stored without weights for NumPy.
"""

import importlib.util
import sys
import uuid
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

DATE = "Date"


class ServedForecaster(PythonModel):
    """Forecasts the session after the newest row; with `origins=n`, the sessions after each of the newest n rows."""

    def load_context(self, context: Any) -> None:
        """Read the network with the inference code that it was stored with."""
        # A name that was never used, so that two versions can be loaded side by side, and one after the other.
        code, package = Path(context.artifacts["code"]), f"tomorrow_code_{uuid.uuid4().hex}"
        _module(package, code / "__init__.py")
        self._inference = _module(f"{package}.inference", code / "inference.py")
        recipe = Path(context.artifacts["recipe"]).read_text(encoding="utf-8")
        self._recipe = _module(f"{package}.recipes", code / "recipes.py").Recipe.from_json(recipe)
        if "weights" in context.artifacts:
            numpy_network = _module(f"{package}.numpy_network", code / "numpy_network.py")
            self._network = numpy_network.NumpyNetwork.load(Path(context.artifacts["weights"]))
        else:
            cells = _module(f"{package}.cells", code / "cells.py")
            self._network = _keras_network(context.artifacts["network"], cells.CELLS)

    def predict(
        self,
        context: Any,  # noqa: ARG002 - MLflow names the parameters
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row a forecast, in dollars, oldest origin first: `forecast`, the median, and the other quantiles.

        Intervals and quantiles are NaN where there is no distribution.

        model_input: raw daily prices by column name, one row a session, oldest first; ValueError if they are not. Its
                     index, or a column `Date`, are the sessions; without them earnings days are not found
        params:      `origins`, how many of the newest rows to forecast from; `next_session`, the date of the session
                     after the newest row where that is not the next weekday
        """
        given = params or {}
        dates = _dates(model_input)
        table = {str(n): v.to_numpy(dtype=float) for n, v in model_input.items() if n != DATE}
        following = str(given.get("next_session") or "")
        day = float(_days(pd.DatetimeIndex([following]))[0]) if following else None
        if dates is not None:
            days = _days(dates)
            if (days[1:] <= days[:-1]).any():
                raise ValueError("the rows must be in order of their dates, oldest first, one a session")
            if day is not None and (days >= day).any():
                raise ValueError(f"next_session is {following}, and the newest row is of {dates[-1]:%Y-%m-%d}")
            table[DATE] = days
        origins = int(given.get("origins", 1))
        return pd.DataFrame(self._inference.forecast(self._network, self._recipe, table, origins, day))


def _dates(frame: pd.DataFrame) -> pd.DatetimeIndex | None:
    if DATE in frame and frame[DATE].notna().all():
        return pd.DatetimeIndex(frame[DATE])
    return frame.index if isinstance(frame.index, pd.DatetimeIndex) else None


def _days(dates: pd.DatetimeIndex) -> Any:
    """Days since 1970, as the exchange's clock has them."""
    return dates.tz_localize(None).to_numpy().astype("datetime64[D]").astype(float)


def _module(name: str, file: Path) -> Any:
    """Run a stored file of code as a module, or a folder's `__init__.py` as a package; once for each name."""
    if name in sys.modules:
        return sys.modules[name]
    folder = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folder)
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
