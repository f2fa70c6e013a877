"""Fitting: the network's weights from the training part's windows."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from model.config import ForecasterConfig, TrainingConfig
from model.forecaster import Forecaster
from model.network import build_network
from model.prices import Prices
from model.scaling import fit_scaling
from model.windows import Windows, make_windows

if TYPE_CHECKING:
    import keras

# Batches between two looks at the world outside: Ctrl-C, callbacks. More of them change no digit of a weight.
STEPS_AT_ONCE = 32

OnEpoch = Callable[[int, float], None]


def train_forecaster(train: Prices, config: ForecasterConfig, watchers: Sequence[OnEpoch] = ()) -> Forecaster:
    """Fit scaling and network on the training part, and on nothing else.

    watchers: called after each epoch with its number, from 1, and its mean loss on scaled prices
    """
    import keras

    recipe = fit_scaling(train, config)
    windows = make_windows(train, recipe)
    keras.utils.set_random_seed(config.training.seed)
    network = build_network(config.network, config.lookback)
    start = time.perf_counter()
    losses = fit(network, windows, config.training, watchers)
    return Forecaster(
        config=config, recipe=recipe, network=network, losses=losses, fit_seconds=time.perf_counter() - start
    )


def fit(
    network: "keras.Sequential", windows: Windows, config: TrainingConfig, watchers: Sequence[OnEpoch]
) -> tuple[float, ...]:
    """Fit a network in place; the mean loss of each epoch."""
    import keras

    def report(epoch: int, logs: dict[str, float]) -> None:
        for watcher in watchers:
            watcher(epoch + 1, float(logs["loss"]))

    trained = _trainable_form(network)
    trained.compile(optimizer=make_optimizer(config), loss=config.loss, steps_per_execution=STEPS_AT_ONCE)
    history = trained.fit(
        windows.inputs,
        windows.targets,
        batch_size=config.batch_size,
        epochs=config.epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=0,
    )
    network.set_weights(trained.get_weights())
    return tuple(float(loss) for loss in history.history["loss"])


def _trainable_form(network: "keras.Sequential") -> "keras.Sequential":
    """The network as its backend trains it fastest: on TensorFlow and a CPU with fused LSTM layers."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return network
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return network  # there Keras has a fused kernel of its own
    from model.fused import fused_twin

    return fused_twin(network)


def make_optimizer(config: TrainingConfig) -> "keras.optimizers.Optimizer":
    """Keras's optimiser as it is configured, with the clipping of gradients."""
    import keras

    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
    return kinds[config.optimizer](
        learning_rate=config.learning_rate, clipnorm=config.clip_norm, clipvalue=config.clip_value
    )
