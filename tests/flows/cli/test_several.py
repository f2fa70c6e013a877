"""Several securities at once, as whole commands: a worker that is killed, Ctrl-C, and a cluster that others started."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.conftest import SMALL, Run
from tests.market import write_csv, zigzag
from tests.project import program
from tests.servers import free_port

if TYPE_CHECKING:
    from mlflow import MlflowClient

TICKERS = ["ONE", "TWO", "TRI"]
UNFINISHED = ("RUNNING", "PENDING")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Options for three securities."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for number, ticker in enumerate(TICKERS):
        write_csv(zigzag(low=100.0 + number), folder / f"{ticker}.csv")
    return ("--source", "csv", *(f"--prices={folder / ticker}.csv" for ticker in TICKERS))


@pytest.fixture
def environment(home: Path, prefect_server: None) -> dict[str, str]:  # noqa: ARG001 - its address is needed
    """Of a command in a process of its own, on this test's state directory and the tests' Prefect server."""
    return {**os.environ, "TOMORROW_HOME": str(home), "PREFECT_API_URL": str(PREFECT_API_URL.value())}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", *arguments]


def wait_until(condition: Callable[[], object], process: Any, seconds: float = 400.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if condition():
            return True
        time.sleep(0.05)
    return False


def mlflow_runs(client: "MlflowClient", filter_: str = "") -> Any:
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()], filter_)


def weights_digest(client: "MlflowClient", home: Path, model: str) -> str:
    """The digest of the weights of a model's first version, as they lie in its files."""
    made_from = str(client.get_model_version(model, "1").source).rpartition("/")[2]
    (file,) = home.rglob(f"{made_from}/**/weights.npz")
    return sha256(file.read_bytes()).hexdigest()


def newest_flow_run(name: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=50)
    return next(run for run in runs if run.name == name)


def unfinished_within(run: FlowRun) -> list[str]:
    """The flow and task runs within one that say that somebody carries them out."""
    with get_client(sync_client=True) as client:
        parts = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]))
        )
        ids = FlowRunFilterId(any_=[run.id, *(part.id for part in parts)])
        steps = client.read_task_runs(flow_run_filter=FlowRunFilter(id=ids))
    assert steps
    states = {found.name: found.state for found in parts} | {found.name: found.state for found in steps}
    return [name for name, state in states.items() if state is None or state.type.value in UNFINISHED]


