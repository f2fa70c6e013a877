"""A Dask cluster of this command's own: processes of one thread each on this machine, which end with the command.

Its scheduler runs in this process, on 127.0.0.1, and answers only whoever has a key that is made for this cluster and
kept in memory: Dask runs whatever it is sent.
"""

import asyncio
import functools
import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from tasks.system import durations
from tasks.system.cluster.cluster import Cluster
from tasks.system.cluster.gpus import offer
from tasks.system.keras_backend import ONE_THREAD

if TYPE_CHECKING:
    from distributed import LocalCluster

HERE = "127.0.0.1"
LOGGERS = ("distributed", "tornado", "asyncio")
# What a process loads when it starts.
LOADED, LOADED_TO_FIT = "tasks.system.cluster.preload", "tasks.system.cluster.preload_keras"
CONFIGURATION: dict[str, Any] = {
    # Dask's own would undo tasks.system.keras_backend.MEMORY.
    "distributed.nanny.pre-spawn-environ": {},
    # A task for each process, and the rest with the scheduler: a fit lasts too long to wait behind another.
    "distributed.scheduler.worker-saturation": 1.0,
    # Dask would give up one that takes long to start again.
    "distributed.deploy.lost-worker-timeout": "1 hour",
    # Each looks at the process many times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    # The pages of scheduler and workers ask for no key.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A process that ends while others speak to it is no news: what becomes of its work is told by the flow.
    "distributed.logging": dict.fromkeys(LOGGERS, "critical"),
}


@contextmanager
def local_cluster(count: int, *, fits: bool, loads: Sequence[str] = (), gpus: Sequence[str] = ()) -> Iterator[Cluster]:
    """So many processes; they start while the block begins, and one that ends is replaced.

    fits:  whether they load Keras when they start
    loads: modules whose `dask_setup` they call after that
    gpus:  each process sees one of these, in turn
    """
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    dask.config.set(CONFIGURATION)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    security = Security.temporary()
    with tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True) as folder:
        # Ctrl-C goes to every process of a terminal: blocked here, it is blocked in Dask's thread and in each process
        # that it starts. The tracker unblocks it when it starts, so it has to run already.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            made = LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                host=HERE,
                security=security,
                protocol="tls://",
                dashboard_address=f"{HERE}:0",
                scheduler_kwargs={"dashboard": False},
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                local_directory=folder,
                env={**ONE_THREAD, **offer(gpus)},
                preload=[LOADED, *([LOADED_TO_FIT] if fits else []), *loads],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        start, stop = functools.partial(made.sync, _start, made, count), functools.partial(made.sync, _end, made)
        try:
            start()
            yield Cluster(address=made.scheduler_address, security=security, count=count, start=start, stop=stop)
        finally:
            with suppress(TimeoutError):  # what is left is a thread of this process
                stop()
                made.close(timeout=durations.END_CLUSTER)


async def _start(made: "LocalCluster", count: int) -> None:
    """Start the processes that are not there."""
    from distributed.core import Status

    for name, nanny in list(made.workers.items()):
        # Dask starts no other for a process that was killed while it started.
        if nanny.status in (Status.failed, Status.closed):
            del made.workers[name]
    made.scale(count)


async def _end(made: "LocalCluster") -> None:
    """End the processes at once; nobody waits for what they are doing."""
    nannies = list(made._created)  # those whose process is still starting, too
    closing = [asyncio.ensure_future(nanny.close()) for nanny in nannies]
    await asyncio.sleep(0)  # each has begun to close, and starts no other process
    for nanny in nannies:
        if nanny.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)
    if closing:
        await asyncio.wait(closing, timeout=durations.END_CLUSTER)
    # Dask would ask its scheduler to move the results away from processes that are no more.
    made.worker_spec.clear()
    made.workers.clear()
