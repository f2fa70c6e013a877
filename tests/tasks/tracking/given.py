"""What the tests of runs share: a configuration, an evaluation, a clock, and a run read back from the store."""

import numpy as np

from model.config import ForecasterConfig, NetworkConfig, TrainingConfig
from model.evaluation.baselines import naive_forecasts
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split
from tasks.tracking.run import TrackedRun

CONFIG = ForecasterConfig(
    lookback=10, network=NetworkConfig(units=(8, 4)), training=TrainingConfig(epochs=7, learning_rate=0.1 + 0.2)
)


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def evaluation_of(split: Split) -> Evaluation:
    known = split.prices.until(split.prices.day(len(split.prices) - 2))
    actual = split.actual[:, 0]
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=actual,
        forecast=actual + np.linspace(-2, 3, split.n_test),
        naive=naive_forecasts(known, "Open", split.n_test),
        unit="USD",
    )


def losses(run: TrackedRun) -> list[tuple[int, float]]:
    return sorted((metric.step, metric.value) for metric in run.client.get_metric_history(run.run_id, "loss"))


def status(run: TrackedRun) -> str:
    return str(run.client.get_run(run.run_id).info.status)
