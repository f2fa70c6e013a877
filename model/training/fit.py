"""Fitting: the network's weights from the training part's windows."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from model.artifact.horizon import FurtherHorizon, LinearScale, changes_ahead, spans_state
from model.artifact.recipes import ChangeRecipe, Recipe
from model.artifact.scale import Table, Values
from model.config import ForecasterConfig, TrainingConfig
from model.forecaster.calibration import calibrate_further
from model.forecaster.forecaster import Forecaster, LossCourse
from model.forecaster.scaling import FURTHER, fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.market.prices import Prices
from model.network.build import build_network
from model.network.kept import Weights, fresh_network, separate_network
from model.network.numpy_export import in_numpy
from model.training.compiled import keep, take
from model.training.fit_distribution import fit_distribution, fitted_on
from model.training.fit_shared import SharedFit
from model.training.objective import fit_branch, fit_linear_scale
from model.training.warm_start import Parent

if TYPE_CHECKING:
    import keras

OnEpoch = Callable[[int, float], None]


def train_forecaster(
    train: Prices,
    config: ForecasterConfig,
    watchers: Sequence[OnEpoch] = (),
    parent: Parent | None = None,
    shared: SharedFit | None = None,
    judged: OnEpoch | None = None,
) -> Forecaster:
    """Fit recipe, network and distribution on the training part, and on nothing else.

    watchers: called after each epoch with its number, from 1 through all networks, and its mean loss
    parent:   the forecaster whose weights the networks start with; ValueError if it may not be used
    shared:   the shared network, where the configuration has one; ValueError if it may not be used, or there is none
    judged:   called after each epoch of the first network with its number, from 1, and its loss on the windows held
              back; an error of it ends the fit
    """
    if parent and (refusal := parent.past.refusal(train, config)):
        raise ValueError(refusal)
    if (config.training.shared == "own") != (shared is None):
        raise ValueError(f"training.shared is {config.training.shared}, and there is {shared} shared network")
    if shared and (refusal := shared.refusal(train)):
        raise ValueError(refusal)
    start = time.perf_counter()
    recipe = _with_further(_with_branch(fit_recipe(train, config), train, shared), train, config)
    windows = make_windows(train, recipe)
    weights: list[Weights] = []
    courses: list[LossCourse] = []
    for member, seed in enumerate(config.training.own_seeds):
        network, draws = _begin(config, recipe, seed)
        if parent:
            network.set_weights(parent.weights[member])
        report = _reporter(watchers, sum(len(course.training) for course in courses))
        fitting = network, windows, config.training, seed, draws
        if isinstance(recipe, ChangeRecipe):
            courses.append(fit_distribution(*fitting, report, judged if member == 0 else None))
        else:
            courses.append(fit(network, windows, config.training, draws, report))
        weights.append(tuple(network.get_weights()))
    if shared:
        weights.extend(shared.weights)
        courses.extend(shared.courses)
    networks = config.network, config.lookback, recipe.features, recipe.outputs, config.training.seeds, weights
    fitted = Forecaster(
        config=config,
        recipe=recipe,
        weights=tuple(weights),
        predictor=in_numpy(config.network, weights) or separate_network(*networks),
        courses=tuple(courses),
        fit_seconds=time.perf_counter() - start,
        trained_until=train.last,
        generation=parent.past.generation + 1 if parent else 0,
    )
    return fitted.calibrated(train)


def _begin(config: ForecasterConfig, recipe: Recipe, seed: int) -> "tuple[keras.Sequential, Random]":
    """A network with the fresh weights of a seed, and the generator of its dropout's seeds."""
    shape = config.lookback, recipe.features, recipe.outputs
    if isinstance(recipe, ChangeRecipe):
        return fresh_network(config.network, *shape, seed)
    import keras

    keras.utils.set_random_seed(seed)  # draws the order of the windows
    draws = Random(seed)  # noqa: S311 - no secrets
    return build_network(config.network, *shape, draws), draws


