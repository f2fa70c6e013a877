"""The environment of Prefect and the other libraries, set before they are imported; and this process's own server.

What the user has set is not overridden. Prefect reads `[tool.prefect]` of a pyproject.toml only in the working
directory, so a worker's runs and an installed wheel do not find ours: it is for Prefect's own commands, started in the
project's folder. What must hold everywhere is set here.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import ConfigurationError
from tasks.settings import Address, Settings, in_folder, part_credentials, read_settings
from tasks.system import durations
from tasks.system.access.own_prefect import start_server
from tasks.system.access.own_servers import prefect_key
from tasks.system.access.secret import new_keys
from tasks.system.disk_errors import folder_fault
from tasks.system.keras_backend import ONE_THREAD
from tasks.system.patience import PASSING, patiently

LONGEST_ANSWER = 200
PREFECT_DATABASE = Address("sqlite+aiosqlite:///prefect.db")
NO_PROXY = ("no_proxy", "NO_PROXY")
HEARTBEATS = ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "PREFECT_RUNNER_HEARTBEAT_FREQUENCY")


def environment(settings: Settings, *, quiet: bool) -> dict[str, str]:
    """The libraries' environment variables; `quiet` keeps Prefect's log off the terminal."""
    variables = {
        # Usage telemetry: MLflow accepts DO_NOT_TRACK only as `true`; Prefect's library has no other switch.
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Their files are kept in the state directory, with all others.
        "PREFECT_HOME": str(settings.home / "prefect"),
        "KERAS_HOME": str(settings.home / "keras"),
        # Prefect may start a server of its own where none is named.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(durations.START_PREFECT),
        # With many clients, its server on SQLite may answer 503 (database locked) for over a minute. Each wait is twice
        # the one before: seven last over four minutes, Prefect's default of five hardly one.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        **without_proxy(settings),
        # Else TensorFlow logs notes on processor instructions, and MLflow warns that git is missing, which it can do
        # without.
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GIT_PYTHON_REFRESH": "quiet",
        # A user may have set them, for larger networks.
        **{name: os.environ.get(name, number) for name, number in ONE_THREAD.items()},
    }
    database = in_folder(PREFECT_DATABASE, settings.home / "prefect")
    if (
        "?uri=" in database.secret
        and os.environ.get("PREFECT_HOME", variables["PREFECT_HOME"]) == variables["PREFECT_HOME"]
    ):
        # Prefect itself would make an address in which the path ends at the first `?`, `#` or `%`.
        variables["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.secret
    if quiet:
        # The handler's level, not the logger's: Prefect's pages still show the whole log. The command itself shows the
        # error that ends a flow.
        variables["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    return variables


def without_proxy(settings: Settings) -> dict[str, str]:
    """The variables that keep requests to our servers, which carry keys, away from proxies; the user's hosts are kept.

    In both spellings, since some programs read only one of them.
    """
    given = [host.strip() for name in NO_PROXY for host in os.environ.get(name, "").split(",")]
    hosts = [*given, "127.0.0.1", "::1", "localhost", settings.server.host, settings.prefect.host]
    return dict.fromkeys(NO_PROXY, ",".join(host for host in dict.fromkeys(hosts) if host))


def prepare_environment(settings: Settings) -> None:
    """Set up this process for a command; to be called before Prefect, MLflow or Keras are imported."""
    for name, value in environment(settings, quiet=True).items():
        os.environ.setdefault(name, value)
    os.environ |= without_proxy(settings)
    part_credentials()
    _make_home(Path(os.environ["PREFECT_HOME"]).expanduser())
    logging.getLogger("prefect.EventsWorker").addFilter(_drop_shutdown_warning)
    logging.getLogger("prefect._internal.concurrency").addFilter(_shorten_lost_event)


@dataclass(frozen=True, slots=True)
class OrchestrationServer:
    """A Prefect server: the address of its API, and the key that it asks for."""

    address: str
    key: str | None = field(repr=False)

    def use(self) -> None:
        """Have this process run its flows against it; to be called before Prefect is imported."""
        os.environ["PREFECT_API_URL"] = self.address
        if self.key:
            os.environ["PREFECT_API_AUTH_STRING"] = self.key


@contextmanager
def orchestrated(meanwhile: Callable[[], object] = lambda: None) -> Iterator[OrchestrationServer]:
    """Run flows in this block on the server that PREFECT_API_URL names, else on one that this process starts.

    Its start takes seconds; meanwhile `meanwhile` is called, to import slow modules. Gives the server, so that other
    processes can use it, too. A server that this process starts has a key of its own: a program that took its port
    would learn no key of another server. ConfigurationError where the server does not answer or start.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    # Heartbeats tell the server that a run has not died with its worker. Here is no worker, and stopping the thread
    # that sends them takes a second per flow.
    heartbeats = any(os.environ.get(name) for name in HEARTBEATS)
    address = PREFECT_API_URL.value()
    keys = None if address else new_keys()
    key = keys.prefect if keys else prefect_key(read_settings(), str(address), durations.REACH)
    with temporary_settings(
        {
            **({} if heartbeats else {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
            **({PREFECT_API_AUTH_STRING: key} if key else {}),
        }
    ):
        if keys is None:
            _check_server(str(address))
            meanwhile()
        else:
            address = start_server(meanwhile, keys)
        with temporary_settings({PREFECT_API_URL: str(address)}):
            yield OrchestrationServer(str(address), key)


def _make_home(home: Path) -> None:
    """Make Prefect's folder: Prefect makes no parents, and goes on when it cannot write."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise folder_fault(f"Prefect's folder {home}", error) from None


def _check_server(url: str) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        fault = patiently(client.api_healthcheck, durations.REACH, after_answer=_may_pass)
    answer = getattr(fault, "response", None)
    if answer is not None:
        said = answer.text.strip()[:LONGEST_ANSWER]
        raise ConfigurationError(
            f"Prefect's server at {url}",
            have=f"it answers {answer.status_code}{f': {said}' if said else ''}",
            need="a Prefect server that accepts our requests",
            remedy="correct PREFECT_API_URL, set PREFECT_API_AUTH_STRING to what it asks for, or unset PREFECT_API_URL "
            "to run without one",
        )
    if fault is not None:
        raise ConfigurationError(
            f"Prefect's server at {url}",
            have=f"no answer for {durations.REACH:g} s ({type(fault).__name__})",
            need="a server that is running",
            remedy="start it, or unset PREFECT_API_URL to run without one",
        )


def _may_pass(fault: Exception | None) -> bool:
    """Whether the fault may be temporary: no answer, or a status of PASSING; a refusal is final."""
    answer = getattr(fault, "response", None)
    return fault is not None and (answer is None or answer.status_code in PASSING)


def _drop_shutdown_warning(record: logging.LogRecord) -> bool:
    """Drop Prefect's warning at the end of a process whose last events are still being sent."""
    return not record.getMessage().startswith("Still processing items")


def _shorten_lost_event(record: logging.LogRecord) -> bool:
    """Replace a message of Prefect's that holds a whole event, some thousand characters, by a sentence."""
    if "failed to process item" in record.getMessage():
        record.msg = "Prefect's server did not take an event of this run: its pages lack it, and nothing else is lost."
        record.args = None
    return True
