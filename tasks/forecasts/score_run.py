"""The scores of a version's recorded forecasts, in an MLflow run: metrics by session, a table, and figures.

The run also has the live proof, skill and evidence, over all forecasts of the model so far, those of earlier versions
included.

A metric's step is the session's day number, counted from the year 1, its time the end of that day in UTC; so logging a
metric again gives the same row. Tags of the version hold the run's id and the newest session written.
"""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import numpy as np

from model.errors import TomorrowError
from model.evaluation.monitoring import Monitoring, Window, returns_drift
from model.figures.monitoring import live_figures, monitoring_figures
from tasks.registry.mlflow_registry import quoted
from tasks.tracking.client import Tracking
from tasks.tracking.run import BATCH
from tasks.tracking.run_inputs import reload_test

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from model.evaluation.evaluation import Evaluation
    from model.evaluation.evidence.live import LiveRecord
    from model.market.prices import Prices, Values
    from tasks.registry.registry import Registry
    from tasks.registry.version import RegisteredVersion

RUN, WRITTEN, OF = "x.score.run", "x.score.written", "x.score.of"
TABLE = "forecasts.json"

logger = logging.getLogger(__name__)


def drift_of(
    tracking: Tracking, version: "RegisteredVersion", judged: "Evaluation", known: "Prices", monitoring: Monitoring
) -> "Values":
    """(n,) for each judged session: how far returns up to it are from those in training; NaN if that cannot be read.

    Forecasts are scored even if the files of an old training are lost.
    """
    try:
        training = reload_test(tracking, version.run_id, version.model_uri)[1].train
    except TomorrowError as error:
        logger.warning("%s: %s: scored without its drift", error.subject, error.have)
        return np.full(len(judged.sessions), math.nan)
    return returns_drift(training, known, judged.sessions.tolist(), monitoring)


def is_unwritten(version: "RegisteredVersion", newest: date) -> bool:
    """Whether some window of the version, up to its `newest` session, is not logged yet."""
    return version.tags.get(WRITTEN, "") < newest.isoformat()


def log_windows(
    tracking: Tracking,
    registry: "Registry",
    version: "RegisteredVersion",
    windows: Sequence[Window],
    live: "LiveRecord | None",
) -> str:
    """Log the windows that are not logged yet; table and figures show all of them. Returns the run's id.

    live: the record of the whole model
    """
    from mlflow.entities import Metric

    run_id = version.tags.get(RUN) or _run(tracking, version)
    written = version.tags.get(WRITTEN, "")
    fresh = [window for window in windows if window.session.isoformat() > written]
    if not fresh:
        return run_id
    proofs = _proofs(live)
    batch = [
        Metric(name, value, _milliseconds(window), window.session.toordinal())
        for window in fresh
        for name, value in {**window.metrics(), **proofs.get(window.session, {})}.items()
    ]
    for start in range(0, len(batch), BATCH):
        tracking.client.log_batch(run_id, metrics=batch[start : start + BATCH])
    settings, subject = tracking.settings, f"{version.model} {version.named}"
    figures = monitoring_figures(windows, subject, settings.score)
    if live is not None:
        figures = {**figures, **live_figures(live, settings.gate.min_evidence, version.model)}
    for name, figure in figures.items():
        tracking.client.log_figure(run_id, figure, f"figures/{name}.png")
    _log_table(tracking.client, run_id, windows)
    registry.note(version, {RUN: run_id, WRITTEN: windows[-1].session.isoformat()})
    return run_id


def _proofs(live: "LiveRecord | None") -> dict[date, dict[str, float]]:
    """Session -> name -> figure of the live record after it; undefined figures are left out."""
    if live is None:
        return {}
    figures = live.by_session()
    return {
        session: {name: float(values[row]) for name, values in figures.items() if math.isfinite(values[row])}
        for row, session in enumerate(live.sessions.tolist())
    }


def _log_table(client: "MlflowClient", run_id: str, windows: Sequence[Window]) -> None:
    """Each forecast with its scores, as a table that MLflow's pages show.

    MLflow's `log_table` would append, and so repeat forecasts after a kill.
    """
    rows = [dict(_row(window)) for window in windows]
    client.log_dict(run_id, {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}, TABLE)
    client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps([{"path": TABLE, "type": "table"}]))


def _row(window: Window) -> Iterator[tuple[str, Any]]:
    """(column, value) for the newest forecast of a window; None where a value is undefined."""
    yield "session", str(window.session)
    yield "actual", float(window.judged.actual[-1])
    yield "forecast", float(window.judged.forecast[-1])
    yield from ((name, value if math.isfinite(value) else None) for name, value in window.scores().items())


def _run(tracking: Tracking, version: "RegisteredVersion") -> str:
    """The run for a version's scores; finds the one that a killed process made, else makes one."""
    experiment, of = tracking.experiment_id(), f"{version.model}/{version.version}"
    for found in tracking.client.search_runs([experiment], f"tags.`{OF}` = {quoted(of)}", max_results=1):
        return str(found.info.run_id)
    tags = {OF: of, "mlflow.parentRunId": version.run_id} if version.run_id else {OF: of}
    run = tracking.client.create_run(experiment, run_name=f"score {version.model} {version.version}", tags=tags)
    tracking.client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _milliseconds(window: Window) -> int:
    return int(datetime.combine(window.session, time.max, UTC).timestamp() * 1000)
