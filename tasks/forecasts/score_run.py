"""The scores of a version's recorded forecasts, in an MLflow run: metrics by session, a table, and figures.

The run also has the live proof, skill and evidence, over all forecasts of the model so far, those of earlier versions
included.

A metric's step is the session's day number, counted from the year 1, its time the end of that day in UTC; so logging a
metric again gives the same row. Tags of the version hold the run's id, the newest session written and the newest drawn:
figures take longer than all else, so those of one of several securities wait until it is scored alone.
"""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import numpy as np

from model.artifact.sessions_ahead import further_column
from model.errors import TomorrowError
from model.evaluation.monitoring import Monitoring, Window, returns_drift
from tasks.forecasts.cones import cones_of_version
from tasks.registry.mlflow_registry import quoted
from tasks.tracking.client import Tracking
from tasks.tracking.run import METRICS
from tasks.tracking.run_inputs import reload_test

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from model.evaluation.evaluation import Evaluation
    from model.market.prices import Prices, Values
    from tasks.forecasts.summary import ForecastSummary
    from tasks.registry.registry import Registry
    from tasks.registry.version import RegisteredVersion

RUN, WRITTEN, DRAWN, OF = "x.score.run", "x.score.written", "x.score.drawn", "x.score.of"
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


def is_unwritten(version: "RegisteredVersion", newest: date, *, draw: bool) -> bool:
    """Whether some window of the version, up to its `newest` session, is not logged yet; or, with `draw`, not drawn."""
    return any(version.tags.get(tag, "") < newest.isoformat() for tag in (WRITTEN, *([DRAWN] if draw else ())))


def log_windows(
    tracking: Tracking,
    registry: "Registry",
    version: "RegisteredVersion",
    windows: Sequence[Window],
    summary: "ForecastSummary",
    *,
    draw: bool,
) -> str:
    """Log the windows that are not logged yet; table and figures show all of them. Returns the run's id.

    summary: of the whole model
    draw:    whether to draw the figures, too
    """
    run_id, newest = version.tags.get(RUN) or _run(tracking, version), windows[-1].session
    tags = {} if version.tags.get(RUN) == run_id else {RUN: run_id}
    if is_unwritten(version, newest, draw=False):
        _log_metrics(tracking.client, run_id, windows, version.tags.get(WRITTEN, ""), _proofs(summary))
        _log_table(tracking.client, run_id, windows)
        tags[WRITTEN] = newest.isoformat()
    if draw and is_unwritten(version, newest, draw=True):
        _draw(tracking, run_id, version, windows, summary)
        tags[DRAWN] = newest.isoformat()
    if tags.keys() - {RUN}:
        registry.note(version, tags)
    return run_id


def _log_metrics(
    client: "MlflowClient",
    run_id: str,
    windows: Sequence[Window],
    written: str,
    proofs: Mapping[date, Mapping[str, float]],
) -> None:
    """Log the figures of each window after the newest session written."""
    from mlflow.entities import Metric

    batch = [
        Metric(name, value, _milliseconds(window), window.session.toordinal())
        for window in windows
        if window.session.isoformat() > written
        for name, value in {**window.metrics(), **proofs.get(window.session, {})}.items()
    ]
    for start in range(0, len(batch), METRICS):
        client.log_batch(run_id, metrics=batch[start : start + METRICS])


def _draw(
    tracking: Tracking,
    run_id: str,
    version: "RegisteredVersion",
    windows: Sequence[Window],
    summary: "ForecastSummary",
) -> None:
    """Draw and log the figures of the windows and of the live proofs, and the version's cone of several sessions."""
    from model.figures.monitoring import live_figures, monitoring_figures
    from model.figures.newest.cone import cone_figure

    settings, subject = tracking.settings, f"{version.model} {version.named}"
    figures = {**monitoring_figures(windows, subject, settings.score)}
    for each in (summary, *summary.further):
        if each.live is not None:
            figures |= live_figures(each.live, settings.gate.min_evidence, version.model, each.horizon)
    if cones := cones_of_version(summary, version.version):
        figures["cone"] = cone_figure(cones, f"{subject}: several sessions ahead")
    for name, figure in figures.items():
        tracking.client.log_figure(run_id, figure, f"figures/{name}.png")


def _proofs(summary: "ForecastSummary") -> dict[date, dict[str, float]]:
    """Session -> name -> figure of the live record after it; undefined figures are left out.

    Those of later sessions are named after how far ahead they are, such as in_5_live_evidence.
    """
    found: dict[date, dict[str, float]] = {}
    for each in (summary, *summary.further):
        if each.live is None:
            continue
        for name, values in each.live.by_session().items():
            named = name if each.horizon == 1 else further_column(each.horizon, name)
            for session, value in zip(each.live.sessions.tolist(), values.tolist(), strict=True):
                if math.isfinite(value):
                    found.setdefault(session, {})[named] = value
    return found


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
    yield from ((name, value if math.isfinite(value) else None) for name, value in window.scores.items())


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
