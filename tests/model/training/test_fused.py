"""The fused layer: Keras's own answers and gradients, to float32's rounding."""

from random import Random

import numpy as np
import pytest

from model.config import NetworkConfig
from model.network.build import build_network

pytestmark = pytest.mark.usefixtures("on_tensorflow")


def test_a_fused_twin_answers_and_learns_as_keras_own_layers() -> None:
    import keras
    import tensorflow as tf

    from model.training.fused import FusedLSTM, fused_twin

    inputs = np.random.default_rng(0).random((7, 40, 1)).astype(np.float32)
    keras.utils.set_random_seed(0)
    network = build_network(NetworkConfig(dropout=0, l2=0.01), 40)
    twin = fused_twin(network, Random(0))
    assert [type(layer) for layer in twin.layers].count(FusedLSTM) == 4
    answers, gradients = [], []
    for model in (network, twin):
        with tf.GradientTape() as tape:
            answer = model(inputs, training=True)
            loss = tf.reduce_mean(tf.square(answer - 1.0)) + sum(model.losses)
        answers.append(answer.numpy())
        gradients.append(tape.gradient(loss, model.trainable_variables))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5, atol=1e-7)
    for ours, theirs in zip(gradients[1], gradients[0], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("clipping", [{}, {"clipnorm": 0.5}, {"clipvalue": 0.1}])
def test_fused_adam_moves_weights_as_keras_own(clipping: dict[str, float]) -> None:
    import keras

    from model.training.fused import FusedAdam

    gradients = np.random.default_rng(1).standard_normal((20, 3, 4)).astype(np.float32)
    moved = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        weights = [keras.Variable(np.ones((3, 4), np.float32)), keras.Variable(np.zeros(4, np.float32))]
        optimizer = kind(learning_rate=0.01, **clipping)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(each) for each in (gradient, gradient[0])], weights)
        moved.append([np.array(weight) for weight in weights])
    for ours, theirs in zip(moved[1], moved[0], strict=True):
        assert np.abs(theirs - theirs.round()).max() > 0.01  # they have moved
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