def _with_branch(recipe: Recipe, train: Prices, shared: SharedFit | None) -> Recipe:
    """The same recipe with its linear branch, where it has one: fitted on all windows of the training part, or shared.

    With a shared network the own ones use its branch, too: their outputs are averaged.
    """
    if not isinstance(recipe, ChangeRecipe):
        return recipe
    if shared:
        return replace(recipe, branch=shared.branch)
    windows = make_windows(train, recipe)
    known = {name: values[:-1] for name, values in train.table().items()}
    state = recipe.state(known, len(windows), float(train.table()["Date"][-1]))
    return replace(recipe, branch=fit_branch(state, windows.targets))


def _with_further(recipe: Recipe, train: Prices, config: ForecasterConfig) -> Recipe:
    """The same recipe with the configuration's horizons beyond the next session."""
    if not isinstance(recipe, ChangeRecipe) or config.horizon == (1,):
        return recipe
    return replace(recipe, further=tuple(fit_further(train, config.column, ahead) for ahead in config.horizon[1:]))


def fit_further(train: Prices, column: str, sessions: int) -> FurtherHorizon:
    """A further horizon, fitted on the training part: the changes from its newest `sessions` are not known in it."""
    table = train.table()
    state = spans_state(table, len(train))
    # The mean of two fits: that of the horizon, and that of one session, which has more independent changes.
    weights = [_fit_scale(state, table, column, ahead).weights for ahead in (1, sessions)]
    scale = LinearScale(weights=tuple(np.mean(weights, axis=0).tolist()))
    widths = scale.of(state)
    ordinary = float(np.nanmedian(widths)) if np.isfinite(widths).any() else math.inf
    fitted = FurtherHorizon(sessions=sessions, scale=scale, ordinary=ordinary, calibration=FURTHER)
    return calibrate_further(fitted, column, train)


def _fit_scale(state: Values, table: Table, column: str, sessions: int) -> LinearScale:
    changes = changes_ahead(table, column, sessions)
    return fit_linear_scale(state[: len(changes)], changes, sessions)


def _reporter(watchers: Sequence[OnEpoch], epochs_before: int) -> OnEpoch:
    def report(epoch: int, loss: float) -> None:
        for watcher in watchers:
            watcher(epochs_before + epoch, loss)

    return report


def fit(
    network: "keras.Sequential", windows: Windows, config: TrainingConfig, draws: Random, report: OnEpoch
) -> LossCourse:
    """Fit a network to prices in place, by Keras's own `fit`; how its loss went.

    draws:  the generator of its dropout's seeds; the order of the windows comes from the backend's seed
    report: called after each epoch with its number, from 1, and its mean loss
    """
    import keras

    from model.training.input_pipeline import to_fit, to_judge

    def ended(epoch: int, logs: dict[str, float]) -> None:
        report(epoch + 1, float(logs["loss"]))

    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.LambdaCallback(on_epoch_end=ended)]
    trained = take(network, windows, config, draws)
    n = fitted_on(windows, config)
    judge = to_judge(trained.rows[n:], windows.targets[n:], config.batch_size) if n < len(windows) else None
    stopper = None
    if config.patience is not None:
        watched = "loss" if judge is None else "val_loss"
        stopper = keras.callbacks.EarlyStopping(watched, patience=config.patience, restore_best_weights=True)
        callbacks.append(stopper)
    history = trained.model.fit(
        **to_fit(trained.rows[:n], windows.targets[:n], config.batch_size),
        epochs=config.epochs,
        validation_data=judge,
        callbacks=callbacks,
        verbose=0,
    )
    network.set_weights(trained.form.get_weights())
    keep(trained)
    losses, held_back = (tuple(map(float, history.history.get(name, ()))) for name in ("loss", "val_loss"))
    kept = len(losses) if stopper is None else stopper.best_epoch + 1
    return LossCourse(training=losses, held_back=held_back, kept=kept)
