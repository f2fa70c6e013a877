"""What a run keeps as files can be read back from a real store."""

import csv
from pathlib import Path

import numpy as np
import pytest

from model.config import EvaluationConfig, PriceRequest
from model.evaluation.split import Split
from model.figures.training import training_figures
from tasks.settings import Settings
from tasks.tracking.artifacts import log_figures, log_predictions
from tasks.tracking.client import open_tracking
from tasks.tracking.run import TrackedRun, start_run
from tasks.tracking.run_inputs import RunConfig, load_prices, log_inputs
from tasks.training.description import run_note
from tests.model.figures.given import LEVEL, course
from tests.tasks.tracking.given import CONFIG, evaluation_of, losses, status

INPUTS = RunConfig(request=PriceRequest(), forecaster=CONFIG, evaluation=EvaluationConfig())


def test_figures_are_images_of_the_run(run: TrackedRun, split: Split, tmp_path: Path) -> None:
    figures = training_figures(split, LEVEL, [course(0.1, 0.01)], evaluation_of(split))
    log_figures(run.client, run.run_id, figures)
    files = {file.path for file in run.client.list_artifacts(run.run_id, "figures")}
    assert files == {f"figures/{name}.png" for name in ("prices", "loss", "scaled", "forecast", "errors")}
    image = Path(run.client.download_artifacts(run.run_id, "figures/forecast.png", str(tmp_path)))
    assert image.read_bytes().startswith(b"\x89PNG")


def test_the_predictions_stand_in_a_table_and_in_a_csv_with_every_digit(
    run: TrackedRun, experiment: str, split: Split, tmp_path: Path
) -> None:
    evaluation = evaluation_of(split)
    log_predictions(run, evaluation)
    table = run.client.load_table(experiment, "predictions.json", [run.run_id])
    assert list(table["session"]) == [str(day) for day in evaluation.sessions]
    assert np.allclose(table["newest_Close"], evaluation.naive["newest_Close"])
    with Path(run.client.download_artifacts(run.run_id, "predictions.csv", str(tmp_path))).open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["forecast"]) for row in rows] == evaluation.forecast.tolist()
    assert [float(row["actual"]) for row in rows] == evaluation.actual.tolist()


def test_the_note_sets_the_numbers_beside_the_naive_ones_and_says_how_to_load_the_model(
    run: TrackedRun, split: Split
) -> None:
    evaluation = evaluation_of(split)
    run.log_note(run_note(split, CONFIG, evaluation, "models:/TEST-Open/3"))
    note = run.client.get_run(run.run_id).data.tags["mlflow.note.content"]
    assert f"| this model |  | ${evaluation.rmse:,.3f} | ${evaluation.mae:,.3f} |" in note
    assert "| naive: the newest Open |" in note
    assert "| naive: the newest Close |" in note
    assert 'load_model("models:/TEST-Open/3").predict(frame)' in note


@pytest.mark.servers
def test_all_of_it_works_through_a_server_and_prints_nothing(
    mlflow_server: Settings, split: Split, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracking = open_tracking(mlflow_server)
    client = tracking.client
    evaluation = evaluation_of(split)
    capfd.readouterr()
    with start_run(client, tracking.experiment_id(), "through a server") as run:
        run.log_params(CONFIG)
        log_inputs(run, mlflow_server, INPUTS, split.prices)
        run.log_datasets(split)
        run.log_epoch(1, 0.5)
        run.log_epoch(2, 0.4)
        run.log_metrics(evaluation.metrics())
        figures = training_figures(split, LEVEL, [course(0.5, 0.4)], evaluation)
        log_figures(run.client, run.run_id, figures)
        log_predictions(run, evaluation)
        run.log_note(run_note(split, CONFIG, evaluation, "models:/m-1"))
    assert load_prices(tracking, run.run_id, "models:/TEST-Open/1").values.tobytes() == split.prices.values.tobytes()
    assert status(run) == "FINISHED"
    assert losses(run) == [(1, 0.5), (2, 0.4)]
    image = Path(client.download_artifacts(run.run_id, "figures/errors.png", str(tmp_path)))
    assert image.read_bytes().startswith(b"\x89PNG")
    assert capfd.readouterr() == ("", "")
