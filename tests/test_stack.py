"""`tomorrow up` as a whole process: real servers, a real worker, and what somebody sees of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.ledger.forecasts import Ledger
from tasks.operations.stack.deployments import WORK_POOL, deploy
from tasks.operations.stack.orphans import mark_of, marked
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.settings import Settings
from tasks.system.stack_state import StackState, read_stack
from tests.servers import free_port
from tests.tasks.operations.test_alarms import HIDDEN, webhook

pytestmark = pytest.mark.servers

PATIENCE = 400


@dataclass(frozen=True)
class Running:
    """A stack that runs: its process, its state directory, its ports, and what its webhook was sent."""

    process: "subprocess.Popen[bytes]"
    home: Path
    mlflow: int
    prefect: int
    sent: list[dict[str, object]]

    @property
    def said(self) -> str:
        """What it has shown so far."""
        return (self.home.parent / "shown").read_text()

    @property
    def state(self) -> StackState:
        """What it has written down."""
        found = read_stack(Settings(home=self.home))
        assert found is not None
        return found

    def ask(self, path: str, question: dict[str, Any]) -> Any:
        """Ask Prefect's server."""
        answer = httpx.post(f"http://127.0.0.1:{self.prefect}/api/{path}", json=question, timeout=60)
        answer.raise_for_status()
        return answer.json()


def command(home: Path, *arguments: str, **variables: str) -> tuple[list[str], dict[str, str]]:
    """A command as a whole process on a state directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return [sys.executable, "-m", "flows.cli.main", *arguments], {**kept, "TOMORROW_HOME": str(home), **variables}


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, in a folder that has nothing to do with it."""
    words, variables = command(home, *arguments)
    return subprocess.run(words, env=variables, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False)


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack on free ports, with the sample market; ended at the end if no test has."""
    folder = tmp_path_factory.mktemp("stack")
    mlflow, prefect = free_port(), free_port()
    with webhook(200) as (address, sent), (folder / "shown").open("wb") as shown:
        words, variables = command(
            folder / "var",
            *("up", "--source", "sample", "--now", "--json"),
            *("--mlflow-port", str(mlflow), "--prefect-port", str(prefect)),
            TOMORROW_WEBHOOK=address,
        )
        process = subprocess.Popen(
            words, env=variables, cwd="/", stdout=subprocess.PIPE, stderr=shown, start_new_session=True
        )
        running = Running(process=process, home=folder / "var", mlflow=mlflow, prefect=prefect, sent=sent)
        try:
            wait_until(lambda: "catchup runs now" in running.said or process.poll() is not None)
            assert process.poll() is None, running.said + process.communicate()[0].decode()
            yield running
        finally:
            process.kill()
            process.wait()
            wait_until(lambda: not marked(mark_of(folder / "var")))


def test_both_servers_answer_with_their_pages(stack: Running) -> None:
    assert "<title>MLflow</title>" in httpx.get(f"http://127.0.0.1:{stack.mlflow}/").text
    assert "Prefect" in httpx.get(f"http://127.0.0.1:{stack.prefect}/", follow_redirects=True).text
    for port in (stack.mlflow, stack.prefect):
        assert f"http://127.0.0.1:{port}" in stack.said
    assert f"http://127.0.0.1:{stack.mlflow}/#/experiments?workflowType=machine_learning\n" in stack.said
    mlflow = stack.state.part("mlflow")
    assert mlflow is not None
    assert mlflow.address == f"http://127.0.0.1:{stack.mlflow}"


def test_with_now_the_first_forecast_is_made_without_waiting_for_the_schedule(stack: Running) -> None:
    """One run of catchup, by the worker; the tests below find nothing that goes on."""
    deployed = {found["name"]: found["id"] for found in stack.ask("deployments/filter", {})}
    question = {
        "deployments": {"id": {"any_": [deployed["catchup"]]}},
        "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}},
    }
    ended = ("COMPLETED", "FAILED", "CRASHED")
    wait_until(lambda: any(run["state_type"] in ended for run in stack.ask("flow_runs/filter", question)))
    (made,) = stack.ask("flow_runs/filter", question)
    assert made["state_type"] == "COMPLETED", made["state"]
    assert f"runs/flow-run/{made['id']}" in stack.said
    rows = Ledger(Settings(home=stack.home).ledger_uri).rows()
    assert [row.model for row in rows] == ["SAMPLE-Open"]
    (forecast,) = json.loads(run(stack.home, "status", "--json").stdout)["forecasts"]
    assert forecast["newest"]["session"] == str(rows[0].session)


def test_every_deployment_stands_and_takes_the_prices_that_were_named(stack: Running) -> None:
    deployed = {found["name"]: found for found in stack.ask("deployments/filter", {})}
    assert {"train", "promote", "predict"} <= set(deployed)
    for name, found in deployed.items():
        takes_prices = "request" in found["parameter_openapi_schema"]["properties"]
        expected = {"ticker": "SAMPLE", "source": "sample"} if takes_prices else None
        assert found["parameters"].get("request") == expected, name


def test_status_tells_of_each_part(stack: Running) -> None:
    done = run(stack.home, "status", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["running"]
    assert {part["name"]: part["condition"] for part in told["stack"]["parts"]} == dict.fromkeys(
        ("mlflow", "prefect", "worker"), "healthy"
    )
    assert told["faults"] == {}


def test_status_tells_of_what_is_next(stack: Running) -> None:
    def scheduled() -> set[str]:
        told = json.loads(run(stack.home, "status", "--json").stdout)
        return {found["deployment"] for found in told["scheduled"]}

    # Prefect's scheduler looks for new deployments every few seconds, and later on a busy machine.
    wait_until(lambda: {"train", "predict"} <= scheduled())


def test_a_second_stack_on_the_same_state_directory_is_refused(stack: Running) -> None:
    refused = run(stack.home, "up")
    assert refused.returncode == 2
    assert f"as process {stack.process.pid}" in refused.stderr


def test_a_port_in_use_is_named_with_who_uses_it(stack: Running, tmp_path: Path) -> None:
    refused = run(tmp_path / "var", "up", "--mlflow-port", str(stack.mlflow))
    part = stack.state.part("mlflow")
    assert part is not None
    assert refused.returncode == 2
    assert f"port {stack.mlflow} of 127.0.0.1, for MLflow: in use, by process" in refused.stderr
    assert "--mlflow-port" in refused.stderr


def test_a_server_that_is_killed_comes_back_and_somebody_is_told(stack: Running) -> None:
    before = stack.state.part("mlflow")
    assert before is not None
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: (now := stack.state.part("mlflow")) and (now.restarts, now.condition) == (1, "healthy"))
    assert httpx.get(f"http://127.0.0.1:{stack.mlflow}/health").is_success
    assert "MLflow ended with signal SIGKILL; it is started again in 1 s" in stack.said
    assert [(told["kind"], told["subject"]) for told in stack.sent] == [("stack.part-down", "mlflow")]
    question = {"filter": {"event": {"name": ["tomorrow.stack.part-down"]}}}
    wait_until(lambda: stack.ask("events/filter", question)["events"])
    (event,) = stack.ask("events/filter", question)["events"]
    assert event["resource"]["prefect.resource.id"] == "tomorrow.part.mlflow"


def test_a_run_that_fails_is_told_of(stack: Running) -> None:
    """A file of prices is missing, which only the flow itself can find out; it runs where the worker's settings say."""
    deployed = {found["name"]: found["id"] for found in stack.ask("deployments/filter", {})}
    nowhere = {"ticker": "META", "source": "csv", "files": ["/nowhere/prices.csv"]}
    question = {"parameters": {"request": nowhere}}
    made = stack.ask(f"deployments/{deployed['predict']}/create_flow_run", question)
    wait_until(lambda: any(told["kind"] == "flow.failed" for told in stack.sent))
    told = next(told for told in stack.sent if told["kind"] == "flow.failed")
    assert told["subject"] == "predict"
    assert "/nowhere/prices.csv" in str(told["message"])
    question = {"filter": {"event": {"name": ["tomorrow.flow.failed"]}}}
    wait_until(lambda: stack.ask("events/filter", question)["events"])
    (event,) = stack.ask("events/filter", question)["events"]
    assert event["resource"]["prefect.resource.id"] == "tomorrow.flow.predict"
    assert event["payload"]["flow_run_id"] == made["id"]


