"""A forecaster as an MLflow model: one artefact that takes raw prices and gives forecasts in their unit.

It holds the network (`.keras`), its weights for NumPy if NumPy can compute the network (`.npz`), the recipe (JSON), the
code that forecasts and its requirements: no pickle, and no scaler kept elsewhere. Our own flows load it as any user
does, but from a copy whose files were checked against those that were registered.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from model.artifact import inference
from model.artifact.distribution import LEVELS, PROBABILITIES, quantile_column
from model.artifact.horizon import SPANS, FurtherHorizon
from model.artifact.numpy_network import NumpyNetwork
from model.artifact.other_series import silent_series
from model.artifact.recipes import ChangeRecipe, Recipe
from model.artifact.scale import PRICES, MovementScale
from model.artifact.series_input import LONG, SeriesInput
from model.artifact.sessions_ahead import further_column
from model.errors import TooFewPrices, UsageError
from model.forecaster.forecaster import Forecaster
from model.forecaster.forecasts import Forecasts
from model.market.prices import COLUMNS, Prices, Values
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.settings import Settings
from tasks.tracking.checked_files import digests_of, drop_left_by_readers, version_files

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import LoggedModel
    from mlflow.models import Model, ModelSignature

REQUIREMENTS = ("mlflow", "numpy", "pandas")
KERAS = ("keras", "tensorflow")
DATE = "Date"
EXPLAIN = "explain"
# How little two forecasts may differ that are the same but for rounding.
SAME = 1e-9
# The key of an artefact's metadata: the other series that it takes as inputs.
SERIES = "series"
_IN_C = RLock()


def log_forecaster(settings: Settings, trained: Trained, forecaster: Forecaster, example: Prices) -> str:
    """Store a forecaster with its run, record it in the ledger, and return its address, `models:/m-...`.

    trained: the training; the version that is made from the artefact has to agree with it
    example: prices to take the input example from, at least one window of them
    """
    import mlflow
    from mlflow.entities import LoggedModelOutput

    client, run_id = mlflow.MlflowClient(), trained.run_id
    run = client.get_run(run_id)
    made = client.create_logged_model(run.info.experiment_id, "model", run_id, params=run.data.params)
    client.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])
    try:
        with tempfile.TemporaryDirectory(prefix="tomorrow-") as folder:
            # Digests are taken before the files are where others can change them.
            stored = _save(made, run_id, Path(folder), forecaster, example)
            KeptFiles(settings.ledger_uri).package(made.model_uri, trained, digests_of(stored))
            client.log_model_artifacts(made.model_id, str(stored))
    except Exception:
        client.finalize_logged_model(made.model_id, "FAILED")
        raise
    client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_uri)


def _save(made: "LoggedModel", run_id: str, folder: Path, forecaster: Forecaster, example: Prices) -> Path:
    """Write a forecaster's files below a folder; returns the subfolder with the MLflow model."""
    import mlflow.pyfunc
    from mlflow.models import Model

    recipe = forecaster.recipe
    columns, rows, series = _columns(recipe), max(recipe.rows, recipe.scale.rows), _series(recipe)
    if series:
        rows = max(rows, LONG + recipe.scale.rows)
    if _further(recipe):
        rows = max(rows, SPANS[-1] + 1)
    network, written, stored = (folder / name for name in ("network.keras", "recipe.json", "model"))
    forecaster.network.save(network)
    written.write_text(recipe.to_json(), encoding="utf-8")
    code = folder / "code"
    shutil.copytree(Path(inference.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__"))
    artifacts = {"network": str(network), "recipe": str(written), "code": str(code)}
    requirements: tuple[str, ...] = REQUIREMENTS
    if isinstance(forecaster.predictor, NumpyNetwork):
        weights = folder / "weights.npz"
        forecaster.predictor.save(weights)
        artifacts["weights"] = str(weights)
    else:
        requirements += KERAS
    mlflow.pyfunc.save_model(
        str(stored),
        python_model=str(Path(__file__).with_name("served_model.py")),
        artifacts=artifacts,
        signature=_signature(recipe),
        input_example=_frame(example, columns).tail(rows),
        metadata={SERIES: [asdict(each) for each in series]} if series else None,
        pip_requirements=[f"{name}=={version(name)}" for name in requirements],
        mlflow_model=Model(
            artifact_path=made.artifact_location, model_uuid=made.model_id, run_id=run_id, model_id=made.model_id
        ),
    )
    drop_left_by_readers(stored)
    return stored


def _columns(recipe: Recipe) -> list[str]:
    """The columns that a forecast needs, then those that only its distribution needs, then other series."""
    others = (column for each in _series(recipe) for column in each.columns)
    return list(dict.fromkeys((*recipe.columns, *PRICES, *others)))


def _series(recipe: Recipe) -> tuple[SeriesInput, ...]:
    """The other series that a recipe takes as inputs."""
    return recipe.series if isinstance(recipe, ChangeRecipe) else ()


def _further(recipe: Recipe) -> tuple[FurtherHorizon, ...]:
    """Its horizons beyond the next session."""
    return recipe.further if isinstance(recipe, ChangeRecipe) else ()


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
    names = ["forecast", *bounds, *quantiles]
    further = [further_column(each.sessions, name) for each in _further(recipe) for name in names]
    # No inputs: else MLflow would refuse whole numbers, names in small letters and dates from CSV before the model
    # could accept them, or say in a sentence what is wrong. The input example shows the inputs.
    return ModelSignature(
        outputs=Schema([ColSpec(DataType.double, name) for name in (*names, *further)]),
        params=ParamSchema(
            [
                ParamSpec("origins", DataType.long, 1),
                ParamSpec("next_session", DataType.string, ""),
                ParamSpec(EXPLAIN, DataType.boolean, False),
            ]
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackagedForecaster:
    """A forecaster loaded from the registry or a run."""

    model_uri: str
    model: Any

    @property
    def series(self) -> tuple[SeriesInput, ...]:
        """The other series that it takes as inputs."""
        return series_of(self.model.metadata)

    def without(self, prices: Prices) -> tuple[str, ...]:
        """The names of those of them without which it forecasts from these prices."""
        return silent_series(prices.table(), self.series, MovementScale())

    def predict(self, prices: Prices, origins: int = 1) -> Forecasts:
        """Forecasts as distributions, each for the session after its origin; the newest one explained.

        origins: how many of the newest sessions to forecast from

        Prices are in the unit of `prices`. UsageError where the version gives no distributions; TooFewPrices where it
        needs more prices.
        """
        given = self.model.metadata.get_output_schema().input_names()
        if not {quantile_column(probability) for probability in PROBABILITIES} <= set(given):
            raise UsageError(
                f"forecast of {prices.security.ticker} by {self.model_uri}",
                have="a version from before forecasts were distributions: it gives a price and its intervals alone",
                need="a version that gives quantiles of the next price",
                remedy="train again: tomorrow train",
            )
        known = self.model.metadata.get_params_schema()
        explains = known is not None and EXPLAIN in {spec.name for spec in known.params}
        following = "" if prices.following is None else str(prices.following)
        params = {"origins": origins, "next_session": following} | ({EXPLAIN: True} if explains else {})
        try:
            others = () if prices.others is None else prices.others.columns
            answer = self.model.predict(_frame(prices, (*COLUMNS, *others)), params=params)
        except ValueError as error:
            raise TooFewPrices(
                f"forecast of {prices.security.ticker} by {self.model_uri}",
                have=str(error),
                need="prices for every session that the version looks back on",
                remedy="give more history, or look at what the source holds",
            ) from error
        columns = {name: answer[name].to_numpy() for name in answer}
        return Forecasts.from_columns(columns if explains else columns | self._explained_today(prices, columns))

    def _explained_today(self, prices: Prices, columns: Mapping[str, Values]) -> dict[str, Values]:
        """The columns that explain a forecast of a version from before they were stored: by today's code.

        Empty unless that code makes the same forecast from the version's recipe and network.
        """
        stored = self.model.unwrap_python_model()
        try:
            recipe = Recipe.from_json(stored._recipe.to_json())
            table, following = prices.table(), prices.following_day
            made = inference.forecast(stored._network, recipe, table, 1, following, explain=True)
            same = all(np.allclose(made[name], columns[name][-1:], rtol=SAME, atol=0) for name in columns)
        except (AttributeError, LookupError, TypeError, ValueError):  # code or a recipe of another form
            return {}
        return {name: values for name, values in made.items() if name not in columns} if same else {}


def series_of(metadata: "Model") -> tuple[SeriesInput, ...]:
    """The other series that a stored forecaster takes as inputs, by what MLflow keeps of it."""
    return tuple(
        SeriesInput(name=each["name"], transformations=tuple(each["transformations"]))
        for each in (metadata.metadata or {}).get(SERIES, ())
    )


def load_libraries() -> None:
    """Import the libraries that load a forecaster, which takes seconds the first time."""
    import mlflow.pyfunc  # noqa: F401 - imported ahead of time


def load_forecaster(settings: Settings, model_uri: str, source: str) -> PackagedForecaster:
    """The forecaster at a version's address such as `models:/META-Open/1`; ConfigurationError as for version_files.

    source: the address of the logged model that the version was made from, `models:/m-...`
    """
    import mlflow

    from tasks.system.keras_backend import without_messages

    # A network that NumPy cannot compute is loaded with Keras. All is in memory before the files are removed.
    with version_files(settings, model_uri, source) as stored, without_messages(), yaml_in_c():
        return PackagedForecaster(model_uri=model_uri, model=mlflow.pyfunc.load_model(str(stored)))


@contextmanager
def yaml_in_c() -> Iterator[None]:
    """In the block YAML is read by its C library, where that is installed.

    MLflow reads a model's description three times: otherwise that takes a third of the time that loading it does. One
    thread at a time: the first to leave would else put back what the second has replaced.
    """
    import yaml

    with _IN_C:
        before = yaml.SafeLoader
        yaml.SafeLoader = getattr(yaml, "CSafeLoader", before)  # type: ignore[misc] # a module's name may be given anew
        try:
            yield
        finally:
            yaml.SafeLoader = before  # type: ignore[misc]
