"""The deployments in prefect.yaml: known to Prefect, runnable, and on time in New York."""

import asyncio
import inspect
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from flows.runs.on_schedule import NEVER, _since
from model.config import PRESETS
from tasks.ledger.forecasts import Ledger
from tasks.operations.stack.deployments import deploy
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.registry.registry import Registry
from tasks.settings import Address, Settings
from tasks.system.prefect_server import environment
from tasks.system.state_directory import place_tags
from tasks.tracking.client import open_tracking
from tests.project import ROOT, program
from tests.servers import asked, free_port, serving

if TYPE_CHECKING:
    from prefect.cli.deploy._models import DeploymentConfig

FILE = ROOT / "prefect.yaml"
NEW_YORK = ZoneInfo("America/New_York")
DEPLOYMENTS = ("train", "promote", "score", "predict", "catchup", "clean")
WEEKDAYS = {0, 1, 2, 3, 4}
SUNDAY = {6}
TIMES = {
    "train": {(17, 30)},
    "promote": set(),
    "score": {(17, 0)},
    "predict": {(18, 15), (8, 0)},
    "catchup": {(6, 30)},
    "clean": {(6, 0)},
}
PATIENCE = 400
SAMPLE = {"ticker": "SAMPLE", "source": "sample"}
# A preset of the user's own.
MINE = "preset: tutorial\nlookback: 5\nnetwork: {units: [4]}\ntraining: {epochs: 2}\n"
MLFLOW = Address("http://me:geheim@127.0.0.1:5000")


def _deployments() -> dict[str, "DeploymentConfig"]:
    from prefect.cli.deploy._models import PrefectYamlModel

    parsed = PrefectYamlModel.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    return {str(deployment.name): deployment for deployment in parsed.deployments}


def test_the_deployments_are_known() -> None:
    assert tuple(_deployments()) == DEPLOYMENTS


def test_prefect_knows_every_key() -> None:
    """Prefect itself passes over a key that it does not know."""
    from prefect.cli.deploy._models import ConcurrencyLimitSpec, DeploymentConfig, PrefectYamlModel, WorkPoolConfig

    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert set(raw) - {"definitions"} <= set(PrefectYamlModel.model_fields)
    for deployment in raw["deployments"]:
        assert set(deployment) <= set(DeploymentConfig.model_fields)
        assert set(deployment["work_pool"]) <= set(WorkPoolConfig.model_fields)
        assert set(deployment["concurrency_limit"]) <= set(ConcurrencyLimitSpec.model_fields)


