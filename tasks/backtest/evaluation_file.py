"""An evaluation as JSON: every number to the last bit, so that it need not be computed again."""

import json
import logging
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from model.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from mlflow.entities import Run

EVALUATION_FILE = "evaluation.json"

logger = logging.getLogger(__name__)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as lists under the names of its parts."""
    return {field.name: _plain(getattr(evaluation, field.name)) for field in fields(Evaluation)}


def read_evaluation(raw: Any) -> Evaluation:
    """The inverse; KeyError, TypeError or ValueError where it is none."""
    return Evaluation(
        sessions=np.array(raw["sessions"], dtype="datetime64[D]"),
        actual=_array(raw["actual"]),
        forecast=_array(raw["forecast"]),
        intervals={float(level): (_array(low), _array(high)) for level, (low, high) in raw["intervals"].items()},
        **{name: {key: _array(values) for key, values in raw[name].items()} for name in NAMED},
    )


def stored_evaluation(run: "Run") -> Evaluation | None:
    """What the run of an origin holds; None where that is gone or cannot be read, which is no result."""
    from mlflow.artifacts import load_text
    from mlflow.exceptions import MlflowException

    try:
        return read_evaluation(json.loads(load_text(f"{run.info.artifact_uri}/{EVALUATION_FILE}")))
    except (MlflowException, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        logger.warning("run %s holds no result that can be read, and counts for none: %s", run.info.run_id, error)
        return None


NAMED = ("naive", "statistical", "scales")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value.astype(str).tolist() if value.dtype.kind == "M" else value.tolist()


def _array(values: Any) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)
