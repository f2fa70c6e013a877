"""What a worker is given before its first task, and what it has to agree with: else it refuses.

A worker has no settings, addresses or credentials of its own. Without Prefect's address Prefect would start a server in
each worker, which nobody sees; with another version of the code or of a library a fit would come to other digits.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from distributed.diagnostics.plugin import WorkerPlugin

from model.errors import ConfigurationError
from tasks.settings import Settings, use_settings
from tasks.system import durations
from tasks.system.lock import state_id
from tasks.system.prefect_server import OrchestrationServer, prepare_environment
from tasks.system.state_directory import keep_private

if TYPE_CHECKING:
    from distributed import Client, Worker

# Variables that hold addresses, credentials and ways to behave; places on one machine stay there.
PASSED_ON = ("MLFLOW_", "TOMORROW_", "AWS_")
LEFT_OUT = (
    *("TOMORROW_CONFIG", "TOMORROW_HOME", "TOMORROW_TMP"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What one command gives each worker.

    identity: the versions of the command's code and libraries
    identify: gives the worker's own
    state:    the id of the command's state directory, which the worker has to reach at the same path
    stamp:    by which a task names it
    """

    settings: Settings = field(repr=False)
    server: OrchestrationServer
    variables: Mapping[str, str] = field(repr=False)
    identity: Mapping[str, str]
    identify: Callable[[], Mapping[str, str]]
    state: str
    stamp: str = field(default_factory=lambda: uuid4().hex)


class _Carrier(WorkerPlugin):
    """How Dask brings a handover to each worker, those that come later too."""

    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    async def setup(self, worker: "Worker") -> None:
        """Called in the worker when the handover is there."""
        await receive(worker, self._handover)

    def teardown(self, worker: "Worker") -> None:  # noqa: ARG002 - Dask calls it so
        """Called in the worker when the command has ended."""
        _received.pop(self._handover.stamp, None)


_received: dict[str, Handover] = {}
_reports_to: str | None = None
# The variables that the last command has set here, with what they were before.
_before: dict[str, str | None] = {}


def prepare_handover(
    settings: Settings, server: OrchestrationServer, identify: Callable[[], Mapping[str, str]]
) -> Handover:
    """What this process's command gives the workers."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON) and name not in LEFT_OUT}
    return Handover(
        settings=settings,
        server=server,
        variables=given,
        identity=identify(),
        identify=identify,
        state=state_id(settings),
    )


@contextmanager
def handed_over(client: "Client", handover: Handover, *, lasting: bool) -> Iterator[None]:
    """Every worker of the cluster has it in the block, those that come later too.

    ConfigurationError where one refuses it. At the end each has sent Prefect's server the last states of its tasks.

    lasting: whether the workers outlive the command, and so have to forget it after an error, too
    """
    name = f"tomorrow-{handover.stamp}"
    try:
        _register(client, handover, name)
        yield
        client.run(report_last_states, on_error="ignore")
    except BaseException:
        if lasting:
            client.unregister_worker_plugin(name)
        raise
    client.unregister_worker_plugin(name)


def _register(client: "Client", handover: Handover, name: str) -> None:
    try:
        client.register_plugin(_Carrier(handover), name=name)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            "a worker of the cluster",
            have=f"it cannot read what it is handed over ({type(error).__name__}: {error}): this product, or a library "
            "of it, is not installed there, or is another version",
            need="the same installation as this command's",
            remedy="install the same version there, and start the worker anew",
        ) from None


async def receive(worker: "Worker", handover: Handover) -> None:
    """Check and keep what is handed over; called in the worker, perhaps in the middle of another command's task.

    So settings and variables stay as they are until a task takes up its own.
    """
    global _reports_to
    _check(worker, handover)
    keep_private(handover.settings)
    prepare_environment(handover.settings)
    if _reports_to not in (None, handover.server.address):
        await report_last_states()
    _reports_to = handover.server.address
    _received[handover.stamp] = handover
    handover.server.use()


def take_up(stamp: str) -> None:
    """Have this process work for the command that has handed over this; ConfigurationError where it has not got it."""
    handover = _received.get(stamp)
    if handover is None or handover.server.address != _reports_to:
        raise ConfigurationError(
            "what a worker needs to know: settings, Prefect's and MLflow's addresses",
            have=f"this worker works for a command with another Prefect server, {_reports_to}"
            if handover
            else "this worker has none: it refused them, or was never given them",
            need="those of the command whose task it is",
            remedy="let one command at a time use the cluster, or give all of them the same PREFECT_API_URL; see the "
            "worker's log",
        )
    use_settings(handover.settings)
    _set(handover.variables)
    handover.server.use()
    from tasks.system.cluster.prefect_contexts import reuse_contexts  # Prefect is imported now, as the task is here

    reuse_contexts()


def _set(variables: Mapping[str, str]) -> None:
    """Set a command's variables, and nothing of the command before it."""
    for name, text in _before.items():
        os.environ.pop(name, None) if text is None else os.environ.update({name: text})
    _before.clear()
    _before.update({name: os.environ.get(name) for name in variables})
    os.environ.update(variables)


async def report_last_states() -> None:
    """Send Prefect's server what it has not been told yet of the tasks that are done, and of their logs."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (EventsWorker, APILogWorker):
        waiting: Any = service.drain_all(timeout=durations.REPORT_LAST_STATES, at_exit=False)
        await waiting


def _check(worker: "Worker", handover: Handover) -> None:
    name = f"the worker {worker.address}"
    own = handover.identify()
    differ = [key for key in {**handover.identity, **own} if handover.identity.get(key) != own.get(key)]
    if differ:
        raise ConfigurationError(
            name,
            have=", ".join(f"{key} {own.get(key, 'none')}" for key in differ),
            need=", ".join(f"{key} {handover.identity.get(key, 'none')}" for key in differ) + ", as this command has",
            remedy="install the same version there, and start the worker anew",
        )
    if worker.state.nthreads != 1:
        raise ConfigurationError(
            name,
            have=f"{worker.state.nthreads} threads",
            need="one thread in each process: fits in one process would disturb each other",
            remedy="start it with --nthreads 1, and with --nworkers for several processes",
        )
    id_file = handover.settings.home / "locks" / "id"
    if not id_file.is_file() or id_file.read_text(encoding="utf-8") != handover.state:
        raise ConfigurationError(
            name,
            have=f"{'another' if id_file.is_file() else 'no'} state directory at {handover.settings.home}",
            need="the state directory of this command, which holds its locks, prices and temporary files",
            remedy="mount it there at the same path, or start the workers on this machine",
        )
