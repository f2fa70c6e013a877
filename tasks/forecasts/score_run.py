"""A version at work, as a run of its own in MLflow: rolling metrics by session, and figures.

The step of a metric is the session's day number, counted from the year 1, and its time the end of that day: the same
metrics logged again are the same rows. Which run it is, and up to which session it is written, stands on the version.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from model.evaluation.monitoring import Monitoring, Window, returns_drift
from model.figures.monitoring import monitoring_figures
from tasks.registry.mlflow_registry import quoted
from tasks.tracking.client import Tracking
from tasks.tracking.run import BATCH
from tasks.tracking.run_inputs import reload_test

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from model.evaluation.evaluation import Evaluation
    from model.market.prices import Prices, Values
    from tasks.registry.registry import Registry
    from tasks.registry.version import RegisteredVersion

RUN, WRITTEN, OF = "score.run", "score.written", "score.of"


def drift_of(
    client: "MlflowClient", version: "RegisteredVersion", judged: "Evaluation", known: "Prices", monitoring: Monitoring
) -> "Values":
    """How far the returns up to each judged session are from those that the version was trained on."""
    training = reload_test(client, version.run_id)[1].train
    return returns_drift(training, known, judged.sessions.tolist(), monitoring)


def is_unwritten(version: "RegisteredVersion", newest: date) -> bool:
    """Whether the version's windows up to its `newest` session are not all logged yet."""
    return version.tags.get(WRITTEN, "") < newest.isoformat()


def log_windows(
    tracking: Tracking,
    registry: "Registry",
    version: "RegisteredVersion",
    windows: Sequence[Window],
) -> str:
    """Log the windows that are not logged yet, and draw all of them; the run's id."""
    from mlflow.entities import Metric

    run_id = version.tags.get(RUN) or _run(tracking, version)
    written = version.tags.get(WRITTEN, "")
    fresh = [window for window in windows if window.session.isoformat() > written]
    if not fresh:
        return run_id
    batch = [
        Metric(name, value, _milliseconds(window), window.session.toordinal())
        for window in fresh
        for name, value in window.metrics().items()
    ]
    for start in range(0, len(batch), BATCH):
        tracking.client.log_batch(run_id, metrics=batch[start : start + BATCH])
    subject = f"{version.model} {version.named}"
    for name, figure in monitoring_figures(windows, subject, tracking.settings.score).items():
        tracking.client.log_figure(run_id, figure, f"figures/{name}.png")
    registry.note(version, {RUN: run_id, WRITTEN: windows[-1].session.isoformat()})
    return run_id


def _run(tracking: Tracking, version: "RegisteredVersion") -> str:
    """The run of a version; one that was made by a process that was killed then is found again."""
    experiment, of = tracking.experiment_id(), f"{version.model}/{version.version}"
    for found in tracking.client.search_runs([experiment], f"tags.`{OF}` = {quoted(of)}", max_results=1):
        return str(found.info.run_id)
    tags = {OF: of, "mlflow.parentRunId": version.run_id} if version.run_id else {OF: of}
    run = tracking.client.create_run(experiment, run_name=f"score {version.model} {version.version}", tags=tags)
    tracking.client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _milliseconds(window: Window) -> int:
    return int(datetime.combine(window.session, time.max, UTC).timestamp() * 1000)
