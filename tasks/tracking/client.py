"""Opens the store in which MLflow keeps runs and versions: a database, or a server."""

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import ConfigurationError
from tasks.settings import Address, Settings
from tasks.system import durations
from tasks.system.access.own_servers import mlflow_key
from tasks.system.disk_errors import denied
from tasks.system.patience import PASSING, patiently
from tasks.tracking.database import ready_database
from tasks.tracking.experiment import EXPERIMENT_TAGS

if TYPE_CHECKING:
    from mlflow import MlflowClient as MlflowClient

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")

# Telemetry: the libraries report their usage to their makers. The retries last two minutes in all, as
# durations.RIDE_OUT, enough for the restart of a server; MLflow's own last four. The user's own values take precedence.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # With a server, MLflow would print links on standard output, which is for the command's own output.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # With tqdm installed (as by the extra `statistics`), MLflow would draw a progress bar for each file it reads.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "PGCONNECT_TIMEOUT": "10",
}


@dataclass(frozen=True, slots=True)
class Tracking:
    """MLflow's store, opened, with the settings."""

    client: "MlflowClient"
    settings: Settings

    def experiment_id(self) -> str:
        """The experiment's id; makes it where there is none, once even if processes race for it.

        ConfigurationError where it was deleted in MLflow.
        """
        from mlflow.exceptions import MlflowException

        name = self.settings.tracking.experiment
        is_server = self.settings.tracking_uri.is_server
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            try:
                # A server decides for itself where artifacts go.
                place = None if is_server else self.settings.artifact_place
                return str(self.client.create_experiment(name, place, tags=EXPERIMENT_TAGS))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            experiment = self.client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage != "active":
            raise ConfigurationError(
                f"experiment {name!r}",
                have="it was deleted in MLflow",
                need="an experiment that is not deleted",
                remedy="restore it in MLflow, or name another under tracking.experiment in mlflow.yaml",
            )
        for tag, text in EXPERIMENT_TAGS.items():
            if tag not in experiment.tags:
                self.client.set_experiment_tag(experiment.experiment_id, tag, text)
        return str(experiment.experiment_id)


def prepare_environment() -> None:
    """Set MLflow's environment variables; to be called before anything imports MLflow."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow.store.db.utils").addFilter(_drop_shutdown_trace)


def open_tracking(settings: Settings, rides_out: float = durations.REACH) -> Tracking:
    """Open the tracking store, which also holds the registry; ConfigurationError where it cannot be used.

    rides_out: for how many seconds to repeat requests to a server that does not answer

    The store also becomes this process's default, since MLflow resolves `models:/` addresses only through that.
    """
    prepare_environment()
    uri = settings.tracking_uri
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in DATABASES:
        ready_database(settings)
    elif uri.is_server:
        _send_key(settings, rides_out)
        _reach(uri, rides_out)
    else:
        raise ConfigurationError(
            f"tracking store {uri}",
            have="not the address of a tracking store with a model registry",
            need="sqlite:///FILE, postgresql+psycopg://USER@HOST/DATABASE, or http://HOST:PORT of an MLflow server",
            remedy="set tracking.uri in mlflow.yaml, or MLFLOW_TRACKING_URI",
        )
    import mlflow

    given = uri.bare if uri.is_server else uri.secret
    if uri.is_server and uri.credentials is not None:
        # Not in the address, which MLflow's errors show.
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = uri.credentials
    _make_default(given)
    client = mlflow.MlflowClient(tracking_uri=given, registry_uri=given)
    if uri.is_server:
        _check_access(client, uri)
    return Tracking(client, settings)


def _make_default(uri: str) -> None:
    """Set MLflow's process-wide addresses, and undo its changes to the environment.

    There, the address would override mlflow.yaml when the settings are read again, here or in a subprocess.
    """
    import mlflow

    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _reach(uri: Address, rides_out: float) -> None:
    """ConfigurationError where no server answers: MLflow's own client would try for longer than a person waits."""
    import requests

    if {"?", "#"}.intersection(uri.bare):
        raise _unreachable(uri, "an address with parameters, to which MLflow cannot add its paths")
    place, patience = f"{uri.bare.rstrip('/')}/health", (durations.REACH_MLFLOW, durations.HEAR_MLFLOW)
    try:
        answer = patiently(
            lambda: requests.get(place, auth=uri.credentials, timeout=patience),
            rides_out,
            after_error=lambda error: isinstance(error, (requests.ConnectionError, requests.Timeout)),
            after_answer=lambda answer: answer.status_code in PASSING,
        )
    except requests.ConnectionError:
        raise _unreachable(uri, "no server answers there") from None
    except requests.Timeout:
        raise _unreachable(uri, "the server does not answer in time") from None
    except (requests.RequestException, ValueError) as error:
        raise _unreachable(uri, f"it cannot be asked: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise _unreachable(uri, f"it answers {answer.status_code} {answer.reason}")


def key_variables(key: str) -> dict[str, str]:
    """The environment variables with which MLflow's client sends a key.

    As a password, too, since that takes precedence over a token: ~/.mlflow/credentials may hold another server's.
    """
    return {"MLFLOW_TRACKING_TOKEN": key, "MLFLOW_TRACKING_USERNAME": "tomorrow", "MLFLOW_TRACKING_PASSWORD": key}


def _send_key(settings: Settings, patience: float) -> None:
    """Let MLflow's client send our key to our own server; any other server gets what the user has configured."""
    key = mlflow_key(settings, settings.tracking_uri.bare, patience)
    if key is not None:
        os.environ |= key_variables(key)


def _check_access(client: "MlflowClient", uri: Address) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        raise denied(error) or _unreachable(uri, f"it refuses: {str(error).splitlines()[0][:200]}") from None


def _unreachable(uri: Address, have: str) -> ConfigurationError:
    return ConfigurationError(
        f"tracking server {uri}",
        have=have,
        need="a running MLflow server that accepts our requests",
        remedy="start it, or correct tracking.uri in mlflow.yaml, or MLFLOW_TRACKING_URI",
    )


def _drop_shutdown_trace(record: logging.LogRecord) -> bool:
    """Drop the trace that MLflow logs of a database error; it raises the error as well."""
    return record.exc_info is None
