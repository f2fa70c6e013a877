"""Our keys go to our own servers: not to whoever listens at the same place."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.guard import Door
from tasks.system.access.own_servers import mlflow_key, prefect_key, start_own
from tasks.system.access.secret import new_keys, state_keys
from tasks.system.access.stack_state import PartState, StackState, only_stack, write_stack


class Listener(ThreadingHTTPServer):
    """A server that keeps every header it is sent; with a Door it is one of ours."""

    def __init__(self, proof: str | None) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(f"{self.path}\n{self.headers}")
                self.send_response(200)
                if proof is not None:
                    door = Door(f"http://127.0.0.1:{self.server.server_address[1]}", proof)  # type: ignore[index]
                    self.send_header("X-Tomorrow-Answer", door.answer(self.headers["X-Tomorrow-Challenge"]))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def listening(proof: str | None) -> Iterator[Listener]:
    with Listener(proof) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def write_down(settings: Settings, address: str) -> None:
    """A stack with both servers at one address."""
    now = datetime.now(UTC)
    parts = tuple(
        PartState(name=name, condition="healthy", pid=1, since=now, restarts=0, address=address, log=Path("a.log"))
        for name in ("mlflow", "prefect")
    )
    state = StackState(pid=1, since=now, ready=True, prefect_api=f"{address}/api", tracking=address, parts=parts)
    write_stack(settings, state)


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Another thread that holds the lock of a running stack."""
    held, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with only_stack(settings):
            held.set()
            ended.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        yield
    finally:
        ended.set()
        holder.join()


def test_a_server_of_the_running_stack_is_sent_its_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "the user's, for another server")
    keys = state_keys(settings)
    with listening(keys.proof) as server, running(settings):
        write_down(settings, server.address)
        assert mlflow_key(settings, f"{server.address}/") == keys.mlflow
        assert prefect_key(settings, f"{server.address}/api") == keys.prefect


def test_whoever_takes_the_port_of_a_stack_that_has_ended_is_sent_nothing(settings: Settings) -> None:
    state_keys(settings)
    with listening(None) as server:
        write_down(settings, server.address)
        assert mlflow_key(settings, server.address) is None
        assert prefect_key(settings, f"{server.address}/api") is None
        assert server.heard == []


@pytest.mark.parametrize("proof", [None, "0" * 64])
def test_whoever_takes_the_port_of_a_part_that_is_started_again_is_sent_nothing(
    proof: str | None, settings: Settings
) -> None:
    keys = state_keys(settings)
    with listening(proof) as server, running(settings):
        write_down(settings, server.address)
        for ask in (mlflow_key, prefect_key):
            address = server.address if ask is mlflow_key else f"{server.address}/api"
            with pytest.raises(ConfigurationError, match="another program answers") as refusal:
                ask(settings, address, 0.1)
            assert "tomorrow status" in refusal.value.remedy
        heard = "".join(server.heard)
        assert "X-Tomorrow-Challenge" in heard
        assert not any(key in heard for key in (keys.secret, keys.proof, keys.mlflow, keys.prefect))


def test_a_server_elsewhere_gets_what_the_user_has_set_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_keys(settings)
    with listening(None) as own, listening(None) as other, running(settings):
        write_down(settings, own.address)
        monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
        assert mlflow_key(settings, other.address) is None
        assert prefect_key(settings, f"{other.address}/api") is None
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", "user:password")
        assert prefect_key(settings, f"{other.address}/api") == "user:password"
        assert own.heard == other.heard == []


def test_another_name_of_our_own_server_is_sent_nothing_and_the_right_one_is_told(settings: Settings) -> None:
    """It may lead to another place: to [::1], at which somebody else may listen."""
    with listening(state_keys(settings).proof) as own, running(settings):
        write_down(settings, own.address)
        for ask, base in ((mlflow_key, ""), (prefect_key, "/api")):
            with pytest.raises(ConfigurationError, match="another name") as refusal:
                ask(settings, own.address.replace("127.0.0.1", "localhost") + base)
            assert refusal.value.need == own.address + base
        assert own.heard == []


@pytest.mark.parametrize("patience", [0.1, 1e-6])
def test_whoever_waits_is_told_for_what(
    settings: Settings, capsys: pytest.CaptureFixture[str], patience: float
) -> None:
    """However slow the first answer is: the shorter patience has ended when it comes."""
    with listening(None) as server, running(settings):
        write_down(settings, server.address)
        with pytest.raises(ConfigurationError):
            mlflow_key(settings, server.address, patience)
        assert f"waiting for the server of tomorrow up at {server.address}" in capsys.readouterr().err
        with pytest.raises(ConfigurationError):
            mlflow_key(settings, server.address, 0)
        assert capsys.readouterr().err == ""


class Starting:
    """A Prefect server as the library holds it, whose start fails like on a machine that is too busy."""

    def __init__(self, address: str, command: str) -> None:
        self.address, self.api_url, self.running = address, f"{address}/api", False
        self.server_process = subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE)

    def start(self) -> None:
        raise httpx.ReadTimeout("timed out")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.server_process.communicate(timeout=60)


WAITS, ENDS = "input()", "raise SystemExit(3)"


def test_a_server_of_ours_that_is_slow_to_answer_is_waited_for() -> None:
    keys = new_keys()
    # As the system does for a server that has not begun to answer: the request waits.
    with Listener(keys.proof) as listener, Starting(listener.address, WAITS) as server:
        threading.Timer(4, threading.Thread(target=listener.serve_forever, daemon=True).start).start()
        start_own(server, keys)
        assert server.running
        listener.shutdown()


def test_a_server_of_ours_that_ends_while_it_starts_is_told() -> None:
    with Starting("http://127.0.0.1:9", ENDS) as server, pytest.raises(ConfigurationError, match="it ended while it"):
        start_own(server, new_keys())


def test_another_program_in_the_place_of_a_server_of_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durations, "START_PREFECT", 1)
    with (
        listening("another key") as other,
        Starting(other.address, WAITS) as server,
        pytest.raises(ConfigurationError, match="another program answers there"),
    ):
        start_own(server, new_keys())
