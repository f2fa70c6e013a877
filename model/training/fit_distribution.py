"""Fitting a network that forecasts a distribution: each epoch in an order of its own, and the best weights kept."""

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from model.config import TrainingConfig
from model.forecaster.forecaster import LossCourse
from model.forecaster.windows import Windows
from model.training.epochs import begin
from model.training.objective import Pinball

if TYPE_CHECKING:
    import keras


def fit_distribution(
    network: "keras.Sequential",
    windows: Windows,
    config: TrainingConfig,
    seed: int,
    draws: Random,
    report: Callable[[int, float], None],
    judged: Callable[[int, float], None] | None = None,
) -> LossCourse:
    """Fit a network in place; how its loss went.

    With `patience`, the weights that were best on the held-back windows are kept; these may be those of the start.

    seed:   draws the order of the windows, another one in each epoch
    draws:  the generator of its dropout's seeds
    report: called after each epoch with its number, from 1, and its mean loss
    judged: called after each epoch with its number and the mean loss on the windows held back; it may end the fit by an
            error
    """
    n, order = fitted_on(windows, config), np.random.default_rng(seed)
    epochs = begin(network, windows, config, draws, Pinball.of(windows.targets))
    losses = (epochs.run(order.permutation(n)) for _ in range(config.epochs))
    judge = (lambda: epochs.judge(n)) if n < len(windows) else None
    try:
        return fit_epochs(network, losses, judge, epochs.weights, config.patience, report, judged)
    finally:
        epochs.end()


def fit_epochs(
    network: "keras.Sequential",
    losses: Iterator[float],
    judge: Callable[[], float] | None,
    weights: "Callable[[], list[np.typing.NDArray[np.float32]]]",
    patience: int | None,
    report: Callable[[int, float], None],
    told: Callable[[int, float], None] | None = None,
) -> LossCourse:
    """Fit epoch by epoch, and give the network the weights that are kept; how its loss went.

    losses:   fits one epoch with each element, which is its mean loss
    judge:    the mean loss on the windows held back, as the weights are now; None where none are
    weights:  as they are now
    patience: stop after so many epochs that were no better
    told:     called after each epoch that was judged on the windows held back
    """
    # A loss that is not a number is never the best.
    best, kept, waited, best_epoch = math.inf if judge is None else judge(), network.get_weights(), 0, 0
    fitted: list[float] = []
    judgements: list[float] = []
    for epoch, loss in enumerate(losses, 1):
        fitted.append(loss)
        report(epoch, loss)
        if patience is None:
            continue
        judged = loss if judge is None else judge()
        if judge is not None:
            judgements.append(judged)
            if told is not None:
                told(epoch, judged)
        waited += 1
        if judged < best or (math.isnan(best) and not math.isnan(judged)):
            best, kept, waited, best_epoch = judged, weights(), 0, epoch
        elif waited >= patience:
            break
    network.set_weights(weights() if patience is None else kept)
    last = len(fitted) if patience is None else best_epoch
    return LossCourse(training=tuple(fitted), held_back=tuple(judgements), kept=last)


def fitted_on(windows: Windows, config: TrainingConfig) -> int:
    """How many of the oldest windows are fitted on; with `patience` the newest are held back, a quarter at most."""
    return len(windows) - (0 if config.patience is None else min(config.held_back, len(windows) // 4))
