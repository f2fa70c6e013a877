"""The files of a run for people: its figures and the forecasts of the test period."""

import csv
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from model.evaluation.evaluation import Evaluation
from tasks.tracking.run import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_figures(run: TrackedRun, figures: Mapping[str, "Figure"]) -> None:
    """Log figures as `figures/NAME.png`."""
    with TemporaryDirectory() as folder:
        for name, figure in figures.items():
            figure.savefig(Path(folder, f"{name}.png"), metadata={"Software": None})
        run.client.log_artifacts(run.run_id, folder, "figures")


def log_predictions(run: TrackedRun, evaluation: Evaluation) -> None:
    """Log the forecasts of the test period twice: as a table that MLflow's pages show, and as CSV."""
    table = predictions_table(evaluation)
    run.client.log_table(run.run_id, table, "predictions.json")
    with TemporaryDirectory() as folder:
        with Path(folder, "predictions.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
        run.client.log_artifacts(run.run_id, folder)


def predictions_table(evaluation: Evaluation) -> dict[str, list[Any]]:
    """The forecasts as columns of prices: session, actual, forecast, error and the naive forecasts."""
    return {
        "session": [str(session) for session in evaluation.sessions],
        "actual": evaluation.actual.tolist(),
        "forecast": evaluation.forecast.tolist(),
        "error": (evaluation.forecast - evaluation.actual).tolist(),
        **{name: values.tolist() for name, values in evaluation.naive.items()},
    }
