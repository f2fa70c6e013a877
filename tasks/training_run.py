"""What a training leaves behind: its MLflow run, and the registered version."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from model.config import EvaluationConfig, ForecasterConfig, PricesConfig
from model.evaluation import Evaluation
from model.forecaster import Forecaster
from model.plots import training_figures
from model.scaling import sessions_needed
from model.split import Split, split_prices
from tasks.kept_prices import load_prices
from tasks.note import run_note
from tasks.register import Registry
from tasks.settings import Settings
from tasks.store import experiment_id
from tasks.track import TrackedRun, start_run, training_tags
from tasks.version import RegisteredVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONFIG_FILE = "config.json"


class RunConfig(BaseModel):
    """What a run was configured with, as it is stored with the run."""

    prices: PricesConfig
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig


def start_training_run(
    client: "MlflowClient", settings: Settings, split: Split, forecaster: ForecasterConfig, tags: Mapping[str, str]
) -> TrackedRun:
    """Open the run of a training; it closes when its `with` statement is left."""
    name = f"{split.prices.security.ticker} {forecaster.column} {forecaster.preset}"
    return start_run(client, experiment_id(client, settings), name, {**training_tags(split.prices, forecaster), **tags})


def log_setup(run: TrackedRun, split: Split, config: RunConfig) -> None:
    """Log what is known before the fit: the configuration, the data sets, the prices themselves."""
    run.log_params(config)
    run.client.log_dict(run.run_id, config.model_dump(mode="json"), CONFIG_FILE)
    run.log_datasets(split)
    run.log_prices(split.prices)


def log_results(run: TrackedRun, split: Split, forecaster: Forecaster, judged: Evaluation, model_uri: str) -> None:
    """Log what came out: metrics, figures, the table of predictions, and the note that sums it up."""
    from keras import backend

    column = forecaster.config.column
    series = split.train.column(column)
    run.log_metrics({**judged.metrics(), "fit_seconds": forecaster.fit_seconds})
    run.log_predictions(judged)
    run.log_figures(
        training_figures(
            split, column, forecaster.losses, judged, minimum=float(series.min()), maximum=float(series.max())
        )
    )
    run.log_note(run_note(split, forecaster.config, judged, model_uri))
    run.set_tags(
        {"backend": str(backend.backend()), "test.first": str(split.first_test), "test.last": str(split.last_test)}
    )


def register_trained(
    registry: Registry,
    settings: Settings,
    run: TrackedRun,
    split: Split,
    forecaster: Forecaster,
    model_uri: str,
    tags: Mapping[str, str],
) -> RegisteredVersion:
    """Register a run's model as the next version of its security and column, with tags besides its own."""
    prices, config = split.prices, forecaster.config
    return registry.register(
        settings.model_name(prices.security.ticker, config.column),
        run_id=run.run_id,
        model_uri=model_uri,
        tags={
            "security": prices.security.ticker,
            "column": config.column,
            "preset": config.preset,
            "source": prices.source,
            "fingerprint": prices.fingerprint,
            **tags,
        },
    )


def reload_test(client: "MlflowClient", run_id: str) -> tuple[RunConfig, Split]:
    """A run's configuration and its prices, cut as they were when it was trained."""
    from mlflow.artifacts import load_dict

    run = client.get_run(run_id)
    config = RunConfig.model_validate(load_dict(f"{run.info.artifact_uri}/{CONFIG_FILE}"))
    return config, split_prices(load_prices(client, run_id), config.evaluation, sessions_needed(config.forecaster))
