"""One trial of a tuning: a configuration fitted and judged on sessions that no fit knows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.config import ForecasterConfig
from model.evaluation.evaluation import evaluate
from model.evaluation.split import Split
from model.training.fit import train_forecaster
from model.tuning.space import Value, values_of


class Pruned(Exception):
    """A trial that was ended early, since it does worse than the others did by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a trial came to.

    values:    those that a tuning may change, by dotted key
    held_back: the loss of its first network on the windows held back, epoch by epoch
    metrics:   on the sessions that are judged, as `Evaluation.metrics` names them; none where it was pruned
    seconds:   its wall time, and its processor time
    """

    values: Mapping[str, Value]
    held_back: tuple[float, ...]
    metrics: Mapping[str, float]
    seconds: float
    processor_seconds: float

    @property
    def crps(self) -> float | None:
        """What trials are compared by, in the unit of the prices; None where it was pruned."""
        return self.metrics.get("crps")


def run_trial(split: Split, config: ForecasterConfig, hopeless: Callable[[int, float], bool]) -> TrialResult:
    """Fit on the split's training part, and judge on the sessions after it.

    hopeless: asked after each epoch, with its number and the loss on the windows held back, whether to end the trial
    """
    wall, processor = time.perf_counter(), time.process_time()
    held_back: list[float] = []
    metrics: Mapping[str, float] = {}

    def judged(epoch: int, loss: float) -> None:
        held_back.append(loss)
        if hopeless(epoch, loss):
            raise Pruned

    try:
        fitted = train_forecaster(split.train, config, judged=judged)
        metrics = evaluate(fitted.predict, split, config.column).metrics()
    except Pruned:
        pass
    return TrialResult(
        values=values_of(config),
        held_back=tuple(held_back),
        metrics=metrics,
        seconds=time.perf_counter() - wall,
        processor_seconds=time.process_time() - processor,
    )
