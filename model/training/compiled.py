"""A network in the form that its backend trains fastest: compiled, and kept for the next fit of the same shape.

TensorFlow traces a step before the first one, which takes as long as three epochs of the tutorial's. Another
security's network, or another member of the same forecaster, can use the same traced step: everything that a fit starts
with is put back (weights, the seeds of dropout, the optimiser's state, the series), and no digit differs from a
separate fit.
"""

import json
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model.config import TrainingConfig
from model.forecaster.windows import Windows
from model.network.seeds import seeded

if TYPE_CHECKING:
    import keras

# Batches between two checks for Ctrl-C and callbacks. The number changes no digit of a weight.
STEPS_AT_ONCE = 32

# The settings that a compiled step depends on; the others, such as the number of epochs, do not matter to it.
STEP = {"batch_size", "optimizer", "learning_rate", "loss", "clip_norm", "clip_value"}

_kept: "dict[str, Trainable]" = {}


class Trainable:
    """A compiled model over the rows of a series, with the weights of a network.

    form:  the network that is fitted: the given one, or its fused twin; its weights have the same order
    model: the Keras model around it, from rows to targets
    rows:  (n, 1) int32, where each window begins
    shape: what the next fit must have in common with this one to use it again
    """

    def __init__(self, network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random) -> None:
        from model.training.input_pipeline import on_rows

        self.shape = _shape(network, windows, config)
        self.form = network
        if fuses():
            from model.training.fused import fused_twin

            self.form = fused_twin(network, draws)
        self.model, self.rows = on_rows(self.form, windows)
        optimizer = make_optimizer(config)
        # Variables made during the tracing of a step would make TensorFlow trace it twice.
        optimizer.build(self.model.trainable_variables)
        self._unmoved = [np.copy(variable.numpy()) for variable in optimizer.variables]
        self.model.compile(optimizer=optimizer, loss=config.loss, steps_per_execution=STEPS_AT_ONCE)

    def begin(self, network: "keras.Sequential", windows: Windows, draws: Random) -> None:
        """Start again with another network and series of the same shape, as if newly made from them."""
        from model.training.input_pipeline import put_series

        put_series(self.model, windows)
        start_again(self.form, self.model.optimizer, self._unmoved, network, draws)


def start_again(
    form: "keras.Sequential",
    optimizer: "keras.optimizers.Optimizer",
    unmoved: Sequence[npt.NDArray[Any]],
    network: "keras.Sequential",
    draws: Random,
) -> None:
    """Put back all that a fit starts with: the optimiser's state, the seeds of dropout, the weights of a network.

    unmoved: the optimiser's variables before the first step
    draws:   the generator of the dropout's seeds
    """
    for variable, value in zip(optimizer.variables, unmoved, strict=True):
        variable.assign(value)
    if any(getattr(layer, "rate", 0) for layer in form.layers):
        for layer, own in zip(form.layers, network.layers, strict=True):
            fresh = seeded(own, draws)
            if getattr(fresh, "rate", 0):
                layer.seed_generator.state.assign(fresh.seed_generator.state)
    form.set_weights(network.get_weights())


def take(network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random) -> Trainable:
    """A trainable form of the network: the kept one, if it has the same shape.

    draws: the generator of its dropout's seeds
    """
    kept = _kept.pop(_shape(network, windows, config), None)
    if kept is None:
        return Trainable(network, windows, config, draws)
    kept.begin(network, windows, draws)
    return kept


def keep(trainable: Trainable) -> None:
    """Keep it for the next fit, in place of the one that was kept before."""
    if fuses():  # elsewhere it is the caller's network itself
        _kept.clear()
        _kept[trainable.shape] = trainable


def fuses() -> bool:
    """Whether to train with TensorFlow's fused kernels: on its CPU, since Keras has kernels of its own for a GPU."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


def make_optimizer(config: TrainingConfig, *, fused: bool = True) -> "keras.optimizers.Optimizer":
    """The configured optimiser, with the clipping of gradients; if `fused`, Adam by a fused kernel where it exists."""
    import keras

    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
    if fused and fuses():
        from model.training.fused import FusedAdam

        kinds["adam"] = FusedAdam
    return kinds[config.optimizer](
        learning_rate=config.learning_rate, clipnorm=config.clip_norm, clipvalue=config.clip_value
    )


def _shape(network: "keras.Sequential", windows: Windows, config: TrainingConfig) -> str:
    layers = [(type(layer).__name__, without_names(layer.get_config())) for layer in network.layers]
    return json.dumps([layers, windows.inputs.shape, config.model_dump(include=STEP)], sort_keys=True)


def without_names(config: Any) -> Any:
    """A layer's configuration without names and seeds, which differ between layers of the same kind."""
    if isinstance(config, dict):
        return {key: without_names(value) for key, value in config.items() if key not in ("name", "seed")}
    return [without_names(value) for value in config] if isinstance(config, list | tuple) else config
