"""Loads a registered version from a checked copy of its files, and tries it, before it answers anybody."""

import sys
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from model.artifact.distribution import PROBABILITIES, quantile_column
from model.artifact.other_series import silent_series
from model.artifact.scale import PRICES, MovementScale
from model.errors import ConfigurationError, TomorrowError
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.system.disk_errors import storage_fault
from tasks.tracking.checked_files import version_files
from tasks.tracking.model_artifact import series_of

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.pyfunc import PyFuncModel

# How the modules are named that hold a loaded version's code: MLflow's, and those of served_model.py.
CODE = ("code_model_", "tomorrow_code_")


class LoadedVersion:
    """A version in memory. Any number of threads may use it; its code is unloaded when nobody holds it any more."""

    def __init__(self, model: str, number: int, run_id: str, forecaster: "PyFuncModel", modules: Iterable[str]) -> None:
        self.model = model
        self.number = number
        self.run_id = run_id
        self._forecaster = forecaster
        weakref.finalize(self, _unload, tuple(modules))

    def forecast(self, frame: "pd.DataFrame", params: Mapping[str, Any]) -> "pd.DataFrame":
        """Forecasts from raw prices, one row for each origin; ValueError, with a sentence, for a wrong frame.

        The columns are those of the registered model: `forecast`, bounds, quantiles; NaN where there is none.
        """
        answer: Any = self._forecaster.predict(frame, params=dict(params))
        return cast("pd.DataFrame", answer)

    def without(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """The names of the other series that it knows, and without which it forecasts from the frame's newest row.

        frame: one that it has forecast from, so that its columns hold what they should
        """
        series = series_of(self._forecaster.metadata)
        if not series:
            return ()
        spelled = {name.lower(): name for name in (*PRICES, *(name for each in series for name in each.columns))}
        ordered = _oldest_first(frame)
        table = {
            spelled[title]: ordered[column].to_numpy(dtype=float, na_value=np.nan)
            for column in ordered.columns
            if (title := str(column).strip().lower()) in spelled
        }
        return silent_series(table, series, MovementScale())


def load(settings: Settings, version: RegisteredVersion) -> LoadedVersion:
    """Load a version as `load_with_example` does."""
    return load_with_example(settings, version)[0]


def load_with_example(settings: Settings, version: RegisteredVersion) -> "tuple[LoadedVersion, pd.DataFrame]":
    """Load a version, and forecast from its input example; ConfigurationError where any of it fails.

    It must be one that was registered here, with the files that were registered: no other code is run. Not to be called
    from several threads at once, since MLflow keeps the model that is being loaded in a global variable.
    """
    before = set(sys.modules)
    try:
        # The names and versions are checked, and all files are in memory before the copy is removed.
        with version_files(settings, version.model_uri, version.source) as stored:
            import mlflow.pyfunc

            forecaster = mlflow.pyfunc.load_model(str(stored))
            loaded = LoadedVersion(version.model, version.version, version.run_id, forecaster, _new_code(before))
            example: pd.DataFrame | None = forecaster.metadata.load_input_example(str(stored))
            if example is None:
                raise _unusable(version, "it has no input example to try it on")
            _check(version, loaded, example)
            return loaded, example
    except TomorrowError:
        _unload(_new_code(before))
        raise
    except Exception as error:
        _unload(_new_code(before))
        raise storage_fault(error) or _unusable(version, _sentence(error)) from error


def _check(version: RegisteredVersion, loaded: LoadedVersion, example: "pd.DataFrame") -> None:
    answer = loaded.forecast(example, {})
    columns = ["forecast", *(quantile_column(probability) for probability in PROBABILITIES)]
    missing = [name for name in columns if name not in answer]
    if missing:
        raise _unusable(version, f"its forecasts lack {missing[0]}: it is from before forecasts were distributions")
    made = answer[columns].to_numpy(dtype=float)
    medians, quantiles = made[:, 0], made[:, 1:]
    # A version without a distribution, from too few past errors, gives NaN in place of each quantile.
    has_sense = np.isfinite(medians) & (medians > 0) & ~(np.diff(quantiles) < 0).any(axis=1)
    if not len(made) or not has_sense.all():
        raise _unusable(version, "from its input example it forecasts something that is no distribution of prices")


def _oldest_first(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows by their day, from the column `Date` or the index; as they are where there are no days."""
    dates = next((frame[column] for column in frame.columns if str(column).strip().lower() == "date"), None)
    if dates is None or dates.isna().any():
        dates = frame.index.to_series()
    days = dates.astype(str).str.slice(0, 10).to_numpy(dtype=str)
    is_written = all(len(day) == len("2020-01-31") for day in days)
    return frame.iloc[np.argsort(days, kind="stable")] if is_written else frame


def _new_code(before: set[str]) -> list[str]:
    return [name for name in sys.modules.copy() if name.startswith(CODE) and name not in before]


def _unload(modules: Iterable[str]) -> None:
    for name in modules:
        sys.modules.pop(name, None)


def _sentence(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _unusable(version: RegisteredVersion, have: str) -> ConfigurationError:
    return ConfigurationError(
        f"{version.model} version {version.version}",
        have=f"it does not load: {have}",
        need="a version that forecasts from its own input example",
        remedy=f'go back: tomorrow rollback {version.model} --reason "..."; or train again: tomorrow train --again',
    )
