"""`tomorrow serve` while versions are promoted, beside `mlflow models serve`; and a day of promotions.

    .venv/bin/python -m benchmarks.serving --requests 1500 --promotions 12
    .venv/bin/python -m benchmarks.serving --day 1440

Two versions of the sample market's model are trained with an MLflow server. Both servers are sent the same requests by
`--clients` threads, in blocks that take turns; meanwhile Production goes from one version to the other and back. Each
answer has to be the one that its version gives when it is loaded by itself. Then MLflow's server is killed, and more
requests are sent. With `--day` there are no other requests: Production is moved so often, each time after the version
before has answered, and the server's memory is shown. Prints JSON; ends with 1 where something was lost or wrong.
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.processes import BIN, free_port, wait_for
from model.evaluation.decision import DecisionWord
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import Settings, read_settings
from tasks.system.access.secret import state_keys

if TYPE_CHECKING:
    from tasks.registry.version import RegisteredVersion

MODEL = "SAMPLE-Open"
TRAIN = ("train", "--source", "sample", "--as-of", "2013-06-28", "--again", "--json")
QUICK = ("--lookback", "5", "--set", "network.units=[4]", "--epochs", "2")
HOOKS = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
JSON = "application/json"
# Seconds; servers close a connection on which nothing was asked for five.
IDLE = 3.0
SIDES = ("ours", "mlflow")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its status, its seconds, and the version that it names, or nothing where it is wrong."""

    status: int
    seconds: float
    version: int | None


class Target:
    """A server that is sent the same body again and again.

    expected: the number of a version -> its predictions
    """

    def __init__(self, port: int, path: str, key: str | None, body: bytes, expected: dict[int, Any]) -> None:
        self._port, self._path, self._body, self._expected = port, path, body, expected
        self._headers = {"Content-Type": JSON, **({"Authorization": f"Bearer {key}"} if key else {})}
        self._local = threading.local()

    def ask(self) -> Answered:
        """Send one request on this thread's connection."""
        begun = time.perf_counter()
        connection = self._connection(begun)
        try:
            connection.request("POST", self._path, self._body, self._headers)
            answer = connection.getresponse()
            status, said = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            print(f"no answer: {error!r}", file=sys.stderr)
            connection.close()
            return Answered(0, time.perf_counter() - begun, None)
        finally:
            self._local.used = time.perf_counter()
        if status != HTTPStatus.OK:
            print(f"{status}: {said}", file=sys.stderr)
        seconds = time.perf_counter() - begun
        made = said.get("predictions")
        named = said.get("version")
        same = [number for number, expected in self._expected.items() if expected == made]
        return Answered(status, seconds, same[0] if same and named in (None, same[0]) else None)

    def _connection(self, now: float) -> http.client.HTTPConnection:
        """The thread's connection; a new one where a server may have closed it, since nothing was asked for long."""
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if kept is None or now - self._local.used > IDLE:
            if kept is not None:
                kept.close()
            kept = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        return kept


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1500, help="to each of the two servers")
    parser.add_argument("--promotions", type=int, default=12, help="while each of them is asked")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=6, help="turns of each server")
    parser.add_argument("--preset", default="", help="in place of a network that is trained in a moment")
    parser.add_argument("--day", type=int, default=0, metavar="PROMOTIONS", help="only so many promotions")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-serving-") as folder, _mlflow(Path(folder)) as mlflow:
        os.environ |= {"TOMORROW_HOME": f"{folder}/var", "MLFLOW_TRACKING_URI": mlflow.address}
        how = ("--preset", options.preset) if options.preset else QUICK
        for seed in ("1", "2"):
            _run([*TRAIN, *how, "--seed", seed])
        settings = read_settings()
        from tasks.tracking.client import open_tracking

        registry = Registry(open_tracking(settings))
        _move(registry, 1)
        found = _day(options, Path(folder), registry) if options.day else _load(options, Path(folder), registry, mlflow)
    print(json.dumps(found, indent=2))
    return 1 if found["wrong"] else 0


def _load(options: argparse.Namespace, folder: Path, registry: Registry, mlflow: "Running") -> dict[str, Any]:
    body, expected = _expected(read_settings(), [registry.version(MODEL, number) for number in (1, 2)])
    serve = ["models", "serve", "-m", f"models:/{MODEL}/1", "--env-manager", "local", "--host", "127.0.0.1"]
    with _board(folder) as ours, _server("mlflow", serve, folder, "/ping") as theirs:
        key = state_keys(read_settings()).serving
        targets = {
            "ours": Target(ours.port, f"/api/models/{MODEL}/invocations", key, body, expected),
            "mlflow": Target(theirs.port, "/invocations", None, body, expected),
        }
        for target in targets.values():
            _first(target, 1)
            _together(target, 40, options.clients)
        answers: dict[str, list[Answered]] = {side: [] for side in SIDES}
        new: list[float] = []
        each = options.requests // options.blocks
        for block in range(options.blocks):
            for side in SIDES if block % 2 == 0 else SIDES[::-1]:
                moves = options.promotions // options.blocks
                with _promotions(registry, moves, targets["ours"] if side == "ours" else None, new):
                    answers[side] += _together(targets[side], each, options.clients)
                print(f"block {block + 1}, {side}: {_figures(answers[side][-each:])}", file=sys.stderr)
        os.killpg(mlflow.process.pid, signal.SIGKILL)
        alone = _together(targets["ours"], 300, options.clients)
        memory = psutil.Process(ours.process.pid).memory_info().rss / 1e6
    figures = {side: _figures(found) for side, found in answers.items()}
    every = [*answers["ours"], *alone]
    # By pairs of blocks: on a machine that others use, too, a ratio of all would be that of its worst moments.
    pairs = [
        _figures(answers["ours"][start : start + each])["p99 ms"]
        / _figures(answers["mlflow"][start : start + each])["p99 ms"]
        for start in range(0, each * options.blocks, each)
    ]
    return {
        "wrong": sum(one.status != 200 or one.version is None for one in every),
        "promotions": len(new),
        "seconds until the new version answers": {"median": _round(np.median(new)), "most": _round(max(new))},
        **figures,
        "p99 ratio": _round(figures["ours"]["p99 ms"] / figures["mlflow"]["p99 ms"]),
        "p99 ratio, median of the pairs": _round(np.median(pairs)),
        "after MLflow was killed": _figures(alone),
        "MB of the server": _round(memory),
    }


