"""The files of a run for people: its figures and the forecasts of the test period."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from model.evaluation.evaluation import Evaluation
from tasks.tracking.run import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient


TABLE = "predictions.json"


def log_figures(client: "MlflowClient", run_id: str, figures: Mapping[str, "Figure"]) -> None:
    """Log figures as `figures/NAME.png`."""
    with TemporaryDirectory() as folder:
        for name, figure in figures.items():
            figure.savefig(Path(folder, f"{name}.png"), metadata={"Software": None})
        client.log_artifacts(run_id, folder, "figures")


def log_predictions(run: TrackedRun, evaluation: Evaluation) -> None:
    """Log the forecasts of the test period twice: as a table that MLflow's pages show, and as CSV."""
    table = predictions_table(evaluation)
    shown = {"columns": list(table), "data": [list(map(_json, row)) for row in zip(*table.values(), strict=True)]}
    # MLflow's `log_table` would first read what it appends to.
    run.set_tags({"mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}])})
    with TemporaryDirectory() as folder:
        Path(folder, TABLE).write_text(json.dumps(shown), encoding="utf-8")
        with Path(folder, "predictions.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
        run.client.log_artifacts(run.run_id, folder)


def _json(value: Any) -> Any:
    """A value of the table; JSON has no number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def predictions_table(evaluation: Evaluation) -> dict[str, list[Any]]:
    """The forecasts as columns of prices: session, actual, forecast, error and the naive forecasts."""
    return {
        "session": [str(session) for session in evaluation.sessions],
        "actual": evaluation.actual.tolist(),
        "forecast": evaluation.forecast.tolist(),
        "error": (evaluation.forecast - evaluation.actual).tolist(),
        **{name: values.tolist() for name, values in evaluation.naive.items()},
    }
