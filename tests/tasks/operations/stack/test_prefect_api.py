"""What Prefect's server is asked for: a run of a deployment at once, and only one of it."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.operations.stack.parts import Stack
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.operations.stack.supervisor import Supervisor
from tasks.settings import Address, Settings


class Prefect(ThreadingHTTPServer):
    """A server that knows one deployment, `catchup`, and keeps the runs that it was asked to make by their keys."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, str]] = {}
        runs = self.runs

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer: object = [{"id": "d-1", "name": "catchup"}]
                if self.path == "/api/deployments/d-1/create_flow_run":
                    key = question.pop("idempotency_key")
                    assert question == {}, "the deployment's own parameters hold"
                    answer = runs.setdefault(key, {"id": f"r-{len(runs)}", "name": f"run-{len(runs)}"})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    with Prefect() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def supervisor(home: Path, prefect: Prefect, said: list[str]) -> Supervisor:
    stack = Stack(parts=(), tracking=Address(""), api=PrefectApi(f"{prefect.address}/api"), variables={})
    return Supervisor(Settings(home=home), stack, lambda: datetime.now(UTC), said.append)


def test_a_run_is_made_at_once_and_however_often_it_is_asked_for_a_stack_makes_one(
    prefect: Prefect, tmp_path: Path
) -> None:
    said: list[str] = []
    first = supervisor(tmp_path, prefect, said)
    first.run_now("catchup")
    first.run_now("catchup")
    assert len(prefect.runs) == 1
    supervisor(tmp_path, prefect, said).run_now("catchup")
    assert len(prefect.runs) == 2, "the next start makes its own"
    assert said == [
        f"catchup runs now: 'run-0', {prefect.address}/runs/flow-run/r-0",
        f"catchup runs now: 'run-0', {prefect.address}/runs/flow-run/r-0",
        f"catchup runs now: 'run-1', {prefect.address}/runs/flow-run/r-1",
    ]


def test_a_deployment_that_is_not_there_is_named(prefect: Prefect) -> None:
    with pytest.raises(ConfigurationError, match="no deployment train"):
        PrefectApi(f"{prefect.address}/api").create_run("train", "a key")
    assert prefect.runs == {}
