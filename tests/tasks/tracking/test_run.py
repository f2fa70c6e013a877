"""What is logged can be read back from a real store, and every run ends as what happened to it."""

import csv
import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.config import EvaluationConfig, ForecasterConfig, NetworkConfig, PriceRequest, TrainingConfig
from model.errors import FaultyPrices
from model.evaluation.baselines import naive_forecasts
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split, split_prices
from model.figures.training import training_figures
from model.market.prices import COLUMNS, Prices
from tasks.prices.parquet import write_price_file
from tasks.settings import Settings, TrackingSettings
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.run import TrackedRun, run_url, start_run, training_tags
from tasks.tracking.run_inputs import load_prices
from tasks.training.description import run_note
from tests.market import make_prices

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset

CONFIG = ForecasterConfig(
    lookback=10, network=NetworkConfig(units=(8, 4)), training=TrainingConfig(epochs=7, learning_rate=0.1 + 0.2)
)


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def experiment(tracking: Tracking) -> str:
    return tracking.experiment_id()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(client: "MlflowClient", experiment: str, clock: Clock) -> TrackedRun:
    return start_run(client, experiment, "a training", {"asked_by": "a test"}, clock=clock)


@pytest.fixture
def split() -> Split:
    return split_prices(make_prices(120), EvaluationConfig(test_sessions=21), lookback=10)


def evaluation_of(split: Split) -> Evaluation:
    known = split.prices.until(split.prices.day(len(split.prices) - 2))
    actual = split.actual[:, 0]
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=actual,
        forecast=actual + np.linspace(-2, 3, split.n_test),
        naive=naive_forecasts(known, "Open", split.n_test),
    )


def losses(run: TrackedRun) -> list[tuple[int, float]]:
    return sorted((metric.step, metric.value) for metric in run.client.get_metric_history(run.run_id, "loss"))


def status(run: TrackedRun) -> str:
    return str(run.client.get_run(run.run_id).info.status)


def test_a_run_that_was_started_is_running_under_its_name_and_tags(run: TrackedRun) -> None:
    stored = run.client.get_run(run.run_id)
    assert (stored.info.status, stored.info.run_name) == ("RUNNING", "a training")
    assert stored.data.tags["asked_by"] == "a test"


def test_the_parameters_are_the_configurations_that_were_used(run: TrackedRun) -> None:
    wanted = PriceRequest(ticker="META", source="csv", files=("a.csv", "b.csv"))
    run.log_params(CONFIG, wanted)
    params = run.client.get_run(run.run_id).data.params
    assert params["network.units"] == "[8, 4]"
    assert params["training.epochs"] == "7"
    assert float(params["training.learning_rate"]) == 0.1 + 0.2
    assert params["training.clip_norm"] == "None"
    assert params["files"] == "['a.csv', 'b.csv']"
    dumped = {**CONFIG.model_dump(mode="json"), **wanted.model_dump(mode="json")}
    expected = {key: str(value) for key, value in dumped.items() if not isinstance(value, dict)}
    for part in ("network", "training"):
        expected |= {f"{part}.{key}": str(value) for key, value in dumped[part].items()}
    assert params == expected


def test_more_parameters_than_one_call_takes_are_all_logged(run: TrackedRun) -> None:
    run.log_params({"many": {str(i): i for i in range(250)}})
    assert run.client.get_run(run.run_id).data.params == {f"many.{i}": str(i) for i in range(250)}


def test_a_hundred_losses_become_a_metrics_history(run: TrackedRun, clock: Clock) -> None:
    expected = [(epoch, 0.05 / epoch) for epoch in range(1, 101)]
    with run:
        for epoch, loss in expected:
            clock.seconds += 0.1
            run.log_epoch(epoch, loss)
    assert losses(run) == expected
    history = run.client.get_metric_history(run.run_id, "loss")
    assert max(metric.timestamp for metric in history) - run.client.get_run(run.run_id).info.start_time == 10_000


def test_losses_wait_for_their_batch_and_show_while_it_trains(run: TrackedRun, clock: Clock) -> None:
    run.log_epoch(1, 0.5)
    run.log_epoch(2, 0.4)
    clock.seconds += 1.9
    run.log_epoch(3, 0.3)
    assert losses(run) == [(1, 0.5)]
    clock.seconds += 0.1
    run.log_epoch(4, 0.2)
    assert losses(run) == [(1, 0.5), (2, 0.4), (3, 0.3), (4, 0.2)]


