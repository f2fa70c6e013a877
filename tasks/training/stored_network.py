"""The network of a registered version, to be fitted further or looked at."""

from pathlib import Path
from typing import TYPE_CHECKING

from model.artifact.numpy_network import NumpyNetwork
from model.network.numpy_export import keras_weights
from model.training.warm_start import Weights, member_weights
from tasks.settings import Settings
from tasks.tracking.checked_files import version_files
from tasks.tracking.model_artifact import yaml_in_c

if TYPE_CHECKING:
    import keras


def load_weights(settings: Settings, model_uri: str, source: str) -> tuple[Weights, ...]:
    """The weights of each member of the network at such addresses; ConfigurationError as for version_files.

    Without Keras, which takes ten times as long to build a network for them, where NumPy computes the network.
    """
    with version_files(settings, model_uri, source) as stored, yaml_in_c():
        artifacts = _artifacts(stored)
        if "weights" in artifacts:
            return keras_weights(NumpyNetwork.load(artifacts["weights"]))
        return member_weights(_network(artifacts["network"]))


def load_parts(settings: Settings, model_uri: str, source: str) -> "tuple[keras.Model, str]":
    """The network at such addresses, and the recipe as it is stored; ConfigurationError as for version_files."""
    with version_files(settings, model_uri, source) as stored:
        artifacts = _artifacts(stored)
        return _network(artifacts["network"]), artifacts["recipe"].read_text(encoding="utf-8")


def _artifacts(stored: Path) -> dict[str, Path]:
    """The files of a forecaster by what each is, in the folder of its MLflow model."""
    from mlflow.models import Model

    artifacts = Model.load(str(stored)).flavors["python_function"]["artifacts"]
    return {name: stored / artifact["path"] for name, artifact in artifacts.items()}


def _network(file: Path) -> "keras.Model":
    import keras

    from model.artifact import cells

    return keras.models.load_model(file, custom_objects=cells.CELLS, compile=False, safe_mode=True)
