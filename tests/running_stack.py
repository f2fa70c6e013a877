"""`tomorrow up` as a whole process, for tests that use a running stack."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tasks.operations.stack.orphans import mark_of, marked
from tasks.operations.stack.parts import worker_name
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.settings import Settings
from tasks.system.access.secret import Keys, state_keys
from tasks.system.access.stack_state import StackState, read_stack
from tests.servers import asked, free_port
from tests.tasks.operations.test_alarms import webhook

PATIENCE = 400


@dataclass(frozen=True)
class Running:
    """A stack that runs: its process, its state directory, its ports, and what its webhook was sent."""

    process: "subprocess.Popen[bytes]"
    home: Path
    mlflow: int
    prefect: int
    board: int
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

    @property
    def worker(self) -> str:
        """The name of its worker."""
        return worker_name(Settings(home=self.home))

    @property
    def keys(self) -> Keys:
        """What its servers ask for."""
        return state_keys(Settings(home=self.home))

    @property
    def api(self) -> PrefectApi:
        """Prefect's server."""
        return PrefectApi(f"http://127.0.0.1:{self.prefect}/api", self.keys.prefect)

    @property
    def mlflow_address(self) -> str:
        """MLflow's server."""
        return f"http://127.0.0.1:{self.mlflow}"

    @property
    def prefect_auth(self) -> tuple[str, str]:
        """As httpx takes what Prefect's server asks for."""
        user, _, password = self.keys.prefect.partition(":")
        return user, password

    def ask(self, path: str, question: dict[str, Any], method: str = "POST") -> Any:
        """Ask Prefect's server."""
        answer = asked(method, f"{self.api.address}/{path}", json=question, auth=self.prefect_auth)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def running_run(self, worker: str | None) -> dict[str, Any]:
        """A run that goes on, as Prefect sees it, on the worker of that name, or on none that has written it down."""
        question = {"state": {"type": "RUNNING"}, "parameters": {"model": "META-Open", "version": 1}}
        run = self.ask(f"deployments/{self.api.deployments()['promote']['id']}/create_flow_run", question)
        if worker is not None:
            self.ask(f"flow_runs/{run['id']}/labels", {"prefect.worker.name": worker}, "PATCH")
        return dict(run)

    def state_of(self, run: dict[str, Any]) -> tuple[str, str]:
        """The type and the message of a run's state."""
        state = self.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})[0]["state"]
        return state["type"], state["message"]


def command(home: Path, *arguments: str, **variables: str) -> tuple[list[str], dict[str, str]]:
    """A command as a whole process on a state directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return [sys.executable, "-m", "flows.cli.main", *arguments], {**kept, "TOMORROW_HOME": str(home), **variables}


def run(home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, in a folder that has nothing to do with it."""
    words, variables = command(home, *arguments, **more)
    return subprocess.run(words, env=variables, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False)


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


@contextmanager
def running_stack(
    folder: Path,
    *options: str,
    until: str = "the stack is up",
    umask: int = 0o022,
    within: Sequence[str] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """The stack on free ports, with the sample market; ended at the end if no test has.

    within: a program that runs it, with its arguments
    more:   what its environment has beside
    """
    mlflow, prefect, board = free_port(), free_port(), free_port()
    with webhook(200) as (address, sent), (folder / "shown").open("wb") as shown:
        words, variables = command(
            folder / "var",
            *("up", "--source", "sample", "--json", *options),
            *("--mlflow-port", str(mlflow), "--prefect-port", str(prefect), "--serving-port", str(board)),
            TOMORROW_WEBHOOK=address,
            **more,
        )
        process = subprocess.Popen(
            [*within, *words],
            env=variables,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=shown,
            start_new_session=True,
            umask=umask,
        )
        running = Running(process=process, home=folder / "var", mlflow=mlflow, prefect=prefect, board=board, sent=sent)
        try:
            wait_until(lambda: until in running.said or process.poll() is not None)
            assert process.poll() is None, running.said + process.communicate()[0].decode()
            yield running
        finally:
            process.kill()
            process.wait()
            wait_until(lambda: not marked(mark_of(folder / "var")))
