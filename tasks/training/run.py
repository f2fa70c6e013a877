"""The records of a training: its MLflow run, and the registered version."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from model.config import ForecasterConfig
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split
from model.forecaster.forecaster import Forecaster, LossCourse
from model.presets import SHORT, preset_label
from model.training.gradients import gradient_norms
from tasks.registry.registry import Registry
from tasks.registry.version import AS_OF, RegisteredVersion, logged_model_id
from tasks.settings import Settings
from tasks.tracking.artifacts import log_predictions
from tasks.tracking.checked_files import log_checked
from tasks.tracking.client import Tracking
from tasks.tracking.datasets import dataset_of_test
from tasks.tracking.experiment import shown
from tasks.tracking.provenance import FINGERPRINT, training_tags
from tasks.tracking.run import TrackedRun, start_run
from tasks.tracking.run_inputs import RunConfig, log_inputs
from tasks.training.description import run_note
from tasks.training.figures import LATER, log_training_figures

RESULTS_FILE = "results.json"


class TrainingResults(BaseModel):
    """The results of a training, as they are stored with the run.

    rows, features: how many sessions one forecast needs, and how many numbers the network gets for each
    epochs:         of all networks together; first_loss, last_loss: the mean loss in the first and last of them
    fit_seconds:    the wall time of the fit
    metrics:        all of them, on the test period; errors in the unit of the prices. MLflow shows a few
    gradients:      the oldest step's gradient over the newest's, as `GradientNorms.ratios` names them; none where the
                    figures are drawn later
    courses:        how the loss of each network went
    """

    # By default an infinite number is written as null, which no number can be read from.
    model_config = ConfigDict(ser_json_inf_nan="constants")

    rows: int
    features: int
    epochs: int
    first_loss: float
    last_loss: float
    fit_seconds: float
    backend: str
    metrics: dict[str, float]
    gradients: dict[str, float] = {}
    courses: tuple[LossCourse, ...] = ()


def start_training_run(
    tracking: Tracking, split: Split, forecaster: ForecasterConfig, tags: Mapping[str, str]
) -> TrackedRun:
    """Open the run of a training; it is closed at the end of its `with` statement."""
    changed = preset_label(forecaster, SHORT).removeprefix(forecaster.preset)
    name = f"{split.prices.security.ticker} {forecaster.column} {forecaster.preset} {split.prices.last}{changed}"
    return start_run(
        tracking.client, tracking.experiment_id(), name, {**training_tags(split.prices, forecaster), **tags}
    )


def log_setup(run: TrackedRun, settings: Settings, split: Split, config: RunConfig) -> None:
    """Log what is known before the fit: the configuration, the data sets, the prices themselves."""
    written = config.model_dump(mode="json")
    written["forecaster"]["preset"] = preset_label(config.forecaster)
    run.log_params(written)
    run.log_datasets(split)
    log_inputs(run, settings, config, split.prices)


def log_results(
    run: TrackedRun,
    settings: Settings,
    split: Split,
    forecaster: Forecaster,
    judged: Evaluation,
    model_uri: str,
    *,
    draw: bool = True,
) -> TrainingResults:
    """Log the results: metrics, the table of predictions, the note that summarises them, and figures if `draw`."""
    from keras import backend

    norms = gradient_norms(forecaster, split.train) if draw else None
    results = TrainingResults(
        rows=forecaster.recipe.rows,
        features=forecaster.recipe.features,
        epochs=len(forecaster.losses),
        first_loss=forecaster.losses[0],
        last_loss=forecaster.losses[-1],
        fit_seconds=forecaster.fit_seconds,
        backend=str(backend.backend()),
        metrics=judged.metrics(),
        gradients={} if norms is None else norms.ratios(),
        courses=forecaster.courses,
    )
    run.log_metrics(shown(results.metrics), model_id=logged_model_id(model_uri), dataset=dataset_of_test(split))
    with TemporaryDirectory() as folder:
        Path(folder, RESULTS_FILE).write_text(results.model_dump_json(indent=2), encoding="utf-8")
        log_checked(run.client, settings, run.run_id, Path(folder))
    log_predictions(run, judged)
    if draw:
        drawn = split, forecaster.recipe, forecaster.courses, judged, norms
        lacks = log_training_figures(run.client, run.run_id, *drawn)
    else:
        lacks = LATER.format(model=settings.model_name(split.prices.security.ticker, forecaster.config.column))
    run.set_tags(
        {
            "mlflow.note.content": run_note(split, forecaster.config, judged, model_uri) + lacks,
            "backend": results.backend,
            "test.first": str(split.first_test),
            "test.last": str(split.last_test),
        }
    )
    return results


def register_trained(
    registry: Registry,
    settings: Settings,
    run: TrackedRun,
    split: Split,
    forecaster: Forecaster,
    model_uri: str,
    tags: Mapping[str, str],
) -> RegisteredVersion:
    """Register a run's model as the next version of its security and column.

    tags: further tags of the version
    """
    prices, config = split.prices, forecaster.config
    return registry.register(
        settings.model_name(prices.security.ticker, config.column),
        run_id=run.run_id,
        model_uri=model_uri,
        tags={
            "security": prices.security.ticker,
            "column": config.column,
            "preset": preset_label(config),
            "source": prices.source,
            AS_OF: str(prices.last),
            **tags,
            FINGERPRINT: prices.fingerprint,
        },
    )