def test_a_deployment_brings_nothing_that_its_job_is_made_of() -> None:
    """The work pool's template refuses it: a command or an environment there would be the operator's own."""
    pools = [deployment["work_pool"] for deployment in yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]]
    assert pools == [{"name": "local-pool"}] * len(DEPLOYMENTS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_an_entrypoint_is_the_flow_of_that_name_and_takes_the_parameters(name: str) -> None:
    from prefect.flows import load_flow_from_entrypoint

    deployment = _deployments()[name]
    # A colon would make Prefect look for a file, and put its folder before the packages.
    assert deployment.entrypoint is not None
    assert ":" not in deployment.entrypoint
    flow: Any = load_flow_from_entrypoint(deployment.entrypoint, use_placeholder_flow=False)
    assert flow.name == name
    given = [deployment.parameters, *(schedule.parameters for schedule in _schedules(name))]
    for parameters in given:
        assert set(parameters) <= set(inspect.signature(flow.fn).parameters)
    needed = [p.name for p in inspect.signature(flow.fn).parameters.values() if p.default is p.empty]
    if _schedules(name):
        assert needed == []


def test_the_schedule_trains_the_whole_preset_daily() -> None:
    from flows.train import train

    given = train.validate_parameters(_deployments()["train"].parameters)
    assert given["forecaster"] == PRESETS["daily"]


def test_the_schedule_records_the_naive_distribution_while_nothing_is_in_production() -> None:
    from flows.predict import predict

    given = predict.validate_parameters(_deployments()["predict"].parameters)
    assert given["or_naive"] is True
    assert predict.validate_parameters({})["or_naive"] is False, "a person at the prompt gets an error"


def test_what_was_missed_is_trained_as_the_schedule_trains() -> None:
    assert _deployments()["catchup"].parameters == _deployments()["train"].parameters


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_runs_of_a_deployment_wait_for_one_another(name: str) -> None:
    limit: Any = _deployments()[name].concurrency_limit
    assert (limit.limit, limit.collision_strategy) == (1, "ENQUEUE")


def _schedules(name: str) -> list[Any]:
    return list(_deployments()[name].schedules or [])


@pytest.mark.parametrize(
    ("change", "utc_hours"),
    [
        pytest.param(datetime(2026, 3, 8, tzinfo=NEW_YORK), {"before": 22, "after": 21}, id="spring"),
        pytest.param(datetime(2026, 11, 1, tzinfo=NEW_YORK), {"before": 21, "after": 22}, id="autumn"),
    ],
)
def test_training_stays_at_half_past_five_when_the_clocks_change(change: datetime, utc_hours: dict[str, int]) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    (schedule,) = _schedules("train")
    cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    dates = asyncio.run(cron.get_dates(10, start=change - timedelta(days=7)))
    assert {(day.astimezone(NEW_YORK).hour, day.astimezone(NEW_YORK).minute) for day in dates} == {(17, 30)}
    assert [day.astimezone(NEW_YORK).weekday() for day in dates] == [0, 1, 2, 3, 4] * 2
    assert {day.astimezone(UTC).hour for day in dates if day < change} == {utc_hours["before"]}
    assert {day.astimezone(UTC).hour for day in dates if day > change} == {utc_hours["after"]}


def _places(home: Path, api: str) -> set[str]:
    """What a deployment on this server is given to say where its runs work."""
    return place_tags(Settings(home=home), (MLFLOW, Settings(home=home).tracking_uri), api)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> Iterator[dict[str, str]]:
    """The environment of whoever uses a real server with everything in prefect.yaml deployed to it."""
    folder = tmp_path_factory.mktemp("prefect")
    address = f"http://127.0.0.1:{(port := free_port())}/api"
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patched.delenv(name)
        env = {**os.environ, **environment(Settings(home=folder), quiet=False)}
        env |= {"PREFECT_API_URL": address, "TOMORROW_HOME": str(folder)}
        shutil.copytree(empty_home / "prefect", env["PREFECT_HOME"])
        (folder / "presets").mkdir()
        (folder / "presets" / "mine.yaml").write_text(MINE, encoding="utf-8")
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        with serving(command, f"{address}/health", folder, **env):
            deploy(PrefectApi(address), env, {"request": SAMPLE}, places=_places(folder, address))
            yield env


def _ask(env: dict[str, str], path: str, question: dict[str, object]) -> list[dict[str, Any]]:
    answer = asked("POST", f"{env['PREFECT_API_URL']}/{path}", json=question)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def _deployed(env: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {deployment["name"]: deployment for deployment in _ask(env, "deployments/filter", {})}


@pytest.mark.servers
def test_a_real_server_takes_every_deployment(server: dict[str, str]) -> None:
    deployed = _deployed(server)
    assert set(deployed) == set(DEPLOYMENTS)
    for name, deployment in deployed.items():
        assert deployment["entrypoint"] == f"flows.{name}.{name}"
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert not deployment["pull_steps"]


@pytest.mark.servers
def test_deployments_and_the_runs_that_are_planned_carry_their_places_and_what_they_fetch(
    server: dict[str, str],
) -> None:
    home = server["TOMORROW_HOME"]
    places = {
        *(f"state:{home}", "mlflow:http://127.0.0.1:5000", f"mlflow:sqlite:///{home}/mlflow.db"),
        *(f"ledger:sqlite:///{home}/ledger.db", f"prices:{home}", f"prefect:{server['PREFECT_API_URL']}"),
    }
    for name, deployment in _deployed(server).items():
        assert set(deployment["tags"]) == {"tomorrow", *places}
        assert deployment["parameters"].get("request") == (SAMPLE if name not in ("promote", "clean") else None)
        assert "geheim" not in str(deployment)
    planned = _planned(server, "train")
    assert all({"tomorrow", *places} <= set(run["tags"]) for run in planned)
    assert {run["created_by"]["display_value"] for run in planned} == {"after-close"}


@pytest.mark.servers
def test_prefect_never_knows_of_a_deployment_that_is_not_complete(server: dict[str, str]) -> None:
    """It plans runs at once: those of a deployment that is completed later could lack what it is given."""

    def told_of(event: str) -> list[str]:
        found: Any = _ask(server, "events/filter", {"filter": {"event": {"name": [f"prefect.deployment.{event}"]}}})
        return [told["resource"]["prefect.resource.name"] for told in found["events"]]

    deadline = time.monotonic() + PATIENCE
    while set(told_of("created")) != set(DEPLOYMENTS) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert sorted(told_of("created")) == sorted(DEPLOYMENTS)
    assert told_of("updated") == []


def due(run: dict[str, Any]) -> datetime:
    """When a run was meant to start."""
    return datetime.fromisoformat(run["expected_start_time"])


@pytest.mark.servers
def test_the_last_run_is_that_of_the_same_schedule_which_has_completed(
    server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL, temporary_settings

    planned = _planned(server, "predict")
    slug = {run["id"]: run["created_by"]["display_value"] for run in planned}
    first, second, third = [run for run in planned if slug[run["id"]] == "after-training"][:3]
    morning = next(run for run in planned if slug[run["id"]] == "before-open" and due(first) < due(run) < due(third))

    def since(run: dict[str, Any]) -> datetime | None:
        with temporary_settings({PREFECT_API_URL: server["PREFECT_API_URL"]}):
            with get_client(sync_client=True) as client:
                found = client.read_flow_run(run["id"])
            monkeypatch.setattr(FlowRunContext, "get", lambda: SimpleNamespace(flow=None, flow_run=found))
            return _since(due(run))

    assert since(third) == due(third) - NEVER, "nothing has been done yet"
    for run, kind in ((first, "COMPLETED"), (second, "FAILED"), (morning, "COMPLETED")):
        question: dict[str, object] = {"state": {"type": kind}, "force": True}
        place = f"{server['PREFECT_API_URL']}/flow_runs/{run['id']}/set_state"
        asked("POST", place, json=question).raise_for_status()
    assert since(third) == due(first), "neither the one that failed nor the morning's"
    assert since(first) == due(first) - NEVER


@pytest.mark.servers
def test_the_forms_show_what_a_training_is_made_of(server: dict[str, str]) -> None:
    schema = _deployed(server)["train"]["parameter_openapi_schema"]
    assert set(schema["properties"]) == {"request", "forecaster", "evaluation", "again", "anew"}
    assert schema["properties"]["forecaster"]["default"] == {"preset": "tutorial"}
    assert schema["properties"]["request"]["default"] == {"source": "yahoo"}, "no ticker goes with another's file"
    forms = schema["definitions"]
    assert forms["ForecasterForm"]["properties"]["preset"]["enum"] == [*PRESETS, "mine"]
    assert "default" not in forms["TrainingForm"]["properties"]["epochs"]


@pytest.mark.parametrize(
    "entrypoint",
    [
        *(f"flows.{name}.{name}" for name in (*DEPLOYMENTS, "backtest")),
        *(f"flows.promote.{name}" for name in ("approve", "reject", "rollback")),
    ],
)
def test_every_field_of_a_form_is_explained(entrypoint: str) -> None:
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False))
    fields = [schema.properties, *(part["properties"] for part in schema.definitions.values())]
    bare = [name for part in fields for name, field in part.items() if not field.get("description")]
    assert fields[0]
    assert bare == []


@pytest.mark.servers
def test_what_deployments_were_given_until_now_is_taken_and_no_other_preset(server: dict[str, str]) -> None:
    train = _deployed(server)["train"]["id"]

    def answer(forecaster: dict[str, Any]) -> int:
        body = {"parameters": {"forecaster": forecaster}, "state": {"type": "CANCELLED"}}
        address = f"{server['PREFECT_API_URL']}/deployments/{train}/create_flow_run"
        return asked("POST", address, json=body).status_code

    whole = PRESETS["anchored"].model_dump(mode="json")
    for given in ({"preset": "daily"}, {"preset": "daily", "training": {"seed": 1, "patience": None}}, {}, whole):
        assert answer(given) == 201, given
    assert answer({"preset": "mine"}) == 201
    assert answer({"preset": "tutorail"}) == 409


@pytest.mark.servers
def test_a_run_that_names_a_preset_of_ones_own_finds_it(server: dict[str, str], tmp_path: Path) -> None:
    request = {"source": "sample", "ticker": "SAMPLE", "as_of": "2013-06-28"}
    body = {"parameters": {"request": request, "forecaster": {"preset": "mine", "training": {"seed": 3}}}}
    train = _deployed(server)["train"]["id"]
    made = asked("POST", f"{server['PREFECT_API_URL']}/deployments/{train}/create_flow_run", json=body).json()["id"]
    # What a worker starts, with the worker's environment.
    worker = server | {"PREFECT__FLOW_RUN_ID": made}
    subprocess.run([sys.executable, "-m", "prefect.engine"], env=worker, cwd=tmp_path, timeout=PATIENCE, check=False)
    assert _state(server, made)["type"] == "COMPLETED", _state(server, made)
    (version,) = Registry(open_tracking(Settings(home=Path(server["TOMORROW_HOME"])))).versions("SAMPLE-Open")
    changed = "lookback=5, network.units=[4], training.epochs=2, training.seed=3"
    assert version.preset == f"mine (tutorial, changed: {changed})"


def _planned(env: dict[str, str], name: str) -> list[dict[str, Any]]:
    """The runs of a deployment that its schedules have planned, once there are some."""
    question = {"deployments": {"name": {"any_": [name]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    deadline = time.monotonic() + PATIENCE
    while not (found := _ask(env, "flow_runs/filter", question)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found
    return sorted((run for run in found if run["auto_scheduled"]), key=due)


def _scheduled(env: dict[str, str], name: str) -> list[datetime]:
    """When runs are planned; all of them by the schedule, by which a run knows that it is to heed the calendar."""
    question = {
        "deployments": {"name": {"any_": [name]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = _ask(env, "flow_runs/filter", question)
    assert all(run["auto_scheduled"] for run in runs)
    return [datetime.fromisoformat(run["expected_start_time"]).astimezone(NEW_YORK) for run in runs]


@pytest.mark.servers
def test_the_schedules_yield_runs_at_the_right_new_york_times(server: dict[str, str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all(_scheduled(server, name) for name in TIMES if TIMES[name]) and time.monotonic() < deadline:
        time.sleep(1)
    for name, times in TIMES.items():
        runs = _scheduled(server, name)
        assert {(run.hour, run.minute) for run in runs} == times
        assert {run.weekday() for run in runs} <= (SUNDAY if name == "clean" else WEEKDAYS)


def _asked(server: dict[str, str]) -> str:
    """A run of predict that somebody has asked for: with the deployment's own parameters."""
    predict = _deployed(server)["predict"]["id"]
    answer = asked("POST", f"{server['PREFECT_API_URL']}/deployments/{predict}/create_flow_run", json={})
    return str(answer.json()["id"])


def _state(server: dict[str, str], run: str) -> dict[str, Any]:
    found: dict[str, Any] = asked("GET", f"{server['PREFECT_API_URL']}/flow_runs/{run}").json()["state"]
    return found


@pytest.mark.servers
def test_a_worker_runs_a_deployment_from_any_folder(server: dict[str, str], tmp_path: Path) -> None:
    """Nothing is in Production: the flow itself finds that out, and records the naive distribution."""
    run = _asked(server)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local-pool"]
    with (tmp_path / "worker.log").open("wb") as log, program(command, server, log, folder=tmp_path):
        deadline = time.monotonic() + PATIENCE
        while _state(server, run)["type"] in ("SCHEDULED", "PENDING", "RUNNING") and time.monotonic() < deadline:
            time.sleep(0.5)
    assert _state(server, run)["type"] == "COMPLETED", _state(server, run)
    (row,) = Ledger(Settings(home=Path(server["TOMORROW_HOME"])).ledger_uri).rows()
    assert (row.model, row.named) == ("SAMPLE-Open", "naive")


@pytest.mark.servers
def test_a_run_on_another_state_directory_refuses_and_records_no_forecast(
    server: dict[str, str], tmp_path: Path
) -> None:
    other, run = tmp_path / "var", _asked(server)
    other.mkdir(mode=0o700)
    # What a worker starts, with the worker's environment.
    worker = server | {"TOMORROW_HOME": str(other), "PREFECT__FLOW_RUN_ID": run}
    subprocess.run([sys.executable, "-m", "prefect.engine"], env=worker, cwd=tmp_path, timeout=PATIENCE, check=False)
    state = _state(server, run)
    assert state["type"] == "FAILED"
    assert f"state directory {other}: a run whose deployment is for {server['TOMORROW_HOME']}" in state["message"]
    assert not (other / "ledger.db").exists()
    assert not (other / "mlflow.db").exists()