def test_more_epochs_than_one_call_takes_are_all_logged(run: TrackedRun) -> None:
    with run:
        for epoch in range(1, 2503):
            run.log_epoch(epoch, 1 / epoch)
    assert [epoch for epoch, _ in losses(run)] == list(range(1, 2503))


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
        (ValueError("a fault"), "FAILED"),
        (FaultyPrices("p", have="h", need="n", remedy="r"), "FAILED"),
    ],
)
def test_a_run_that_is_cut_short_says_how_and_keeps_its_losses(
    run: TrackedRun, ending: BaseException, expected: str
) -> None:
    def train() -> None:
        with run:
            run.log_epoch(1, 0.5)
            run.log_epoch(2, 0.4)
            raise ending

    with pytest.raises(type(ending)):
        train()
    assert status(run) == expected
    assert losses(run) == [(1, 0.5), (2, 0.4)]


def test_a_run_that_ends_well_is_finished_and_an_ended_one_stays_as_it_is(run: TrackedRun) -> None:
    with run:
        run.end("FAILED")
    assert status(run) == "FAILED"


def test_a_store_that_is_away_for_a_moment_costs_no_loss(
    run: TrackedRun, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    # The store refuses whatever is logged to a deleted run.
    run.client.delete_run(run.run_id)
    with caplog.at_level(logging.WARNING, "tasks.tracking.run"):
        run.log_epoch(1, 0.5)
    assert "will try again" in caplog.text
    run.client.restore_run(run.run_id)
    clock.seconds += 2
    run.log_epoch(2, 0.4)
    assert losses(run) == [(1, 0.5), (2, 0.4)]


def test_what_ended_a_training_is_seen_though_the_store_is_gone(run: TrackedRun) -> None:
    run.client.delete_run(run.run_id)
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError


def test_metrics_and_tags_are_read_back(run: TrackedRun, split: Split) -> None:
    evaluation = evaluation_of(split)
    tags = training_tags(split.prices, CONFIG)
    run.log_metrics(evaluation.metrics())
    run.set_tags(tags)
    data = run.client.get_run(run.run_id).data
    assert data.metrics == evaluation.metrics()
    assert tags.items() <= data.tags.items()
    assert (tags["security"], tags["column"], tags["preset"], tags["source"]) == ("TEST", "Open", "tutorial", "csv")
    assert tags["fingerprint"] == split.prices.fingerprint
    assert tags["library.mlflow"]


def datasets(run: TrackedRun, split: Split) -> "dict[str, Dataset]":
    """Log the split, and read back its data sets by their contexts."""
    run.log_datasets(split)
    inputs = run.client.get_run(run.run_id).inputs
    assert inputs is not None
    return {tag.value: entry.dataset for entry in inputs.dataset_inputs for tag in entry.tags}


def test_training_part_and_test_period_are_data_sets_under_our_digest(run: TrackedRun, split: Split) -> None:
    logged = datasets(run, split)
    assert sorted(logged) == ["test", "training"]
    assert logged["training"].digest == split.train.fingerprint[:36]
    dataset = logged["test"]
    # The digest is written out here, so that it cannot change unnoticed.
    digest = hashlib.sha256(b"TEST")
    digest.update(split.prices.sessions[-21:].astype("<i8").tobytes())
    digest.update(split.actual.tobytes())
    assert dataset.digest == digest.hexdigest()[:36]
    assert dataset.name == "TEST prices"
    assert json.loads(dataset.source) == {"uri": "made by a test"}
    assert json.loads(dataset.profile or "")["num_rows"] == 21


def test_one_price_in_the_last_row_changes_the_tests_digest_and_not_the_trainings(
    client: "MlflowClient", experiment: str, split: Split
) -> None:
    values = split.prices.values.copy()
    values[-1, COLUMNS.index("Open")] += 0.01
    prices = replace(split.prices, values=values)
    changed = split_prices(prices, EvaluationConfig(test_sessions=21), lookback=10)
    before = datasets(start_run(client, experiment, "before"), split)
    after = datasets(start_run(client, experiment, "after"), changed)
    assert before["test"].digest != after["test"].digest
    assert before["training"].digest == after["training"].digest


def test_prices_come_back_to_the_bit(run: TrackedRun) -> None:
    prices = replace(make_prices(60), notes=("rows were sorted",))
    run.log_prices(prices)
    again = load_prices(run.client, run.run_id)
    assert again.values.tobytes() == prices.values.tobytes()
    assert again.fingerprint == prices.fingerprint
    assert (again.security, again.origin, again.notes) == (prices.security, prices.origin, prices.notes)


def test_prices_that_were_exchanged_are_refused(run: TrackedRun, tmp_path: Path) -> None:
    run.log_prices(make_prices(60))
    other: Prices = make_prices(60, seed=1)
    write_price_file(other, tmp_path / "prices.parquet")
    run.client.log_artifact(run.run_id, str(tmp_path / "prices.parquet"))
    with pytest.raises(FaultyPrices) as refused:
        load_prices(run.client, run.run_id)
    assert refused.value.data["found"] == other.fingerprint


def test_a_run_without_prices_and_a_run_that_is_no_run_are_refused(run: TrackedRun) -> None:
    with pytest.raises(FaultyPrices, match="no tag 'fingerprint'"):
        load_prices(run.client, run.run_id)
    run.set_tags({"fingerprint": "0" * 64})
    with pytest.raises(FaultyPrices, match=r"no artifact prices\.parquet"):
        load_prices(run.client, run.run_id)
    with pytest.raises(FaultyPrices, match="no such run"):
        load_prices(run.client, "0" * 32)


def test_figures_are_images_of_the_run(run: TrackedRun, split: Split, tmp_path: Path) -> None:
    figures = training_figures(split, "Open", [0.1, 0.01], evaluation_of(split), minimum=90.0, maximum=110.0)
    run.log_figures(figures)
    files = {file.path for file in run.client.list_artifacts(run.run_id, "figures")}
    assert files == {f"figures/{name}.png" for name in ("prices", "loss", "scaled", "forecast", "errors")}
    image = Path(run.client.download_artifacts(run.run_id, "figures/forecast.png", str(tmp_path)))
    assert image.read_bytes().startswith(b"\x89PNG")


def test_the_predictions_stand_in_a_table_and_in_a_csv_with_every_digit(
    run: TrackedRun, experiment: str, split: Split, tmp_path: Path
) -> None:
    evaluation = evaluation_of(split)
    run.log_predictions(evaluation)
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
    assert f"| this model | ${evaluation.rmse:,.3f} | ${evaluation.mae:,.3f} |" in note
    assert "| naive: the newest Open |" in note
    assert "| naive: the newest Close |" in note
    assert 'load_model("models:/TEST-Open/3").predict(frame)' in note
    assert "load_model" not in run_note(split, CONFIG, evaluation)


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
        run.log_prices(split.prices)
        run.log_datasets(split)
        run.log_epoch(1, 0.5)
        run.log_epoch(2, 0.4)
        run.log_metrics(evaluation.metrics())
        figures = training_figures(split, "Open", [0.5, 0.4], evaluation, minimum=90.0, maximum=110.0)
        run.log_figures(figures)
        run.log_predictions(evaluation)
        run.log_note(run_note(split, CONFIG, evaluation))
    assert load_prices(client, run.run_id).values.tobytes() == split.prices.values.tobytes()
    assert status(run) == "FINISHED"
    assert losses(run) == [(1, 0.5), (2, 0.4)]
    image = Path(client.download_artifacts(run.run_id, "figures/errors.png", str(tmp_path)))
    assert image.read_bytes().startswith(b"\x89PNG")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("sqlite:///mlflow.db", "http://127.0.0.1:5000"),
        ("http://tracking.example:8080/", "http://tracking.example:8080"),
        ("https://user:secret@tracking.example/mlflow", "https://tracking.example/mlflow"),
    ],
)
def test_the_link_leads_to_the_runs_page_and_holds_no_password(uri: str, base: str) -> None:
    settings = Settings(tracking=TrackingSettings(uri=uri))
    assert run_url(settings, "1", "abc") == f"{base}/#/experiments/1/runs/abc?workflowType=machine_learning"
