"""A network as its backend trains it fastest, compiled, and kept for the next fit of the same shape.

TensorFlow traces a step before it takes the first, which lasts as long as three epochs of the tutorial's. Another
security's network, or another member of the same forecaster, takes the same step: what a fit begins with is put back
(weights, the seeds of dropout, the optimiser's state, the series), and no digit differs from a fit by itself.
"""

import json
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model.config import TrainingConfig
from model.forecaster.windows import Windows
from model.network.seeds import seeded

if TYPE_CHECKING:
    import keras

# Batches between two looks at the world outside: Ctrl-C, callbacks. More of them change no digit of a weight.
STEPS_AT_ONCE = 32

# What a step is made of; of the rest of a configuration, such as the number of epochs, it knows nothing.
STEP = {"batch_size", "optimizer", "learning_rate", "loss", "clip_norm", "clip_value"}

_kept: "dict[str, Trainable]" = {}


class Trainable:
    """A compiled model over the rows of a series, which has a network's weights.

    model: what is fitted, on rows and targets
    rows:  (n, 1) int32, where each window begins
    shape: what the next fit must have in common with this one to take it over
    """

    def __init__(self, network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random) -> None:
        from model.training.input_pipeline import on_rows

        self.shape = _shape(network, windows, config)
        self._form = network
        if fuses():
            from model.training.fused import fused_twin

            self._form = fused_twin(network, draws)
        self.model, self.rows = on_rows(self._form, windows)
        optimizer = make_optimizer(config)
        # Variables that are made while TensorFlow traces a step have it trace that step twice.
        optimizer.build(self.model.trainable_variables)
        self._unmoved = [np.copy(variable.numpy()) for variable in optimizer.variables]
        self.model.compile(optimizer=optimizer, loss=config.loss, steps_per_execution=STEPS_AT_ONCE)

    def begin(self, network: "keras.Sequential", windows: Windows, draws: Random) -> None:
        """Have all that a new one would have, made of these; they are of the same shape."""
        from model.training.input_pipeline import put_series

        put_series(self.model, windows)
        for variable, value in zip(self.model.optimizer.variables, self._unmoved, strict=True):
            variable.assign(value)
        for layer, own in zip(self._form.layers, network.layers, strict=True):
            fresh = seeded(own, draws)
            if getattr(fresh, "rate", 0):
                layer.seed_generator.state.assign(fresh.seed_generator.state)
        self._form.set_weights(network.get_weights())

    def weights(self) -> list[npt.NDArray[Any]]:
        """Those of the network, in its order."""
        weights: list[npt.NDArray[Any]] = self._form.get_weights()
        return weights


def take(network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random) -> Trainable:
    """A trainable form of the network: the one that was kept, where it fits.

    draws: where the seeds of its dropout come from
    """
    kept = _kept.pop(_shape(network, windows, config), None)
    if kept is None:
        return Trainable(network, windows, config, draws)
    kept.begin(network, windows, draws)
    return kept


def keep(trainable: Trainable) -> None:
    """Hold on to it for the next fit, and to none that was kept before."""
    if fuses():  # elsewhere it is the network itself, which belongs to whoever had it fitted
        _kept.clear()
        _kept[trainable.shape] = trainable


def fuses() -> bool:
    """Whether TensorFlow's fused kernels are what trains fastest: on its CPU, since Keras has its own for a GPU."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


def make_optimizer(config: TrainingConfig) -> "keras.optimizers.Optimizer":
    """Keras's optimiser as it is configured, with the clipping of gradients."""
    import keras

    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
    if fuses():
        from model.training.fused import FusedAdam

        kinds["adam"] = FusedAdam
    return kinds[config.optimizer](
        learning_rate=config.learning_rate, clipnorm=config.clip_norm, clipvalue=config.clip_value
    )


def _shape(network: "keras.Sequential", windows: Windows, config: TrainingConfig) -> str:
    layers = [(type(layer).__name__, _without_names(layer.get_config())) for layer in network.layers]
    return json.dumps([layers, windows.inputs.shape, config.model_dump(include=STEP)], sort_keys=True)


def _without_names(config: Any) -> Any:
    """What layers of the same kind have in common: neither their names nor their seeds."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key not in ("name", "seed")}
    return [_without_names(value) for value in config] if isinstance(config, list | tuple) else config
