"""Real servers for tests: started on a free port of 127.0.0.1, waited for, and ended with all their children."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.system.patience import PASSING, patiently


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(method: str, address: str, **how: Any) -> httpx.Response:
    """What a server answers; one that is busy for the moment is asked again, as Prefect's is while SQLite is locked."""

    def ask() -> httpx.Response:
        return httpx.request(method, address, **{"timeout": 60, **how})

    return patiently(ask, seconds=120, after_answer=lambda answer: answer.status_code in PASSING)


@contextmanager
def serving(
    command: Sequence[str], health: str, folder: Path, end: signal.Signals = signal.SIGTERM, /, **environment: str
) -> Iterator[None]:
    """Run a program of this environment until the block is left; it is up once `health` answers.

    end: how it is told to end
    """
    programs = Path(sys.executable).parent
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [str(programs / command[0]), *command[1:]],
            cwd=folder,
            env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(health, server, log)
        yield
    finally:
        os.killpg(server.pid, end)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.3)
    pytest.fail(f"{log.name} did not come up:\n{log.read_text()[-2000:]}")
