"""What the guard in front of MLflow's server costs a training: the same calls to a server with and without it.

python -m benchmarks.access --rounds 7

Each round does both, in alternating order: 60 log_batch of two metrics, 60 log_metric, ten small artifacts, 60
searches. Artifacts go through the server here, which is the slowest way; under `tomorrow up` clients write them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.processes import mlflow_server, told
from tasks.operations.stack.mlflow_app import NAME
from tasks.system.access.guard import COOKIE_SALT, TOKEN, Door
from tasks.tracking.client import key_variables, prepare_environment

if TYPE_CHECKING:
    from mlflow import MlflowClient

CALLS = 60


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    prepare_environment()
    key = token_hex(32)
    os.environ |= key_variables(key)  # sent to both; the server without a guard ignores it
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="tomorrow-access-") as folder, ExitStack() as running:
        places = {}
        for name in ("without", "with"):
            Path(folder, name).mkdir()
            server = mlflow_server(Path(folder, name), behind_guard(key) if name == "with" else None)
            places[name] = running.enter_context(server)["MLFLOW_TRACKING_URI"]
        clients = {name: made(uri) for name, uri in places.items()}
        for turn in range(rounds + 1):
            for name in sorted(clients, reverse=bool(turn % 2)):
                for what, seconds in measured(*clients[name], Path(folder)).items():
                    if turn:  # the first one warms up
                        times.setdefault((what, name), []).append(seconds)
    print(f"{'seconds':16} {'without a guard':>24} {'with it':>24} {'ratio of pairs':>24}")
    for what in dict.fromkeys(what for what, _ in times):
        plain, behind = times[what, "without"], times[what, "with"]
        ratios = [one / other for one, other in zip(behind, plain, strict=True)]
        print(f"{what:16} {told(plain, 3):>24} {told(behind, 3):>24} {told(ratios):>24}")


def behind_guard(key: str) -> Callable[[str], tuple[list[str], dict[str, str]]]:
    """The further arguments and variables with which a server at an address is behind the guard."""

    def more(address: str) -> tuple[list[str], dict[str, str]]:
        door = Door(address, token_hex(32))
        arguments = ["--app-name", NAME, "--allowed-hosts", urlsplit(address).netloc]
        return arguments, {**door.variables(), TOKEN: key, COOKIE_SALT: token_hex(16)}

    return more


def made(uri: str) -> tuple["MlflowClient", str]:
    """A client, and a run to log to."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    return client, client.create_run(client.create_experiment("access")).info.run_id


def measured(client: "MlflowClient", run: str, folder: Path) -> dict[str, float]:
    """Seconds for each kind of call."""
    from mlflow.entities import Metric

    artifact = folder / "artifact.txt"
    artifact.write_text("a small one\n" * 100)
    at = int(time.time() * 1000)

    def batches() -> None:
        for step in range(CALLS):
            client.log_batch(run, metrics=[Metric(name, 0.1, at, step) for name in ("loss", "rmse")])

    def metrics() -> None:
        for step in range(CALLS):
            client.log_metric(run, "single", 0.1, step=step)

    def artifacts() -> None:
        for number in range(10):
            client.log_artifact(run, str(artifact), f"folder-{number}")

    def searches() -> None:
        for _ in range(CALLS):
            client.search_experiments(max_results=1)

    found = {}
    for name, work in (
        (f"{CALLS} log_batch", batches),
        (f"{CALLS} log_metric", metrics),
        ("10 artifacts", artifacts),
        (f"{CALLS} searches", searches),
    ):
        start = time.perf_counter()
        work()
        found[name] = time.perf_counter() - start
    return found


if __name__ == "__main__":
    main()
