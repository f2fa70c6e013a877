"""Task runs of one flow run, carried out by the processes of a Dask cluster, or by this one, one after the other."""

import functools
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import Task
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from flows.runs.side_by_side.left_running import close_left_running
from model.errors import ConfigurationError, TomorrowError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.cluster.cluster import Cluster
from tasks.system.disk_errors import fault_of_ours, storage_fault
from tasks.system.prefect_server import OrchestrationServer
from tasks.tracking.provenance import identity

if TYPE_CHECKING:
    from distributed import Client, Future
    from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

R = TypeVar("R")


class Processes:
    """The processes of a cluster while a flow gives them task runs.

    stamp: by which a task names what they were handed over
    """

    def __init__(self, cluster: Cluster, runner: "DaskTaskRunner", stamp: str) -> None:
        self.cluster = cluster
        self.runner = runner
        self.stamp = stamp

    def count(self) -> int:
        """How many there are, or are to be."""
        return self.cluster.count or _count(self.runner.client)


@contextmanager
def processes(cluster: Cluster, settings: Settings) -> Iterator[Processes]:
    """Give the processes of a cluster what they need to know; ConfigurationError where one refuses it."""
    from prefect_dask.task_runners import DaskTaskRunner

    from tasks.system.cluster.handover import handed_over, prepare_handover
    from tasks.system.cluster.prefect_contexts import serialized_once

    cluster.start()  # those that an error has ended
    server = OrchestrationServer(str(PREFECT_API_URL.value()), PREFECT_API_AUTH_STRING.value())
    options = {"security": cluster.security, "timeout": durations.REACH_CLUSTER}
    with DaskTaskRunner(address=cluster.address, client_kwargs=options) as runner:
        _wait_for_one(cluster, runner)
        handover = prepare_handover(settings, server, identity)
        with handed_over(runner.client, handover, lasting=cluster.count is None), serialized_once():
            yield Processes(cluster, runner, handover.stamp)


def carried_out(
    work: "Task[..., R]",
    given: Sequence[Mapping[str, Any]],
    by: Processes | None,
    begin: Callable[[int], object] = lambda _: None,
) -> Generator[tuple[int, R | TomorrowError], None, None]:
    """The number of each set of parameters with what its task run came to, in the order in which they come in.

    by:    None: this process
    begin: called with a number before its task run begins; no more have begun than there are processes
    """
    if by is None:
        for number, parameters in enumerate(given):
            begin(number)
            yield number, _outcome(functools.partial(work, **parameters))
        return
    waiting = deque(enumerate(given))
    running: dict[Future[Any], tuple[int, PrefectDaskFuture[R]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < by.count():
                number, parameters = waiting.popleft()
                begin(number)
                submitted = by.runner.submit(work, dict(parameters))
                running[submitted.wrapped_future] = number, submitted
            for ended in _ended(by, running):
                number, submitted = running.pop(ended)
                yield number, _outcome(functools.partial(_result, submitted))
    except BaseException:
        try:
            by.runner.client.cancel(list(running), force=True)
            by.cluster.stop()
        finally:
            close_left_running(submitted.task_run_id for _, submitted in running.values())
        raise
    # A process that was killed has left a flow run, which another one has begun anew.
    close_left_running()


def _outcome(result: Callable[[], R]) -> R | TomorrowError:
    """What a task run came to, or the error that tells why it came to nothing."""
    try:
        return result()
    except TomorrowError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result of this one
        return storage_fault(error) or fault_of_ours(error)


def _result(submitted: "PrefectDaskFuture[R]") -> R:
    """What a task run came to that a worker did; what only Dask says of its end is a TomorrowError."""
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        return submitted.result()
    except KilledWorker as error:
        raise TomorrowError(
            "a worker process",
            have=f"{error.allowed_failures + 1} processes in turn have ended while they did the same work",
            need="memory and time for as many processes at once",
            remedy="use fewer --jobs; run the same command again: it does what is not done yet",
        ) from None
    except FutureCancelledError:
        raise _lost("its scheduler has ended, or no longer knows of the work that it was given") from None


def _ended(by: Processes, running: "Mapping[Future[Any], object]") -> "list[Future[Any]]":
    """Those that have ended, after a while; none where none has."""
    from distributed import wait

    if not running:  # for want of processes
        _wait_for_one(by.cluster, by.runner)
        return []
    try:
        with by.runner.client.as_current():
            return list(wait(list(running), timeout=durations.LOOK_AT_WORKERS, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        by.cluster.start()  # what has ended for good
        if not _count(by.runner.client):
            _wait_for_one(by.cluster, by.runner)
        return []


def _wait_for_one(cluster: Cluster, runner: "DaskTaskRunner") -> None:
    """Wait until there is a process; ConfigurationError where none comes, or there is no scheduler."""
    try:
        client = runner.client
    except OSError:
        raise _lost("no Dask scheduler answers there", cluster) from None
    patience = durations.START_WORKER if cluster.count else durations.REACH_CLUSTER
    for _ in range(math.ceil(patience / durations.LOOK_AT_WORKERS)):
        try:
            client.wait_for_workers(1, timeout=durations.LOOK_AT_WORKERS)
        except TimeoutError:
            cluster.start()
        else:
            return
    if cluster.count:
        raise TomorrowError(
            f"the {cluster.count} processes of this command",
            have=f"none has started in {patience:g} s",
            need="memory and time for as many at once",
            remedy="use fewer --jobs; --jobs 1 needs no other process",
        )
    raise _lost("no worker has come that takes work", cluster)


def _lost(have: str, cluster: Cluster | None = None) -> ConfigurationError:
    return ConfigurationError(
        f"the cluster{f' at {cluster.address}' if cluster else ''}",
        have=have,
        need="a scheduler that is running, and workers that are connected to it",
        remedy="start them: dask scheduler, and dask worker ADDRESS --nthreads 1; or leave out --cluster and the key "
        "`cluster` in mlflow.yaml to use processes of this machine",
    )


def _count(client: "Client") -> int:
    return len(client.nthreads())
