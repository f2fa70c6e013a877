"""An evaluation as JSON, with exact numbers, so that it need not be computed again."""

import json
import logging
from base64 import b64decode, b64encode
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from model.evaluation.distribution import given, no_distributions
from model.evaluation.evaluation import Evaluation
from model.market.prices import Values
from tasks.settings import Settings
from tasks.tracking.checked_files import copy_of_run, is_kept, log_checked
from tasks.tracking.run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

EVALUATION_FILE = "evaluation.json"
HORIZON = "horizon"

logger = logging.getLogger(__name__)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation, field by field: series as lists, distributions packed; of the next session as ever, without 1."""
    names = [each.name for each in fields(Evaluation) if each.name != HORIZON or evaluation.horizon > 1]
    return {name: _plain(getattr(evaluation, name)) for name in names}


def read_evaluation(raw: Any) -> Evaluation:
    """The inverse of `evaluation_json`; KeyError, TypeError or ValueError for anything else."""
    n = len(raw["sessions"])
    return Evaluation(
        sessions=np.array(raw["sessions"], dtype="datetime64[D]"),
        actual=_array(raw["actual"]),
        forecast=_array(raw["forecast"]),
        unit=raw["unit"],
        horizon=int(raw.get(HORIZON, 1)),
        quantiles=unpacked(raw["quantiles"], n),
        **{name: {key: _array(values) for key, values in raw[name].items()} for name in SERIES},
        **{name: {key: unpacked(text, n) for key, text in raw[name].items()} for name in DISTRIBUTIONS},
    )


def log_evaluation(run: TrackedRun, settings: Settings, evaluation: Evaluation) -> None:
    """Store an evaluation with the run of an origin."""
    with TemporaryDirectory() as folder:
        Path(folder, EVALUATION_FILE).write_text(json.dumps(evaluation_json(evaluation)), encoding="utf-8")
        log_checked(run.client, settings, run.run_id, Path(folder))


def stored_evaluation(client: "MlflowClient", settings: Settings, run_id: str) -> Evaluation | None:
    """The evaluation of an origin's run; None where it is gone, or was not written here, so that it does not count."""
    from mlflow.exceptions import MlflowException

    try:
        with TemporaryDirectory() as folder:
            content = copy_of_run(client, settings, run_id, EVALUATION_FILE, folder).read_bytes()
    except (MlflowException, OSError) as error:
        logger.warning("run %s does not count: its result cannot be read: %s", run_id, error)
        return None
    if not is_kept(settings, run_id, EVALUATION_FILE, content):
        logger.warning("run %s does not count: its result was not written here", run_id)
        return None
    return read_evaluation(json.loads(content))


SERIES = ("naive", "statistical", "scales")
DISTRIBUTIONS = ("naive_quantiles", "statistical_quantiles")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, str | int | None):
        return value
    if value.ndim == 2:
        return packed(value)
    return value.astype(str).tolist() if value.dtype.kind == "M" else value.tolist()


def _array(values: Any) -> Values:
    return np.array(values, dtype=np.float64)


def packed(quantiles: Values) -> str | None:
    """Distributions as base64 of little-endian doubles, half as long as numbers as text; None where there are none."""
    return b64encode(quantiles.astype("<f8").tobytes()).decode() if given(quantiles).any() else None


def unpacked(text: str | None, n: int) -> Values:
    """The inverse of `packed`, (n, probabilities); ValueError where the text does not fit."""
    if text is None:
        return no_distributions(n)
    return np.frombuffer(b64decode(text), dtype="<f8").reshape(n, -1).astype(np.float64)