def test_deployments_that_are_made_anew_keep_what_a_person_has_paused(stack: Running) -> None:
    api = PrefectApi(f"http://127.0.0.1:{stack.prefect}/api")
    api.pause(api.deployments()["predict"], ["before-open"])
    variables = {**os.environ, "PREFECT_API_URL": api.address, "PREFECT_HOME": str(stack.home / "prefect")}
    assert deploy(api, variables, {}) == ("predict: before-open stays paused, as it was",)
    active = {schedule["slug"]: schedule["active"] for schedule in api.deployments()["predict"]["schedules"]}
    assert not active.pop("before-open")
    assert all(active.values())


def test_a_run_whose_process_is_gone_no_longer_blocks_its_deployment(stack: Running) -> None:
    api = PrefectApi(f"http://127.0.0.1:{stack.prefect}/api")
    promote = api.deployments()["promote"]["id"]
    question = {"state": {"type": "RUNNING"}, "parameters": {"model": "META-Open", "version": 1}}
    run = stack.ask(f"deployments/{promote}/create_flow_run", question)
    assert api.running(WORK_POOL) == 1
    assert api.crash_unfinished(WORK_POOL, "It is gone.") == (run["name"],)
    assert api.running(WORK_POOL) == 0
    state = httpx.get(f"{api.address}/flow_runs/{run['id']}", timeout=60).json()["state"]
    assert (state["type"], state["message"]) == ("CRASHED", "It is gone.")


def test_ctrl_c_ends_everything_and_the_webhooks_secret_is_nowhere(stack: Running) -> None:
    """The last test of the stack, which it ends."""
    restarts = {part.name: part.restarts for part in stack.state.parts}
    # As a terminal does: to the whole group.
    os.killpg(stack.process.pid, signal.SIGINT)
    out, _ = stack.process.communicate(timeout=PATIENCE)
    assert stack.process.returncode == 0
    assert json.loads(out) == {"ended_by": "SIGINT", "restarts": restarts}
    assert marked(mark_of(stack.home)) == ()
    assert read_stack(Settings(home=stack.home)) is None
    for file in stack.home.parent.rglob("*"):
        if file.is_file():
            assert HIDDEN.encode() not in file.read_bytes(), file


def test_status_works_with_nothing_there(tmp_path: Path) -> None:
    done = run(tmp_path / "var", "status")
    assert done.returncode == 0
    assert "start it with: tomorrow up" in done.stdout
