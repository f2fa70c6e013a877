"""Passwords in every place that takes one: whole commands that succeed and fail, and no trace of them afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.settings import Settings
from tests.fakes.password import behind_password
from tests.flows.conftest import SMALL
from tests.postgres import database_on, postgres_server
from tests.servers import asked, free_port, serving
from tests.tasks.operations.test_alarms import HIDDEN, webhook

pytestmark = pytest.mark.servers

PATIENCE = 400
# One of its own for each place, so that a trace leads to it; the last word of each is what quoting leaves of it.
MLFLOW, PREFECT, PROXY = "quite/a@mlflow-secret", "prefect-secret", "proxy-secret"
LEDGER, LEDGER_TOO, FILE, WRONG = "ledger-secret", "second-ledger-secret", "file-secret", "wrong-secret"
MARKS = tuple(mark.encode() for mark in ("mlflow-secret", PREFECT, PROXY, LEDGER, FILE, WRONG, HIDDEN))

SAMPLE = ("--source", "sample", "--as-of", "2013-06-28")
CONFIGURATION = """
home: {home}
tracking: {{uri: 'http://me:{mlflow}@{server}'}}
ledger: {{uri: '{ledger}'}}
"""


@dataclass
class Place:
    """Where commands run, with a password in everything that takes one; what they have said so far."""

    folder: Path
    mlflow: str
    prefect: str
    variables: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "var"

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *arguments],
            env=self.environment(variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return done

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
        return {**kept, **self.variables, **variables}

    def ask(self, path: str, question: Any = None) -> Any:
        answer = asked("POST", f"{self.prefect}/{path}", json=question or {}, auth=("me", PREFECT))
        answer.raise_for_status()
        self.said.append(answer.text)
        return answer.json()

    def flow_run(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Have a deployment run, and say how that ended."""
        known = {found["name"]: found["id"] for found in self.ask("deployments/filter")}
        made = self.ask(f"deployments/{known[deployment]}/create_flow_run", {"parameters": parameters})["id"]

        def state() -> str:
            (found,) = self.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [made]}}})
            return str(found["state_type"])

        wait_until(lambda: state() in ("COMPLETED", "FAILED", "CRASHED"))
        return state()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, mlflow_server: Settings, empty_home: Path) -> Iterator[Place]:
    """Servers of MLflow and Prefect that ask for passwords, a ledger on PostgreSQL, a webhook, a proxy."""
    folder, port = tmp_path_factory.mktemp("secrets"), free_port()
    shutil.copytree(empty_home / "prefect", folder / "served")
    api = f"http://127.0.0.1:{port}/api"
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    asks = {"PREFECT_HOME": str(folder / "served"), "PREFECT_SERVER_API_AUTH_STRING": f"me:{PREFECT}"}
    with (
        serving(command, f"{api}/health", folder, **asks),
        behind_password(mlflow_server.tracking_uri.secret, "me", MLFLOW) as mlflow,
        postgres_server() as server,
        database_on(server.set(password=LEDGER).update_query_dict({"sslpassword": LEDGER_TOO})) as ledger,
        webhook(200) as (address, _),
    ):
        text = CONFIGURATION.format(home=folder / "var", mlflow=MLFLOW, server=mlflow, ledger=ledger)
        (folder / "mlflow.yaml").write_text(text, encoding="utf-8")
        variables = {
            "TOMORROW_CONFIG": str(folder / "mlflow.yaml"),
            "TOMORROW_WEBHOOK": address,
            "PREFECT_API_URL": api.replace("//", f"//me:{PREFECT}@"),
            "HTTPS_PROXY": f"http://me:{PROXY}@127.0.0.1:9",
            "https_proxy": f"http://me:{PROXY}@127.0.0.1:9",
        }
        yield Place(folder, mlflow, api, variables)


def traces(place: Place, *folders: Path) -> list[str]:
    """Where any of the passwords stands: the file, or the beginning of what was said."""
    files = [file for folder in (place.folder, *folders) for file in folder.rglob("*") if file.is_file()]
    found = [str(file) for file in files if file.name != "mlflow.yaml" and holds(file.read_bytes())]
    return found + [text[:500] for text in place.said if holds(text.encode())]


def holds(content: bytes) -> bool:
    return any(mark in content for mark in MARKS)


def test_commands_that_succeed_leave_no_trace_of_a_password(place: Place) -> None:
    trained = place.run("train", *SAMPLE, *SMALL, "--json")
    assert trained.returncode == 0, trained.stderr
    promoted = place.run("promote", "SAMPLE-Open", "1", "--force", "--reason", "the first")
    assert promoted.returncode == 0, promoted.stderr
    for command in (("predict", *SAMPLE), ("score", *SAMPLE[:2]), ("status", "--json"), ("status",)):
        done = place.run(*command)
        assert done.returncode == 0, done.stderr
    assert json.loads(place.said[-4])["faults"] == {}
    assert place.run("history", "SAMPLE-Open").returncode == 0
    assert place.run("clean", "--dry-run").returncode == 0
    assert traces(place) == []


