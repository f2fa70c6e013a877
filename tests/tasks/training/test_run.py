"""What came out of a training is shown with its run, and with the model that it logged."""

import math

import pytest

from model.config import EvaluationConfig, ForecasterConfig, NetworkConfig, TrainingConfig
from model.evaluation.evaluation import evaluate
from model.evaluation.split import split_prices
from model.training.fit import train_forecaster
from tasks.ledger.kept_files import Trained
from tasks.registry.version import RegisteredVersion
from tasks.tracking.client import Tracking
from tasks.tracking.experiment import SHOWN
from tasks.tracking.model_artifact import log_forecaster
from tasks.training.previous import read_results
from tasks.training.run import TrainingResults, log_results, start_training_run
from tests.market import make_prices


@pytest.mark.slow
def test_mlflow_shows_the_few_metrics_that_decide_and_the_results_hold_all(tracking: Tracking) -> None:
    config = ForecasterConfig(lookback=5, network=NetworkConfig(units=(3,)), training=TrainingConfig(epochs=1))
    split = split_prices(make_prices(120), EvaluationConfig(test_sessions=21), lookback=5)
    with start_training_run(tracking, split, config, {}) as run:
        run.log_datasets(split)
        fitted = train_forecaster(split.train, config)
        judged = evaluate(fitted.predict, split, config.column)
        trained = Trained(model="TEST-Open", run_id=run.run_id, key="a key", as_of=split.prices.last)
        uri = log_forecaster(tracking.settings, trained, fitted, split.train)
        results = log_results(run, tracking.settings, split, fitted, judged, uri)
    logged = tracking.client.get_logged_model(uri.removeprefix("models:/"))
    shown = {metric.key: metric.value for metric in logged.metrics or ()}
    assert shown == {name: results.metrics[name] for name in SHOWN}
    assert shown["rmse"] == judged.rmse
    on_the_run = tracking.client.get_run(run.run_id).data.metrics
    assert on_the_run == shown
    assert results.metrics == judged.metrics()
    assert {"pit_ks", "winkler_80", "newest_Open_rmse", "direction", "dm_naive_p"} <= results.metrics.keys()
    assert results.gradients.keys() == {"gradient_ratio", "gradient_ratio_start"}
    version = RegisteredVersion(model="TEST-Open", version=1, stage="None", run_id=run.run_id, source=uri)
    assert read_results(tracking, version) == results


def test_results_of_a_training_without_gradients_are_read() -> None:
    """As trainings left them before their ratios stood there."""
    written = {"rows": 5, "features": 1, "epochs": 1, "first_loss": 0.5, "last_loss": 0.5, "fit_seconds": 1.0}
    assert (
        TrainingResults.model_validate({**written, "backend": "tensorflow", "metrics": {"rmse": 1.0}}).gradients == {}
    )


def test_the_results_of_a_training_on_prices_that_stand_still_are_read_as_they_were_written() -> None:
    """The naive forecast is perfect there, and the skill of any other is minus infinity."""
    metrics = {"rmse": 1.0, "naive_rmse": 0.0, "skill": -math.inf}
    values = {"rows": 5, "features": 1, "epochs": 1, "first_loss": math.inf, "last_loss": 0.5, "fit_seconds": 1.0}
    written = TrainingResults.model_validate({**values, "backend": "tensorflow", "metrics": metrics})
    assert TrainingResults.model_validate_json(written.model_dump_json()) == written
