"""What the tests of networks share."""

import pytest


@pytest.fixture
def on_tensorflow() -> None:
    """The test is skipped where Keras runs on another backend: what it tests is there on TensorFlow alone."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("only on TensorFlow")
