"""Several securities while their workers are killed: each trained once, no run left, the same digits as undisturbed.

    .venv/bin/python -m benchmarks.workers_killed
    .venv/bin/python -m benchmarks.workers_killed --host    # as root, on Linux: a whole host ends

Whole commands on invented prices. First undisturbed; then SIGKILL for three of the command's own worker processes, each
at a random moment of a training; with --host a Dask cluster of two hosts instead, each a network namespace, of which
one loses its network and all its processes at the same moment. Ends with 1 where the outcome is another.
"""

import argparse
import json
import os
import random
import re
import signal
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.processes import BIN, prefect_server
from model.market.calendar import ExchangeCalendar
from model.market.synthetic import sample_prices
from tests.market import write_csv
from tests.project import program

PATIENCE = 1800.0
LAST = date(2013, 6, 28)  # two and a half years of the sample market: too few sessions for a proof
KILLS = 3
BRIDGE, FIRST_HOST = "tomorrow-br", "10.77.0.1"
HOSTS = {"tomorrow-one": "10.77.0.2", "tomorrow-two": "10.77.0.3"}


def main() -> int:
    """Train undisturbed and disturbed, and compare."""
    options = _options()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_", "DASK_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-workers-") as name, ExitStack() as running:
        folder = Path(name)
        tickers = [f"S{letter}" for letter in string.ascii_uppercase[: options.securities]]
        command = _command(folder, tickers, options)
        if options.host:
            cluster = running.enter_context(hosts(folder))
            command += ["--cluster", f"tcp://{FIRST_HOST}:8786"]
        else:
            cluster = {}
            command += ["--jobs", "2"]
        host = FIRST_HOST if options.host else "127.0.0.1"
        server = running.enter_context(prefect_server(folder / "prefect", host))
        chance = random.Random(options.seed)
        undisturbed, _ = _train(command, folder / "undisturbed", server, lambda _home, _done: 0)
        if options.host:
            disturbed, killed = _train(command, folder / "home", server, lambda home, _: _end_host(home, chance))
        else:
            disturbed, killed = _train(command, folder / "home", server, lambda home, done: _kill(home, chance, done))
        faults = _compare(undisturbed, disturbed) + _left_running(folder / "home", server)
    print(
        json.dumps({"securities": len(tickers), "killed": killed, "hosts": list(cluster), "faults": faults}, indent=2)
    )
    return bool(faults) or not killed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--securities", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--host", action="store_true", help="end a whole host of a cluster")
    return parser.parse_args()


def _command(folder: Path, tickers: Sequence[str], options: argparse.Namespace) -> list[str]:
    words = [sys.executable, "-m", "flows.cli.main", "train", "--source", "csv", "--json"]
    words += ["--lookback", "5", "--set", "network.units=[4]", "--epochs", str(options.epochs)]
    (folder / "prices").mkdir()
    for number, ticker in enumerate(tickers):
        market = sample_prices(LAST, number, ExchangeCalendar())
        words += ["--prices", str(write_csv(market, folder / "prices" / f"{ticker}.csv"))]
    return words


def _train(
    command: Sequence[str], home: Path, server: dict[str, str], disturb: Callable[[Path, Callable[[], bool]], int]
) -> tuple[dict[str, Any], int]:
    """What the command answers, and how many processes were killed meanwhile."""
    environment = {**os.environ, **server, "TOMORROW_HOME": str(home)}
    out = home.with_suffix(".out")
    with out.open("wb") as answer, home.with_suffix(".err").open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=answer, stderr=said)
        killed = disturb(home, lambda: process.poll() is not None)
        code = process.wait(PATIENCE)
    if code != 0:
        sys.exit(f"the training ended with {code}:\n{out.read_text()}{home.with_suffix('.err').read_text()[-3000:]}")
    return dict(json.loads(out.read_text(encoding="utf-8"))), killed


def _kill(home: Path, chance: random.Random, ended: Callable[[], bool]) -> int:
    """SIGKILL for workers in the middle of a training, one after the other; gives their number."""
    killed: set[int] = set()
    while len(killed) < KILLS and not ended():
        for number in _at_work(home) - killed:
            time.sleep(chance.uniform(0, 5))
            if number in _at_work(home):
                os.kill(number, signal.SIGKILL)
                killed.add(number)
            break
        time.sleep(0.05)
    return len(killed)


