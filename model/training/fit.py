"""Fitting: the network's weights from the training part's windows."""

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from model.config import ForecasterConfig, TrainingConfig
from model.forecaster.forecaster import Forecaster
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.market.prices import Prices
from model.network.build import build_network, side_by_side
from model.network.numpy_export import without_keras
from model.training.compiled import keep, take
from model.training.warm_start import Parent

if TYPE_CHECKING:
    import keras

OnEpoch = Callable[[int, float], None]


def train_forecaster(
    train: Prices, config: ForecasterConfig, watchers: Sequence[OnEpoch] = (), parent: Parent | None = None
) -> Forecaster:
    """Fit recipe, network and intervals on the training part, and on nothing else.

    watchers: called after each epoch with its number, from 1 through all networks, and its mean loss
    parent:   the forecaster whose weights the networks start with; ValueError if it may not be used
    """
    import keras

    if parent and (refusal := parent.past.refusal(train, config)):
        raise ValueError(refusal)
    recipe = fit_recipe(train, config)
    windows = make_windows(train, recipe)
    networks: list[keras.Sequential] = []
    losses: tuple[float, ...] = ()
    start = time.perf_counter()
    for member, seed in enumerate(config.training.seeds):
        keras.utils.set_random_seed(seed)
        draws = Random(seed)  # noqa: S311 - no secrets
        network = build_network(config.network, config.lookback, recipe.features, draws)
        if parent:
            network.set_weights(parent.weights[member])
        losses += fit(network, windows, config.training, draws, watchers, len(losses))
        networks.append(network)
    seconds = time.perf_counter() - start
    network = side_by_side(networks)
    fitted = Forecaster(
        config=config,
        recipe=recipe,
        network=network,
        predictor=without_keras(network) or network,
        losses=losses,
        fit_seconds=seconds,
        trained_until=train.last,
        generation=parent.past.generation + 1 if parent else 0,
    )
    return fitted.calibrated(train)


def fit(
    network: "keras.Sequential",
    windows: Windows,
    config: TrainingConfig,
    draws: Random,
    watchers: Sequence[OnEpoch],
    epochs_before: int = 0,
) -> tuple[float, ...]:
    """Fit a network in place; the mean loss of each epoch.

    draws: the generator of its dropout's seeds; the order of the windows comes from the backend's seed
    """
    import keras

    from model.training.input_pipeline import to_fit, to_judge

    def report(epoch: int, logs: dict[str, float]) -> None:
        for watcher in watchers:
            watcher(epochs_before + epoch + 1, float(logs["loss"]))

    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.LambdaCallback(on_epoch_end=report)]
    trained = take(network, windows, config, draws)
    rows, n, judge = trained.rows, len(windows), None
    if config.patience is not None:
        n -= min(config.held_back, n // 4)
        judge = to_judge(rows[n:], windows.targets[n:], config.batch_size) if n < len(windows) else None
        watched = "loss" if judge is None else "val_loss"
        callbacks.append(keras.callbacks.EarlyStopping(watched, patience=config.patience, restore_best_weights=True))
    history = trained.model.fit(
        **to_fit(rows[:n], windows.targets[:n], config.batch_size),
        epochs=config.epochs,
        validation_data=judge,
        callbacks=callbacks,
        verbose=0,
    )
    network.set_weights(trained.form.get_weights())
    keep(trained)
    if config.recentre is not None:
        _recentre(network, windows, config.recentre)
    return tuple(float(loss) for loss in history.history["loss"])


def _recentre(network: "keras.Sequential", windows: Windows, newest: int) -> None:
    """Shift the output layer's bias so that the mean error on the newest windows is 0."""
    import keras

    outputs = keras.ops.convert_to_numpy(network(windows.inputs[-newest:], training=False))[:, 0]
    *others, bias = network.get_weights()
    network.set_weights([*others, bias + (windows.targets[-newest:] - outputs).mean()])
