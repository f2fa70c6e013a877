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
from tests.servers import free_port


class Prefect(ThreadingHTTPServer):
    """A server that knows one deployment, `catchup`, and keeps the runs that it was asked to make by their keys.

    refusals: with these it answers the next questions, though it does what it is asked for
    """

    def __init__(self, port: int = 0) -> None:
        self.runs: dict[str, dict[str, str]] = {}
        self.refusals: list[int] = []
        runs, refusals = self.runs, self.refusals

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer: object = [{"id": "d-1", "name": "catchup"}]
                if self.path == "/api/deployments/d-1/create_flow_run":
                    key = question.pop("idempotency_key")
                    assert question == {}, "the deployment's own parameters hold"
                    answer = runs.setdefault(key, {"id": f"r-{len(runs)}", "name": f"run-{len(runs)}"})
                self.send_response(refusals.pop(0) if refusals else 200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", port), Handler)

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


def test_a_server_that_is_busy_is_asked_again_and_one_run_comes_of_it(prefect: Prefect) -> None:
    prefect.refusals += [503, 502, 429, 503]
    waited: list[float] = []
    api = PrefectApi(f"{prefect.address}/api", sleep=waited.append)
    assert api.create_run("catchup", "a key") == ("run-0", "r-0")
    assert (len(prefect.runs), len(waited)) == (1, 4)


def test_the_pause_between_two_tries_grows(prefect: Prefect) -> None:
    prefect.refusals += [503] * 6
    waited: list[float] = []
    PrefectApi(f"{prefect.address}/api", sleep=waited.append).deployments()
    assert waited == sorted(waited)
    assert waited[0] >= 0.25
    assert waited[-1] >= 8


def test_a_server_that_starts_again_is_asked_until_it_answers() -> None:
    port, started = free_port(), list[Prefect]()

    def start(_: float) -> None:
        if not started:
            started.append(Prefect(port))
            threading.Thread(target=started[0].serve_forever, daemon=True).start()

    assert set(PrefectApi(f"http://127.0.0.1:{port}/api", sleep=start).deployments()) == {"catchup"}
    started[0].shutdown()
    started[0].server_close()


def test_a_server_that_stays_away_is_an_error_with_the_time_that_it_was_asked_for() -> None:
    api = PrefectApi(f"http://127.0.0.1:{free_port()}/api", rides_out=0.3)
    with pytest.raises(ConfigurationError, match=r"no answer for 0\.3 s \(ConnectError\)"):
        api.deployments()


def test_what_will_not_pass_is_told_at_once(prefect: Prefect) -> None:
    prefect.refusals += [422]
    waited: list[float] = []
    with pytest.raises(ConfigurationError, match="it answers 422 to POST deployments/filter"):
        PrefectApi(f"{prefect.address}/api", sleep=waited.append).deployments()
    assert waited == []


def test_a_busy_server_is_told_of_with_its_last_answer(prefect: Prefect) -> None:
    prefect.refusals += [503] * 100
    with pytest.raises(ConfigurationError, match="it answers 503"):
        PrefectApi(f"{prefect.address}/api", rides_out=0.3).deployments()


def test_while_prefect_does_not_answer_the_supervisor_looks_at_the_parts(
    prefect: Prefect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(Supervisor, "_look_at_all", lambda _: looked.append("looked"))
    with supervisor(tmp_path, prefect, []) as running:
        prefect.refusals += [503, 503]
        running.run_now("catchup")
    assert looked
    assert len(prefect.runs) == 1


def test_a_work_pool_of_a_server_elsewhere_is_left_as_it_is(prefect: Prefect) -> None:
    """It may be somebody's, with a template of theirs; the server here takes no change."""
    api = PrefectApi(f"{prefect.address}/api")
    api.set_pool("local-pool", {}, renew=False)
    with pytest.raises(ConfigurationError, match="PATCH work_pools/local-pool"):
        api.set_pool("local-pool", {}, renew=True)