def _at_work(home: Path) -> set[int]:
    """The processes that are in the middle of a training."""
    found = set()
    for holder in (home / "locks").glob("train-*.holder"):
        with suppress(FileNotFoundError):
            found |= {int(number) for number in re.findall(r"process (\d+) ", holder.read_text(encoding="utf-8"))}
    return {number for number in found if Path(f"/proc/{number}").exists()}


def _end_host(home: Path, chance: random.Random) -> int:
    """End the first host as soon as one of its processes is in the middle of a training; gives the number killed."""
    name = next(iter(HOSTS))
    while not (_processes_of(name) & _at_work(home)):
        time.sleep(0.1)
    time.sleep(chance.uniform(1, 3))
    there = _processes_of(name)
    _ip("link", "set", f"{name}-v", "down")
    for number in there:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return len(there)


def _processes_of(name: str) -> set[int]:
    said = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True).stdout
    return {int(number) for number in said.split()}


@contextmanager
def hosts(folder: Path) -> Iterator[dict[str, str]]:
    """A scheduler here, and a worker process on each of two hosts, which are network namespaces on one bridge."""
    dask = str(BIN / "dask")
    with ExitStack() as made:
        _ip("link", "add", BRIDGE, "type", "bridge")
        made.callback(_ip, "link", "delete", BRIDGE)
        _ip("address", "add", f"{FIRST_HOST}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        scheduler = [dask, "scheduler", "--host", f"tcp://{FIRST_HOST}:8786", "--no-dashboard", "--no-show"]
        shown = made.enter_context((folder / "scheduler").open("wb"))
        made.enter_context(program(scheduler, os.environ, shown))
        for name, address in HOSTS.items():
            _ip("netns", "add", name)
            made.callback(_ip, "netns", "delete", name)
            _ip("link", "add", f"{name}-v", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"{name}-v", "master", BRIDGE, "up")
            for words in (("address", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
                _ip("-n", name, *words)
            _ip("-n", name, "link", "set", "lo", "up")
            worker = ["ip", "netns", "exec", name, dask, "worker", f"tcp://{FIRST_HOST}:8786", "--nthreads", "1"]
            worker += ["--nworkers", "1", "--no-dashboard", "--host", address, "--local-directory", str(folder / name)]
            shown = made.enter_context((folder / f"{name}.log").open("wb"))
            made.enter_context(program(worker, os.environ, shown))
        yield HOSTS


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _compare(undisturbed: dict[str, Any], disturbed: dict[str, Any]) -> list[str]:
    return [
        f"{before['ticker']}: {key} {after.get(key)}, undisturbed {before.get(key)}"
        for before, after in zip(undisturbed["securities"], disturbed["securities"], strict=True)
        for key in ("ticker", "version", "metrics")
        if before.get(key) != after.get(key)
    ]


def _left_running(home: Path, server: dict[str, str]) -> list[str]:
    """Versions that are there twice, and runs of MLflow and Prefect that say that somebody carries them out."""
    os.environ |= {**server, "TOMORROW_HOME": str(home)}
    from prefect.client.orchestration import get_client

    from tasks.settings import read_settings
    from tasks.tracking.client import open_tracking

    client = open_tracking(read_settings()).client
    versions = [version.name for version in client.search_model_versions()]
    faults = [f"{name}: {versions.count(name)} versions" for name in set(versions) if versions.count(name) != 1]
    experiments = [found.experiment_id for found in client.search_experiments()]
    faults += [
        f"MLflow's run {run.info.run_name}: {run.info.status}"
        for run in client.search_runs(experiments)
        if run.info.status in ("RUNNING", "SCHEDULED")
    ]
    with get_client(sync_client=True) as prefect:
        states = [(run.name, run.state) for run in prefect.read_flow_runs(limit=200)]
        states += [(run.name, run.state) for run in prefect.read_task_runs(limit=200)]
    unfinished = [(name, state.type.value) for name, state in states if state is not None and not state.is_final()]
    return faults + [f"Prefect's run {name}: {kind}" for name, kind in unfinished]


if __name__ == "__main__":
    sys.exit(main())
