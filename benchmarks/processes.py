"""Whole processes, measured: wall time, peak memory, what they print; and a Prefect server to run them against."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
TOMORROW = str(BIN / "tomorrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A process that has ended well: wall time, processor time with that of the programs it started, memory, output."""

    seconds: float
    cpu: float
    megabytes: float
    output: str


def measure(
    command: Sequence[str], environment: Mapping[str, str] | None = None, well: Collection[int] = (0,)
) -> Measured:
    """Run a program to its end; the peak memory is its own, or that of the largest program it started.

    well: the exit codes with which it has ended well; sys.exit with what it printed at another one
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as talk:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=talk, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode not in well:
            talk.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read()}{talk.read()[-3000:]}")
        return Measured(
            seconds=seconds,
            cpu=usage.ru_utime + usage.ru_stime,
            megabytes=usage.ru_maxrss / 1024,
            output=output.read(),
        )


def script(name: str, *arguments: str) -> list[str]:
    """The command line of a script of this folder that needs nothing of this project."""
    return [sys.executable, str(HERE / name), *arguments]


def benchmark(name: str, *arguments: str) -> list[str]:
    """The command line of another benchmark; it is run in the project's folder, as this one is."""
    return [sys.executable, "-m", f"benchmarks.{name}", *arguments]


@contextmanager
def prefect_server(home: Path, host: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """A separate server for this block; gives the variables with which a program uses it.

    host: the address of this machine on which it listens
    """
    quiet = {"PREFECT_HOME": str(home), "DO_NOT_TRACK": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    port = free_port()
    address = f"http://{host}:{port}/api"
    with _serving(["prefect", "server", "start", "--host", host, "--port", port], home.parent, quiet):
        wait_for(f"{address}/health")
        yield {**quiet, "PREFECT_API_URL": address}


@contextmanager
def mlflow_server(
    folder: Path, more: Callable[[str], tuple[list[str], dict[str, str]]] | None = None
) -> Iterator[dict[str, str]]:
    """The same for MLflow, on SQLite.

    more: gives further arguments and variables for a server at an address
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    quiet["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    command = ["mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/served.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "served"), "--host", "127.0.0.1", "--port", port]
    arguments, variables = more(address) if more else ([], {})
    with _serving([*command, *arguments], folder, quiet | variables):
        wait_for(f"{address}/health")
        yield {"MLFLOW_TRACKING_URI": address}


def free_port() -> str:
    """A port that nobody listens on at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def _serving(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the block is left; its log lies in the folder."""
    with (
        (folder / f"{command[0]}-server.log").open("w") as log,
        subprocess.Popen(
            [str(BIN / command[0]), *command[1:]], env={**os.environ, **environment}, stdout=log, stderr=log
        ) as server,
    ):
        try:
            yield
        finally:
            server.terminate()


def wait_for(address: str, limit: float = 180.0) -> None:
    """Wait until a server answers there."""
    end = time.monotonic() + limit
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - an address of our own
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


def told(values: Sequence[float], digits: int = 2) -> str:
    """Median and range, as the tables give them."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
