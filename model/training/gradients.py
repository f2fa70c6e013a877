"""How much of a gradient is left after a number of steps back in time, in every layer of a network.

For one window, let L be the loss that is fitted (without penalties and dropout), and h_(l,t) the output of layer l at
step t of the window. The gradient dL/dh_(l,t) is a vector of the layer's units. It counts all paths from h_(l,t) to the
network's output, through later steps and through the layers above. Its length (Euclidean norm) is averaged over windows
and, where a forecaster has several networks, over these.

A network learns from what happened t steps back through gradients that reach that far back. Where they shrink by the
same factor with every step they vanish: a straight line on a logarithmic scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from model.artifact.recipes import ChangeRecipe, Recipe
from model.config import ForecasterConfig
from model.forecaster.windows import Windows, make_windows
from model.market.prices import Prices, Values
from model.network.build import build_network, members
from model.training.objective import Pinball

if TYPE_CHECKING:
    import keras

    from model.forecaster.forecaster import Forecaster

# The newest windows of the training part; more of them would draw the same lines.
WINDOWS = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientNorms:
    """Lengths of gradients, (layers, steps) each: the lowest layer first, the oldest step of a window first.

    start: with fresh weights, as the seed makes them
    end:   after the fit
    """

    start: Values
    end: Values

    def ratios(self) -> dict[str, float]:
        """Oldest step / newest step, in the layer next to the inputs; absent where its gradients are zero."""
        lowest = {"gradient_ratio_start": self.start[0], "gradient_ratio": self.end[0]}
        ratios = {name: float(norms[0] / norms[-1]) for name, norms in lowest.items() if norms[-1] > 0}
        return {name: ratio for name, ratio in ratios.items() if np.isfinite(ratio)}


def gradient_norms(forecaster: "Forecaster", train: Prices) -> GradientNorms | None:
    """The lengths with fresh weights and after a fit on the training part; None on a backend other than TensorFlow."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    config, recipe = forecaster.config, forecaster.recipe
    return GradientNorms(
        start=fresh_norms(config, recipe, train),
        end=_mean_norms(members(forecaster.network), _newest(train, recipe), _loss(config, recipe, train)),
    )


def fresh_norms(config: ForecasterConfig, recipe: Recipe, train: Prices) -> Values:
    """(layers, steps) the lengths with the fresh weights of the configuration's seeds; on TensorFlow."""
    draws = [Random(seed) for seed in config.training.seeds]  # noqa: S311 - no secrets
    networks = [build_network(config.network, config.lookback, recipe.features, recipe.outputs, each) for each in draws]
    return _mean_norms(networks, _newest(train, recipe), _loss(config, recipe, train))


def norms_of(network: "keras.Sequential", windows: Windows, loss: str | Pinball) -> Values:
    """(layers, steps) mean length of dL/dh over windows, for one network; on TensorFlow.

    loss: Keras's name of one, or that of a network that forecasts a distribution
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs, predicted = _run_stepwise(network, windows)
        # A sum, so that each window's gradient is of its own loss.
        total = tf.reduce_sum(_losses(loss, windows, predicted))
    gradients = tape.gradient(total, outputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # In float64: the squares of vanished gradients are too small for float32.
    by_layer = [np.stack([step.numpy() for step in layer]).astype(np.float64) for layer in gradients]
    return np.array([np.linalg.norm(steps, axis=-1).mean(axis=-1) for steps in by_layer])


def _loss(config: ForecasterConfig, recipe: Recipe, train: Prices) -> str | Pinball:
    if not isinstance(recipe, ChangeRecipe):
        return config.training.loss
    return Pinball.of(make_windows(train, recipe).targets)


def _losses(loss: str | Pinball, windows: Windows, predicted: Any) -> Any:
    import keras

    if isinstance(loss, Pinball):
        return loss.losses(windows.targets, windows.offsets, predicted)
    return keras.losses.get(loss)(windows.targets[:, np.newaxis], predicted)


def _run_stepwise(network: "keras.Sequential", windows: Windows) -> tuple[list[list[Any]], Any]:
    """The network run step by step: each layer's output at each step, (n, units) each, and its own, (n, outputs).

    Keras's own loop over time is a single operation, which gives no gradient of a step inside it.
    """
    import tensorflow as tf

    steps = tf.unstack(tf.convert_to_tensor(np.ascontiguousarray(windows.inputs)), axis=1)
    outputs: list[list[Any]] = []
    for layer in network.layers:
        if hasattr(layer, "cell"):
            states = layer.get_initial_state(len(windows))
            made = []
            for step in steps:
                output, states = layer.cell.call(step, states)
                made.append(output)
            steps = made
            outputs.append(made)
    return outputs, network.layers[-1](steps[-1])


def _mean_norms(networks: Sequence["keras.Sequential"], windows: Windows, loss: str | Pinball) -> Values:
    return np.asarray(np.mean([norms_of(network, windows, loss) for network in networks], axis=0), dtype=np.float64)


def _newest(train: Prices, recipe: Recipe) -> Windows:
    return make_windows(train, recipe, min(WINDOWS, len(train) - recipe.rows))