FAILS: dict[str, tuple[tuple[str, ...], dict[str, str], int, str]] = {
    "a version that is not there": (("promote", "SAMPLE-Open", "77"), {}, 2, "no such version"),
    "prices that are not to be had": (("train", "--ticker", "META"), {}, 3, "proxy"),
    "a wrong password for MLflow": (
        ("history", "SAMPLE-Open"),
        {"MLFLOW_TRACKING_URI": f"http://me:{WRONG}@%MLFLOW%"},
        2,
        "it answers 401",
    ),
    "no server there": (
        ("history", "SAMPLE-Open"),
        {"MLFLOW_TRACKING_URI": f"http://me:{WRONG}@127.0.0.1:9/x"},
        2,
        "no server answers",
    ),
    "an MLflow address with parameters": (
        ("history", "SAMPLE-Open"),
        {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:9/?password={WRONG}"},
        2,
        "an address with parameters",
    ),
    "a database for MLflow that does not answer": (
        ("history", "SAMPLE-Open"),
        {"MLFLOW_TRACKING_URI": f"postgresql+psycopg://me:{WRONG}@127.0.0.1:9/db?password={WRONG}"},
        2,
        "cannot be opened",
    ),
    "a ledger that does not answer": (
        ("history", "SAMPLE-Open"),
        {"TOMORROW_LEDGER_URI": f"postgresql+psycopg://127.0.0.1:9/db?user=me&password={WRONG}"},
        2,
        "the ledger",
    ),
    "a ledger of another kind": (
        ("history", "SAMPLE-Open"),
        {"TOMORROW_LEDGER_URI": f"mysql://127.0.0.1:9/db?password={WRONG}"},
        2,
        "a database of kind mysql",
    ),
    "an option that PostgreSQL does not know": (
        ("history", "SAMPLE-Open"),
        {"TOMORROW_LEDGER_URI": f"postgresql+psycopg://127.0.0.1:9/db?user=me&paswort={WRONG}"},
        2,
        "the ledger",
    ),
    "a wrong password for Prefect": (
        ("predict", *SAMPLE),
        {"PREFECT_API_URL": f"http://me:{WRONG}@%PREFECT%"},
        2,
        "Prefect's server",
    ),
    "no Prefect there": (
        ("predict", *SAMPLE),
        {"PREFECT_API_URL": f"http://me:{WRONG}@127.0.0.1:9/api?token={WRONG}"},
        2,
        "Prefect's server",
    ),
    "a database for the Prefect of the command itself": (
        ("rollback", "SAMPLE-Open", "--reason", "to see"),
        {
            "PREFECT_API_URL": "",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://me:{WRONG}@127.0.0.1:9/db?password={WRONG}",
        },
        2,
        "it ended while it started",
    ),
    "a place for artifacts with a password": (
        ("status",),
        {"TOMORROW_TRACKING__ARTIFACTS": f"s3://key:{WRONG}@bucket"},
        2,
        "MLflow stores and shows",
    ),
    "a file that is mistyped": (("status",), {"TOMORROW_CONFIG": "%MISTYPED%"}, 2, "not YAML: line 4"),
}


@pytest.mark.parametrize("fault", FAILS)
def test_commands_that_fail_leave_no_trace_of_a_password(place: Place, fault: str) -> None:
    arguments, variables, code, words = FAILS[fault]
    mistyped = place.folder / "mistyped" / "mlflow.yaml"
    mistyped.parent.mkdir(exist_ok=True)
    mistyped.write_text(f"tracking:\n  uri: sqlite:///x.db\nledger:\n  uri: http://me:{FILE}@host: /x\n", "utf-8")
    named = {
        "%MLFLOW%": place.mlflow,
        "%PREFECT%": place.prefect.removeprefix("http://"),
        "%MISTYPED%": str(mistyped),
    }
    for name, text in named.items():
        variables = {variable: given.replace(name, text) for variable, given in variables.items()}
    as_json = ["--json"] if list(FAILS).index(fault) % 2 else []
    done = place.run(*arguments, *as_json, **variables, TOMORROW_DEBUG="1")
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert "a fault of ours" not in done.stdout + done.stderr
    assert traces(place) == []


def test_a_stack_leaves_no_trace_of_a_password(place: Place) -> None:
    """With an MLflow server of its own on a database with a password, and Prefect elsewhere."""
    with postgres_server() as server, database_on(server.set(password=LEDGER)) as database:
        stores = {"MLFLOW_TRACKING_URI": database, "TOMORROW_LEDGER_URI": database}
        environment = place.environment(stores)
        shown = place.folder / "shown"
        with shown.open("wb") as out:
            ports = ["--mlflow-port", str(free_port()), "--serving-port", str(free_port())]
            command = [sys.executable, "-m", "flows.cli.main", "up", *ports]
            up = subprocess.Popen(command, env=environment, cwd=place.folder, stdout=out, stderr=out)
        try:
            wait_until(lambda: "the stack is up" in shown.read_text() or up.poll() is not None)
            assert up.poll() is None, shown.read_text()
            status = place.run("status", "--json", **stores)
            assert json.loads(status.stdout)["running"], status.stderr
            for request, ended in (({"source": "sample", "ticker": "SAMPLE"}, "COMPLETED"), (NOWHERE, "FAILED")):
                assert place.flow_run("predict", {"request": request, "or_naive": True}) == ended
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(PATIENCE)
    for path in ("flow_runs/filter", "task_runs/filter", "logs/filter", "artifacts/filter", "events/filter"):
        place.ask(path)
    assert traces(place) == []


NOWHERE = {"ticker": "META", "source": "csv", "files": ["/nowhere/prices.csv"]}


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.5)
