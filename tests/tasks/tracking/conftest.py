"""A run that is being written, on the test's own store, and what there is to log."""

from typing import TYPE_CHECKING

import pytest

from model.config import EvaluationConfig
from model.evaluation.split import Split, split_prices
from tasks.tracking.client import Tracking
from tasks.tracking.run import TrackedRun, start_run
from tests.market import make_prices
from tests.tasks.tracking.given import Clock

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
