"""What fits a network one epoch at a time: a compiled program where the backend has one, else Keras's own `fit`."""

from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from model.artifact.inference import network_output
from model.config import TrainingConfig
from model.forecaster.windows import Windows
from model.network.numpy_export import without_keras
from model.training.compiled import fuses, make_optimizer
from model.training.objective import Pinball

if TYPE_CHECKING:
    import keras

    from model.training.epoch_program import EpochProgram

Order = npt.NDArray[np.int64]
OUTPUTS = 2


class Epochs(Protocol):
    """What fits a network one epoch at a time, on the windows that it was given last."""

    def give(self, windows: Windows) -> None:
        """Fit and judge on these windows from now on."""
        ...

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


def begin(
    network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random, loss: Pinball
) -> Epochs:
    """What fits this network, with these windows given; `draws` are its dropout's seeds."""
    if not fuses():
        return _KerasEpochs(network, windows, config, loss)
    from model.training import epoch_program

    return _Compiled(epoch_program.take(network, windows, config, draws), windows, loss)


class _Compiled:
    """By the compiled program."""

    def __init__(self, program: "EpochProgram", windows: Windows, loss: Pinball) -> None:
        self._program, self._loss = program, loss
        self.give(windows)

    def give(self, windows: Windows) -> None:
        self._n, self._given = len(windows), self._program.give(windows, self._loss)

    def run(self, order: Order) -> float:
        return self._program.epoch(self._given, order)

    def judge(self, first: int) -> float:
        return self._program.judge(self._given, np.arange(first, self._n))

    def weights(self) -> list[npt.NDArray[Any]]:
        return list(self._program.form.get_weights())

    def end(self) -> None:
        from model.training import epoch_program

        epoch_program.keep(self._program)


class _KerasEpochs:
    """By Keras's own `fit`, on any backend."""

    def __init__(self, network: "keras.Sequential", windows: Windows, config: TrainingConfig, loss: Pinball) -> None:
        self._network, self._batch_size, self._loss = network, config.batch_size, loss
        self.give(windows)
        network.compile(
            optimizer=make_optimizer(config, fused=False),
            loss=lambda aims, outputs: loss.losses(aims[:, 0], aims[:, 1], outputs),
        )

    def give(self, windows: Windows) -> None:
        self._windows = windows
        self._inputs = np.ascontiguousarray(windows.inputs)
        self._aims = np.column_stack([windows.targets, windows.offsets])

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