def _day(options: argparse.Namespace, folder: Path, registry: Registry) -> dict[str, Any]:
    body, expected = _expected(read_settings(), [registry.version(MODEL, number) for number in (1, 2)])
    with _board(folder) as ours:
        key = state_keys(read_settings()).serving
        target = Target(ours.port, f"/api/models/{MODEL}/invocations", key, body, expected)
        _first(target, 1)
        process, memory, waited, wrong = psutil.Process(ours.process.pid), [], [], 0
        for number in range(1, options.day + 1):
            version = 1 + number % 2
            _move(registry, version)
            begun = time.perf_counter()
            while (answer := target.ask()).version != version and time.perf_counter() - begun < 60:
                wrong += answer.status != 200 or answer.version is None
                time.sleep(0.02)
            wrong += answer.version != version
            waited.append(time.perf_counter() - begun)
            if number % max(1, options.day // 24) == 0:
                memory.append(_round(process.memory_info().rss / 1e6))
                print(f"{number} promotions: {memory[-1]} MB, {process.num_threads()} threads", file=sys.stderr)
        return {
            "wrong": wrong,
            "promotions": options.day,
            "seconds until the new version answers": {"median": _round(np.median(waited)), "most": _round(max(waited))},
            "MB of the server, hour by hour": memory,
        }


def _expected(settings: Settings, versions: "list[RegisteredVersion]") -> tuple[bytes, dict[int, Any]]:
    """The body that is sent, the first version's input example, and each version's predictions from it."""
    from tasks.serving.endpoints.invocations import predictions
    from tasks.serving.following.loaded import load_with_example

    loaded = {version.version: load_with_example(settings, version) for version in versions}
    frame = loaded[1][1]
    body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", date_format="iso", index=False))})
    from tasks.serving.endpoints.invocations import parse

    given, _ = parse(body.encode(), JSON)
    return body.encode(), {
        number: json.loads(json.dumps(predictions(version, given, {}))) for number, (version, _) in loaded.items()
    }


def _together(target: Target, requests: int, clients: int) -> list[Answered]:
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: target.ask(), range(requests)))


def _first(target: Target, version: int) -> None:
    end = time.monotonic() + 120
    while target.ask().version != version:
        if time.monotonic() > end:
            sys.exit("the server does not answer as its version does")
        time.sleep(0.3)


@contextmanager
def _promotions(registry: Registry, number: int, watched: Target | None, new: list[float]) -> Iterator[None]:
    """Move Production so often while the block runs; of the watched server, note how long the new version takes."""
    stop = threading.Event()

    def move() -> None:
        for _ in range(number):
            other = 3 - registry.production(MODEL, datetime.now(UTC)).version
            _move(registry, other)
            begun = time.perf_counter()
            while watched is not None and watched.ask().version != other and time.perf_counter() - begun < 60:
                time.sleep(0.05)
            if watched is not None:
                new.append(time.perf_counter() - begun)
            stop.wait(0.3)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _move(registry: Registry, version: int, model: str = MODEL) -> None:
    ruling = Ruling(
        decision=DecisionWord.FORCED, reasons=("measured",), at=datetime.now(UTC), by="benchmark", forced="it"
    )
    registry.move(model, version, "Production", ruling)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def _server(program: str, arguments: list[str], folder: Path, health: str, **more: str) -> Iterator[Running]:
    """Run a server with `--port` until the block is left."""
    port = int(free_port())
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": path}
    command = [sys.executable, "-m", program, *arguments, "--port", str(port)]
    with (folder / f"{program}-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **quiet, **more}, stdout=log, stderr=log, start_new_session=True
        )
    running = Running(process, port)
    try:
        wait_for(f"{running.address}{health}")
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextmanager
def _mlflow(folder: Path) -> Iterator[Running]:
    server = ["server", "--backend-store-uri", f"sqlite:///{folder}/served.db", "--workers", "1"]
    server += ["--artifacts-destination", str(folder / "served"), "--host", "127.0.0.1"]
    with _server("mlflow", server, folder, "/health", **HOOKS) as running:
        yield running


@contextmanager
def _board(folder: Path) -> Iterator[Running]:
    with _server("tomorrow", ["serve"], folder, "/health") as running:
        yield running


def _run(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "tomorrow", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr[-3000:]}")


def _figures(answers: list[Answered]) -> dict[str, Any]:
    seconds = np.array([one.seconds for one in answers]) * 1000
    return {
        "requests": len(answers),
        "200": sum(one.status == 200 for one in answers),
        "of one version": sum(one.version is not None for one in answers),
        "median ms": _round(np.median(seconds)),
        "p99 ms": _round(np.percentile(seconds, 99)),
        "most ms": _round(seconds.max()),
    }


def _round(value: Any) -> float:
    return round(float(value), 2)


if __name__ == "__main__":
    sys.exit(main())
