"""The code inside a registered model: a data frame of raw prices in, forecasts in the same unit out.

MLflow stores this file and runs it when the model is loaded ("models from code"). So it uses nothing of this project
except the files that are stored with it: the network, its recipe and the forecasting code of that time. Keras, and the
stored code of its cells, are loaded only for a network that was stored without weights for NumPy.
"""

import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

DATE = "Date"
PRICES = ("Open", "High", "Low", "Close", "Volume")
# MLflow sets this variable where it serves over HTTP.
_SERVED = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"


class BadFrameError(MlflowException, ValueError):
    """A frame that cannot be forecast from; over HTTP this becomes status 400 with one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
        self.sentence = sentence

    def serialize_as_json(self) -> str:
        """The answer over HTTP: the sentence alone, before which MLflow would put the whole frame."""
        return json.dumps({"error_code": self.error_code, "message": self.sentence})


class ServedForecaster(PythonModel):
    """Forecasts the session after the newest row; with `origins=n`, the sessions after each of the newest n rows."""

    _series: Sequence[str] = ()  # the columns of other series

    def load_context(self, context: Any) -> None:
        """Read the network and the inference code that was stored with it."""
        # A new name each time, so that several versions can be loaded in one process.
        code, package = Path(context.artifacts["code"]), f"tomorrow_code_{uuid.uuid4().hex}"
        _module(package, code / "__init__.py")
        self._inference = _module(f"{package}.inference", code / "inference.py")
        recipe = Path(context.artifacts["recipe"]).read_text(encoding="utf-8")
        self._recipe = _module(f"{package}.recipes", code / "recipes.py").Recipe.from_json(recipe)
        self._series = [column for each in getattr(self._recipe, "series", ()) for column in each.columns]
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
        """Forecasts in the unit of the prices, one row each, oldest origin first: `forecast` (the median), quantiles.

        Intervals and quantiles are NaN where there is no distribution; over HTTP they are null.

        model_input: raw daily prices, one row per session, columns named in any case. Its index, or a column `Date`,
                     holds the sessions, by which the rows are sorted; without them the rows have to be oldest first,
                     and earnings days are not found. Columns of other series, such as ^VIX, hold what was known of
                     them at each session's close; the forecast is made without those that are not there, or empty
                     in the newest row. BadFrameError says what is wrong with it
        params:      `origins`, how many of the newest rows to forecast from; `next_session`, the date of the session
                     after the newest row, if that is not the next weekday; `explain`, whether to add what made each
                     distribution wide or narrow: `scale` is `usual_scale` times every `factor_...`
        """
        given = params or {}
        try:
            answer = pd.DataFrame(self._forecast(model_input, given))
        except (ValueError, TypeError) as error:
            raise BadFrameError(str(error)) from error
        if os.environ.get(_SERVED) == "true":  # JSON has no NaN
            return answer.astype(object).where(answer.notna(), None)
        return answer

    def _forecast(self, frame: pd.DataFrame, given: dict[str, Any]) -> Any:
        named = _with_capitals(frame, self._series)
        dates = _dates(named)
        following = str(given.get("next_session") or "")
        day = float(_days(pd.DatetimeIndex([following]))[0]) if following else None
        table = {str(name): _numbers(str(name), values) for name, values in named.items() if name != DATE}
        if dates is not None:
            days = _days(dates)
            order = days.argsort(kind="stable")
            days, dates = days[order], dates[order]
            if (twice := days[1:] == days[:-1]).any():
                raise ValueError(f"{dates[1:][twice][0]:%Y-%m-%d} occurs in more than one row")
            if day is not None and (days >= day).any():
                raise ValueError(f"next_session is {following}, and the newest row is of {dates[-1]:%Y-%m-%d}")
            table = {name: values[order] for name, values in table.items()} | {DATE: days}
        origins, explain = int(given.get("origins", 1)), bool(given.get("explain", False))
        return self._inference.forecast(self._network, self._recipe, table, origins, day, explain=explain)


def _with_capitals(frame: pd.DataFrame, series: Sequence[str]) -> pd.DataFrame:
    """A frame with the known columns alone, renamed to the network's spelling; ValueError for a doubled one.

    series: the columns of other series
    """
    spelled = {name.lower(): name for name in (DATE, *PRICES, *series)}
    names = {column: spelled.get(str(column).strip().lower(), "") for column in frame.columns}
    known = [column for column, name in names.items() if name]
    found = frame[known].rename(columns=names)
    doubled = found.columns[found.columns.duplicated()]
    if len(doubled):
        raise ValueError(f"the column {doubled[0]} is there more than once")
    return found


def _numbers(name: str, column: "pd.Series[Any]") -> Any:
    try:
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=float("nan"))
    except (ValueError, TypeError):
        raise ValueError(f"{name} holds something that is no number") from None


def _dates(frame: pd.DataFrame) -> pd.DatetimeIndex | None:
    """The sessions, from the column `Date` or the index; None where there are none; ValueError for bad dates."""
    column = frame.get(DATE)
    if column is not None and column.notna().any():
        if column.isna().any():
            raise ValueError("Date is missing in some rows")
        found = column
    elif isinstance(frame.index, pd.DatetimeIndex):
        return frame.index
    elif str(frame.index.name).capitalize() == DATE or (len(frame) and isinstance(frame.index[0], str | date)):
        found = frame.index.to_series()
    else:
        return None
    if pd.api.types.is_numeric_dtype(found):
        raise ValueError("Date holds numbers, not days such as 2020-01-31")
    try:
        # The day as written is the session, whatever the time zone.
        written = found.astype(str).str.slice(0, 10)
        return pd.DatetimeIndex(pd.to_datetime(written, format="%Y-%m-%d"))
    except ValueError:
        raise ValueError("Date holds something that is no day such as 2020-01-31") from None


def _days(dates: pd.DatetimeIndex) -> Any:
    """Days since 1970, by the exchange's local date."""
    return dates.tz_localize(None).to_numpy().astype("datetime64[D]").astype(float)


def _module(name: str, file: Path) -> Any:
    """Import a stored file as a module, or a folder's `__init__.py` as a package; once for each name."""
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

    # compile=False reads only the layers; safe_mode=True runs no code that is stored in the file.
    return keras.models.load_model(file, custom_objects=cells, compile=False, safe_mode=True)


set_model(ServedForecaster())
