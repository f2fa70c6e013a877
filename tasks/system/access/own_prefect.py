"""Starts a Prefect server of this process's own, which nobody else can answer for and which ends with the process."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError
from tasks.system.access.guard import Door
from tasks.system.access.own_servers import start_own
from tasks.system.access.prefect_app import ENDS_WITH_STARTER, server_command, server_variables
from tasks.system.access.secret import Keys
from tasks.system.disk_errors import folder_fault, inodes_are_gone

if TYPE_CHECKING:
    from prefect.server.api.server import SubprocessASGIServer

# A port may be taken by chance once; after two failed starts in a row there is another reason.
MOST_STARTS = 2
# A new database takes 5.4 MB, with its write-ahead log.
ROOM_BYTES = 8_000_000


def start_server(meanwhile: Callable[[], object], keys: Keys) -> str:
    """Start the server that Prefect itself would start; Prefect then finds it running. Gives its API's address."""
    from prefect.settings import PREFECT_SERVER_ALLOW_EPHEMERAL_MODE

    if not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        raise ConfigurationError(
            "Prefect's server",
            have="PREFECT_API_URL is not set, and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE does not allow starting one",
            need="a server that runs, or permission to start one",
            remedy="set PREFECT_API_URL to your server's address, or unset PREFECT_SERVER_ALLOW_EPHEMERAL_MODE",
        )
    if sys.stderr.isatty():
        sys.stderr.write("starting a Prefect server for this run: ten seconds or more (none with PREFECT_API_URL)\n")
    # It starts while the part of Prefect that looks after it is imported, which takes longer than a second.
    first = _begin(keys)
    try:
        server = _looked_after(first, keys)
    except BaseException:
        first.process.kill()
        first.process.wait()
        raise
    with ThreadPoolExecutor(1, thread_name_prefix="prefect-server") as pool:
        started = pool.submit(start_own, server, keys)
        meanwhile()
        started.result()
    return str(server.api_url)


def _looked_after(first: "_Begun", keys: Keys) -> "SubprocessASGIServer":
    """The server that has begun to start, as Prefect looks after one: it waits for it, and ends it at the end."""
    from prefect.server.api.server import SubprocessASGIServer

    class OwnServer(SubprocessASGIServer):
        """A server that listens at a port which this process has already opened for it.

        Prefect's exit code for a taken port means here that the server cannot start: the port cannot be taken.
        """

        starts = 1
        begun: _Begun | None = first

        def find_available_port(self) -> int:
            if self.begun is None:
                self.starts += 1
                _check_starts(self.starts)
                self.begun = _begin(keys)
            return self.begun.port

        def _run_uvicorn_command(self) -> "subprocess.Popen[Any]":
            begun, self.begun = self.begun, None
            if begun is None:
                raise RuntimeError("Prefect starts its server without having looked for a port")
            return begun.process

    return OwnServer()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A server's process that is starting, and the port at which it will listen."""

    port: int
    process: "subprocess.Popen[Any]"


def _begin(keys: Keys) -> _Begun:
    """Start the process of a server, at a port that this process has opened for it.

    If the server opened the port itself, another program could take it first and answer in its place.
    """
    from prefect.settings import get_current_settings

    # Ctrl-C goes to every process of a terminal. If it ended the server, Prefect would try for minutes to report how
    # the flow ended. A signal that is blocked here is also blocked in the new process.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Closed here afterwards: if it stayed open, clients would wait for a server that has ended.
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            port = int(listening.getsockname()[1])
            process = subprocess.Popen(
                server_command("--fd", str(listening.fileno()), level="error"),
                pass_fds=[listening.fileno()],
                # Never written to: when this process ends, even if killed, it is closed, and the server ends.
                stdin=subprocess.PIPE,
                env={
                    **os.environ,
                    "PREFECT_UI_ENABLED": "0",
                    "PREFECT__SERVER_EPHEMERAL": "1",
                    **get_current_settings().to_environment_variables(exclude_unset=True),
                    **server_variables(Door(f"http://127.0.0.1:{port}", keys.proof), keys.prefect),
                    ENDS_WITH_STARTER: "1",
                },
            )
        return _Begun(port, process)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _check_starts(number: int) -> None:
    """ConfigurationError where a server has ended while it started as often as it may."""
    if number <= MOST_STARTS:
        return
    check_room(Path(os.environ["PREFECT_HOME"]).expanduser())
    raise ConfigurationError(
        f"Prefect's server in {os.environ.get('PREFECT_HOME')}",
        have="it ended while it started, twice",
        need="a Prefect database that this release can open and write",
        remedy="see why with `prefect server start`, or move it away: only Prefect's list of runs is lost",
    )


def check_room(home: Path) -> None:
    """ConfigurationError where the disk has no room for Prefect's database; for use after a server failed to start."""
    if inodes_are_gone(home):
        raise folder_fault(f"Prefect's server in {home}", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    free = shutil.disk_usage(home).free
    if free < ROOM_BYTES:
        raise ConfigurationError(
            f"Prefect's server in {home}",
            have=f"it ended while it started, and only {free / 1e6:.1f} MB are free on that disk",
            need=f"{ROOM_BYTES / 1e6:.0f} MB for its database",
            remedy="make room there, or set PREFECT_HOME to a folder on another disk",
        )
