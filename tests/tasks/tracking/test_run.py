"""What is logged can be read back from a real store, and every run ends as what happened to it."""

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from model.config import PriceRequest
from model.errors import FaultyPrices
from model.evaluation.split import Split
from tasks.settings import Settings, TrackingSettings
from tasks.tracking.datasets import dataset_of_test
from tasks.tracking.provenance import training_tags
from tasks.tracking.run import TrackedRun, run_url
from tests.tasks.tracking.given import CONFIG, Clock, evaluation_of, losses, status

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
    assert (tags["security"], tags["column"], tags["source"]) == ("TEST", "Open", "csv")
    assert tags["preset"].startswith("tutorial, changed: lookback=10, network.units=[8,4], training.epochs=7, ")
    assert tags["x.fingerprint"] == split.prices.fingerprint
    assert f"mlflow {version('mlflow')}" in tags["x.libraries"].split(", ")
    shown = sorted(tags)
    assert shown[shown.index("x.code_version") :] == ["x.code_version", "x.fingerprint", "x.libraries"], "sorted last"


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


def test_metrics_with_a_model_are_shown_with_it_and_with_what_they_were_measured_on(
    run: TrackedRun, client: "MlflowClient", experiment: str, split: Split
) -> None:
    model_id = client.create_logged_model(experiment, name="model", source_run_id=run.run_id).model_id
    run.log_datasets(split)
    measured = dataset_of_test(split)
    run.log_metrics(evaluation_of(split).metrics(), model_id=model_id, dataset=measured)
    shown = {metric.key: metric for metric in client.get_logged_model(model_id).metrics or ()}
    assert {key: metric.value for key, metric in shown.items()} == client.get_run(run.run_id).data.metrics
    assert (shown["rmse"].dataset_name, shown["rmse"].dataset_digest) == (measured.name, measured.digest)