def test_a_worker_that_is_killed_costs_no_security_and_no_digit(
    run: Run,
    files: tuple[str, ...],
    environment: dict[str, str],
    home: Path,
    client: "MlflowClient",
    empty_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = (*SMALL[:-1], "200", "--json")
    options = ("train", *files, *fit)
    holder = home / "locks" / "train-TWO-Open.holder"

    def begun() -> bool:
        return holder.is_file() and bool(mlflow_runs(client, "tags.model = 'TWO-Open'"))

    with (tmp_path / "out").open("wb") as out, program(command(*options, "--jobs", "2"), environment, out) as process:
        assert wait_until(begun, process), (tmp_path / "out").read_text()
        (number,) = re.findall(r"process (\d+) ", holder.read_text(encoding="utf-8"))
        os.kill(int(number), signal.SIGKILL)
        assert process.wait(500) == 0, (tmp_path / "out").read_text()
    said = (tmp_path / "out").read_text(encoding="utf-8")
    answer = json.loads(said[said.index("{\n") :])
    assert [one["ticker"] for one in answer["securities"]] == TICKERS
    registered = [(version.name, int(version.version)) for version in client.search_model_versions()]
    assert sorted(registered) == [("ONE-Open", 1), ("TRI-Open", 1), ("TWO-Open", 1)]
    assert sorted(made.info.status for made in mlflow_runs(client, "tags.model = 'TWO-Open'")) == ["FINISHED", "KILLED"]
    whole = newest_flow_run("train 3 securities")
    assert whole.state is not None
    assert (whole.state.type.value, whole.state.message) == ("COMPLETED", "3 of 3 securities done")
    assert unfinished_within(whole) == []

    undisturbed = Path(shutil.copytree(empty_home, tmp_path / "undisturbed"))
    monkeypatch.setenv("TOMORROW_HOME", str(undisturbed))
    alone = run("train", "--source", "csv", next(file for file in files if "TWO" in file), *fit).json
    assert alone["metrics"] == answer["securities"][1]["metrics"]
    separate = type(client)(f"sqlite:///{undisturbed}/mlflow.db")
    assert weights_digest(separate, undisturbed, "TWO-Open") == weights_digest(client, home, "TWO-Open")


def test_ctrl_c_in_a_terminal_ends_all_of_it(
    files: tuple[str, ...], environment: dict[str, str], client: "MlflowClient", tmp_path: Path
) -> None:
    arguments = command("train", *files, *SMALL[:-1], "100000", "--jobs", "2")
    with (tmp_path / "out").open("wb") as out, program(arguments, environment, out) as process:
        assert wait_until(lambda: sum("loss" in made.data.metrics for made in mlflow_runs(client)) == 2, process)
        started = psutil.Process(process.pid).children(recursive=True)
        # A terminal sends it to every process.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, (tmp_path / "out").read_text()
    assert len(started) >= 2
    _, left = psutil.wait_procs(started, timeout=30)
    assert left == []
    assert "Traceback" not in (tmp_path / "out").read_text()
    assert client.search_model_versions() == []
    whole = newest_flow_run("train 3 securities")
    assert whole.state is not None
    assert whole.state.type.value == "CRASHED"
    assert unfinished_within(whole) == []


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Dask cluster that others have started, of two workers that know nothing of us."""
    dask, address = str(Path(sys.executable).with_name("dask")), f"tcp://127.0.0.1:{free_port()}"
    names = ("PREFECT_", "TOMORROW_", "MLFLOW_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    scheduler = [dask, "scheduler", "--host", address, "--no-dashboard", "--no-show"]
    worker = [dask, "worker", address, "--nthreads", "1", "--nworkers", "2", "--no-dashboard", "--host", "127.0.0.1"]
    with ExitStack() as started:
        for number, arguments in enumerate((scheduler, [*worker, "--local-directory", str(tmp_path)])):
            shown = started.enter_context((tmp_path / f"dask {number}").open("wb"))
            started.enter_context(program(arguments, environment, shown))
        yield address


def test_a_cluster_of_others_trains_and_tells_what_fails(
    run: Run, files: tuple[str, ...], cluster: str, client: "MlflowClient"
) -> None:
    trained = run("train", *files, *SMALL, "--cluster", cluster, "--json")
    assert trained.code == 0, trained.err
    assert [(one["ticker"], one["version"]) for one in trained.json["securities"]] == [(name, 1) for name in TICKERS]
    (made,) = mlflow_runs(client, "tags.model = 'ONE-Open'")
    assert made.info.status == "FINISHED"
    assert unfinished_within(newest_flow_run("train 3 securities")) == []
    whole = newest_flow_run("train 3 securities")
    with get_client(sync_client=True) as prefect:
        steps = prefect.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[whole.id])))
    assert sorted(step.name for step in steps) == sorted(TICKERS)
    assert made.data.tags["x.prefect.flow_run_id"] == str(whole.id)
    assert client.list_artifacts(made.info.run_id, "figures") == []
    assert "`tomorrow figures ONE-Open`" in made.data.tags["mlflow.note.content"]
    drawn = run("figures", "ONE-Open", "--json")
    assert (drawn.code, drawn.json["run_id"]) == (0, made.info.run_id), drawn.err
    figures = {Path(file.path).stem for file in client.list_artifacts(made.info.run_id, "figures")}
    assert {"prices", "loss", "scaled", "forecast", "errors", "gradients", "crps", "pit", "reliability"} <= figures
    assert "tomorrow figures" not in client.get_run(made.info.run_id).data.tags["mlflow.note.content"]
    nothing = run("predict", *files, "--cluster", cluster, "--json")
    assert nothing.code == 5
    assert [one["error"]["kind"] for one in nothing.json["securities"]] == ["NothingInProduction"] * 3
    scored = run("score", *files, "--cluster", cluster, "--json")
    assert (scored.code, [one["forecasts"] for one in scored.json["securities"]]) == (0, [0, 0, 0])


@pytest.mark.parametrize("name", ["a-host", "tcp://a-host", "http://a-host:8786", "tcp://a-host:8786/path"])
def test_what_is_no_schedulers_address_is_told(run: Run, files: tuple[str, ...], name: str) -> None:
    refused = run("train", *files, "--cluster", name)
    assert refused.code == 2
    assert "tcp://HOST:PORT or tls://HOST:PORT" in refused.err


def test_a_cluster_that_is_not_there_is_told(
    run: Run, files: tuple[str, ...], client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.system.durations.REACH_CLUSTER", 1.0)
    refused = run("train", *files, *SMALL, "--cluster", f"tcp://127.0.0.1:{free_port()}")
    assert refused.code == 2
    assert "no Dask scheduler answers there" in refused.err
    assert mlflow_runs(client) == []


def test_a_cluster_whose_workers_cannot_reach_prefect_is_refused(run: Run, files: tuple[str, ...]) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        refused = run("train", *files, "--cluster", "tcp://127.0.0.1:8786")
    assert refused.code == 2
    assert "no PREFECT_API_URL" in refused.err
