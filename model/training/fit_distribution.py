"""Fitting a network that forecasts a distribution: each epoch in an order of its own, and the best weights kept."""

import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from model.artifact.inference import network_output
from model.config import TrainingConfig
from model.forecaster.forecaster import LossCourse
from model.forecaster.windows import Windows
from model.network.numpy_export import without_keras
from model.training.compiled import fuses, make_optimizer
from model.training.objective import Pinball

if TYPE_CHECKING:
    import keras

Order = npt.NDArray[np.int64]
OUTPUTS = 2


class Epochs(Protocol):
    """What fits a network one epoch at a time."""

    def run(self, order: Order) -> float:
        """Fit once on the windows whose numbers `order` lists; their mean loss."""
        ...

    def judge(self, first: int) -> float:
        """The mean loss on the windows from a number on, as the weights are now."""
        ...

    def weights(self) -> list[npt.NDArray[Any]]:
        """The weights as they are now, in Keras's order."""
        ...

    def end(self) -> None:
        """Nothing more is fitted."""
        ...


def fit_distribution(
    network: "keras.Sequential",
    windows: Windows,
    config: TrainingConfig,
    seed: int,
    draws: Random,
    report: Callable[[int, float], None],
) -> LossCourse:
    """Fit a network in place; how its loss went.

    With `patience`, the weights that were best on the held-back windows are kept; these may be those of the start.

    seed:   draws the order of the windows, another one in each epoch
    draws:  the generator of its dropout's seeds
    report: called after each epoch with its number, from 1, and its mean loss
    """
    loss, n = Pinball.of(windows.targets), fitted_on(windows, config)
    epochs = (
        _program(network, windows, config, draws, loss) if fuses() else _KerasEpochs(network, windows, config, loss)
    )
    order = np.random.default_rng(seed)
    held_back = n < len(windows)
    # A loss that is not a number is never the best.
    best, kept, waited, best_epoch = (epochs.judge(n) if held_back else math.inf), network.get_weights(), 0, 0
    losses: list[float] = []
    judgements: list[float] = []
    for epoch in range(1, config.epochs + 1):
        losses.append(epochs.run(order.permutation(n)))
        report(epoch, losses[-1])
        if config.patience is None:
            continue
        judged = epochs.judge(n) if held_back else losses[-1]
        if held_back:
            judgements.append(judged)
        waited += 1
        if judged < best or (math.isnan(best) and not math.isnan(judged)):
            best, kept, waited, best_epoch = judged, epochs.weights(), 0, epoch
        elif waited >= config.patience:
            break
    network.set_weights(epochs.weights() if config.patience is None else kept)
    epochs.end()
    last = len(losses) if config.patience is None else best_epoch
    return LossCourse(training=tuple(losses), held_back=tuple(judgements), kept=last)


def fitted_on(windows: Windows, config: TrainingConfig) -> int:
    """How many of the oldest windows are fitted on; with `patience` the newest are held back, a quarter at most."""
    return len(windows) - (0 if config.patience is None else min(config.held_back, len(windows) // 4))


class _KerasEpochs:
    """By Keras's own `fit`, on any backend."""

    def __init__(self, network: "keras.Sequential", windows: Windows, config: TrainingConfig, loss: Pinball) -> None:
        self._network, self._batch_size = network, config.batch_size
        self._windows, self._loss = windows, loss
        self._inputs = np.ascontiguousarray(windows.inputs)
        self._aims = np.column_stack([windows.targets, windows.offsets])
        network.compile(
            optimizer=make_optimizer(config, fused=False),
            loss=lambda aims, outputs: loss.losses(aims[:, 0], aims[:, 1], outputs),
        )

    def run(self, order: Order) -> float:
        done = self._network.fit(
            self._inputs[order], self._aims[order], batch_size=self._batch_size, shuffle=False, verbose=0
        )
        return float(done.history["loss"][0])

    def judge(self, first: int) -> float:
        windows, predictor = self._windows, without_keras(self._network) or self._network
        outputs = network_output(predictor, windows.inputs[first:], OUTPUTS)
        return self._loss.mean(windows.targets[first:], windows.offsets[first:], outputs)

    def weights(self) -> list[npt.NDArray[Any]]:
        return list(self._network.get_weights())

    def end(self) -> None:
        """Nothing is kept."""


def _program(
    network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random, loss: Pinball
) -> Epochs:
    from model.training import epoch_program

    program = epoch_program.take(network, windows, config, draws)
    given = program.give(windows, loss)

    class Compiled:
        """By the compiled program."""

        def run(self, order: Order) -> float:
            return program.epoch(given, order)

        def judge(self, first: int) -> float:
            return program.judge(given, np.arange(first, len(windows)))

        def weights(self) -> list[npt.NDArray[Any]]:
            return list(program.form.get_weights())

        def end(self) -> None:
            epoch_program.keep(program)

    return Compiled()
