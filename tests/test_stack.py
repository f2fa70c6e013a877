"""`tomorrow up` as a whole process: real servers, a real worker, and what somebody sees of them."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tasks.ledger.forecasts import Ledger
from tasks.operations.stack.deployments import WORK_POOL, deploy
from tasks.operations.stack.orphans import mark_of, marked
from tasks.settings import Settings
from tasks.system.access.stack_state import read_stack
from tests.running_stack import PATIENCE, Running, run, running_stack, wait_until
from tests.servers import asked
from tests.tasks.operations.test_alarms import HIDDEN

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> Iterator[Running]:
    """A stack that makes its first forecast at once."""
    options = ("--now", "--allowed-hosts", "tomorrow.example,other.example:8443")
    folder = tmp_path_factory.mktemp("stack")
    shutil.copytree(empty_home, folder / "var")
    with running_stack(folder, *options, until="catchup runs now") as running:
        yield running


def test_both_servers_answer_with_their_pages(stack: Running) -> None:
    with_key = {"Authorization": f"Bearer {stack.keys.mlflow}"}
    assert "<title>MLflow</title>" in httpx.get(f"{stack.mlflow_address}/", headers=with_key).text
    assert "Prefect" in httpx.get(f"http://127.0.0.1:{stack.prefect}/", follow_redirects=True).text
    for port in (stack.mlflow, stack.prefect):
        assert f"http://127.0.0.1:{port}" in stack.said
    mlflow = stack.state.part("mlflow")
    assert mlflow is not None
    assert mlflow.address == f"http://127.0.0.1:{stack.mlflow}"


@pytest.mark.parametrize("host", ["tomorrow.example", "tomorrow.example:5000", "other.example:8443"])
def test_both_servers_answer_for_the_names_that_they_were_given_and_to_their_pages(stack: Running, host: str) -> None:
    for address, auth in (
        (f"{stack.mlflow_address}/api/2.0/mlflow/experiments/search", ("tomorrow", stack.keys.mlflow)),
        (f"{stack.api.address}/deployments/filter", stack.prefect_auth),
    ):
        question = {"max_results": 1} if "mlflow" in address else {}
        for origin in (f"http://{host}", f"https://{host}"):
            headers = {"Host": host, "Origin": origin}
            assert asked("POST", address, headers=headers, auth=auth, json=question).status_code == 200, origin
        for headers in ({"Host": f"evil.{host}"}, {"Host": host, "Origin": "https://evil.example"}):
            assert asked("POST", address, headers=headers, auth=auth, json=question).status_code == 403, headers


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
    assert made["labels"]["prefect.worker.name"] == stack.worker
    assert f"runs/flow-run/{made['id']}" in stack.said
    rows = Ledger(Settings(home=stack.home).ledger_uri).rows()
    assert [row.model for row in rows] == ["SAMPLE-Open"]
    (forecast,) = json.loads(run(stack.home, "status", "--json").stdout)["forecasts"]
    assert forecast["newest"]["session"] == str(rows[0].session)


def test_every_deployment_stands_says_where_it_works_and_takes_the_prices_that_were_named(stack: Running) -> None:
    deployed = {found["name"]: found for found in stack.ask("deployments/filter", {})}
    assert {"train", "promote", "predict"} <= set(deployed)
    for name, found in deployed.items():
        takes_prices = "request" in found["parameter_openapi_schema"]["properties"]
        expected = {"ticker": "SAMPLE", "source": "sample"} if takes_prices else None
        assert found["parameters"].get("request") == expected, name
        assert set(found["tags"]) == {
            *("tomorrow", f"state:{stack.home}", f"ledger:sqlite:///{stack.home}/ledger.db"),
            *(f"mlflow:{stack.mlflow_address}", f"mlflow:sqlite:///{stack.home}/mlflow.db"),
            *(f"prices:{stack.home}", f"prefect:{stack.api.address}"),
        }


def test_status_tells_of_each_part(stack: Running) -> None:
    done = run(stack.home, "status", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["running"]
    assert {part["name"]: part["condition"] for part in told["stack"]["parts"]} == dict.fromkeys(
        ("mlflow", "prefect", "serving", "worker"), "healthy"
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
    api = stack.api
    predict = api.deployments()["predict"]
    (morning,) = [schedule["id"] for schedule in predict["schedules"] if schedule["slug"] == "before-open"]
    place = f"{api.address}/deployments/{predict['id']}/schedules/{morning}"
    asked("PATCH", place, json={"active": False}, auth=stack.prefect_auth).raise_for_status()
    variables = {**os.environ, "PREFECT_API_URL": api.address, "PREFECT_HOME": str(stack.home / "prefect")}
    assert deploy(api, variables, {}) == ("predict: before-open stays paused, as it was",)
    active = {schedule["slug"]: schedule["active"] for schedule in api.deployments()["predict"]["schedules"]}
    assert not active.pop("before-open")
    assert all(active.values())


def test_a_run_whose_process_is_gone_no_longer_blocks_its_deployment(stack: Running) -> None:
    api, named, nameless = stack.api, stack.running_run(stack.worker), stack.running_run(None)
    assert api.running(WORK_POOL, stack.worker) == 2
    assert set(api.crash_unfinished(WORK_POOL, stack.worker, "It is gone.")) == {named["name"], nameless["name"]}
    assert api.running(WORK_POOL, stack.worker) == 0
    assert {stack.state_of(run) for run in (named, nameless)} == {("CRASHED", "It is gone.")}


def test_a_second_stack_on_the_same_prefect_server_leaves_the_runs_of_the_first_alone(
    stack: Running, tmp_path: Path, empty_home: Path
) -> None:
    shutil.copytree(empty_home, tmp_path / "var")
    theirs, ours = stack.running_run(stack.worker), stack.running_run("killed-0123")
    on_the_same = {"PREFECT_API_URL": stack.api.address, "PREFECT_API_AUTH_STRING": stack.keys.prefect}
    with running_stack(tmp_path, more=on_the_same) as second:
        assert second.worker != stack.worker
        known = stack.ask(f"work_pools/{WORK_POOL}/workers/filter", {})
        assert {worker["name"] for worker in known if worker["status"] == "ONLINE"} == {stack.worker, second.worker}
        assert [part.name for part in second.state.parts] == ["mlflow", "serving", "worker"]
        assert {stack.state_of(run)[0] for run in (theirs, ours)} == {"RUNNING"}
        # Both workers are there: what neither has put its name to may be the other's.
        nameless = stack.running_run(None)
        assert stack.api.crash_unfinished(WORK_POOL, "killed-0123", "It is gone.") == (ours["name"],)
        assert {stack.state_of(run)[0] for run in (theirs, nameless)} == {"RUNNING"}


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
