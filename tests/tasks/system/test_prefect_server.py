"""Prefect runs as the command line wants it: quietly, at home, and without a word to its makers."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.settings.schema import PrefectSettings
from tasks.system import durations
from tasks.system.access.own_prefect import check_room, start_server
from tasks.system.access.secret import new_keys
from tasks.system.prefect_server import (
    NO_PROXY,
    _check_server,
    environment,
    orchestrated,
    prepare_environment,
)
from tests.project import ROOT

# Python imports a module of this name at its start, in the flow's process and in the server's that it starts.
LISTENER = """
import os, sys

def listen(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        where = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[0]
    else:
        return
    host = where[0] if isinstance(where, tuple) else str(where)
    with open(os.environ["HEARD"], "a") as heard:
        heard.write(f"{host}\\n")

sys.addaudithook(listen)
"""

RUN = """
import json, os, sys
from tasks.system.prefect_server import orchestrated, prepare_environment
from tasks.settings import read_settings

settings = read_settings()
prepare_environment(settings)
meanwhile = []
with orchestrated(meanwhile=lambda: meanwhile.append("imported")):
    from prefect import flow, task
    from prefect.logging import get_run_logger

    @task
    def track():
        import mlflow

        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_experiment("trial")
        with mlflow.start_run():
            mlflow.log_metric("rmse", 1.0)

    @flow
    def trial():
        get_run_logger().info("said in the flow")
        track()
        return meanwhile

    print(json.dumps(trial()))
"""

# With one of these Prefect and MLflow hold their tongue, whatever we do.
CONTINUOUS_INTEGRATION = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TRAVIS", "CIRCLECI", "BUILDKITE"}


def _bare_environment(home: Path, **more: str) -> dict[str, str]:
    """What a new user's shell would hold."""
    ours = environment(Settings(home=home), quiet=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    kept = {name: value for name, value in kept.items() if name not in CONTINUOUS_INTEGRATION and name not in ours}
    return {**kept, "TOMORROW_HOME": str(home), **more}


def _python(script: str, env: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=300)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A flow that was run as the command line runs one, and what it left behind."""

    process: "subprocess.CompletedProcess[str]"
    home: Path
    user: Path
    hosts: set[str]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    home, user, heard = folder / "state" / "tomorrow", folder / "user", folder / "heard"
    (folder / "listener").mkdir()
    user.mkdir()
    (folder / "listener" / "sitecustomize.py").write_text(LISTENER)
    env = _bare_environment(home, HOME=str(user), HEARD=str(heard), PYTHONPATH=str(folder / "listener"))
    process = _python(RUN, env, folder)
    assert process.returncode == 0, process.stderr
    return Trial(process=process, home=home, user=user, hosts=set(heard.read_text().split()))


@pytest.mark.servers
def test_a_flow_speaks_to_this_machine_alone(trial: Trial) -> None:
    assert "127.0.0.1" in trial.hosts
    assert trial.hosts <= {"127.0.0.1", "localhost", "::1"}


@pytest.mark.servers
def test_standard_output_belongs_to_the_command(trial: Trial) -> None:
    assert json.loads(trial.process.stdout) == ["imported"]


@pytest.mark.servers
def test_prefect_is_silent_on_the_terminal_and_keeps_its_log(trial: Trial) -> None:
    assert "said in the flow" not in trial.process.stderr
    assert "prefect" not in trial.process.stderr.lower()
    with sqlite3.connect(trial.home / "prefect" / "prefect.db") as database:
        said = {line for (line,) in database.execute("SELECT message FROM log")}
    assert "said in the flow" in said


@pytest.mark.servers
def test_nothing_is_written_into_the_users_own_folder(trial: Trial) -> None:
    assert [str(path.relative_to(trial.user)) for path in trial.user.rglob("*") if path.is_file()] == []


def test_what_the_user_has_set_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment(Settings(home=tmp_path), quiet=True)
    for name in before:
        monkeypatch.setenv(name, str(tmp_path / "mine"))
    prepare_environment(Settings(home=tmp_path / "other"))
    assert {os.environ[name] for name in set(before) - {*NO_PROXY}} == {str(tmp_path / "mine")}


@pytest.mark.parametrize("name", NO_PROXY)
def test_no_proxy_stands_between_us_and_our_servers_whatever_the_user_has_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sent keys."""
    from requests.utils import get_environ_proxies

    for other in NO_PROXY:
        monkeypatch.delenv(other, raising=False)
    for scheme in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(scheme, "http://proxy.example:3128")
    monkeypatch.setenv(name, "intranet.example, 10.0.0.5")
    settings = Settings(home=tmp_path, prefect=PrefectSettings(host="10.0.0.7"))
    prepare_environment(settings)
    for host in ("127.0.0.1", "localhost", "10.0.0.7", "intranet.example", "10.0.0.5"):
        assert not get_environ_proxies(f"http://{host}:4200/api"), host
        assert host in environment(settings, quiet=False)["NO_PROXY"]
    assert get_environ_proxies("http://elsewhere.example/")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]
    prepare_environment(settings)
    assert os.environ["NO_PROXY"].count("127.0.0.1") == 1


def test_every_variable_is_one_that_prefect_knows(tmp_path: Path) -> None:
    from prefect.settings.models.root import Settings as PrefectSettings

    names = {name for name in environment(Settings(home=tmp_path), quiet=False) if name.startswith("PREFECT_")}
    known = set(PrefectSettings().to_environment_variables(include_aliases=True))
    assert names <= known


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment(Settings(home=tmp_path), quiet=True):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, str(tmp_path / "state" / "prefect"))
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match="state/prefect"):
        prepare_environment(Settings(home=tmp_path / "state"))


ONE_START = "import tasks.system.access.own_prefect as ours; ours.MOST_STARTS = 1\n"


@pytest.mark.servers
def test_a_database_of_prefects_that_cannot_be_used_is_told_and_not_tried_for_minutes(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"no database at all" * 1000)
    process = _python(ONE_START + RUN, _bare_environment(tmp_path), tmp_path)
    assert process.returncode == 1
    assert "ConfigurationError: Prefect's server in" in process.stderr
    assert "it ended while it started" in process.stderr


FIRST_OF_ALL = """
import sys
import tasks.system.access.own_prefect as ours

def begin(keys):
    print("prefect.server" in sys.modules)
    raise SystemExit(7)

ours._begin = begin
"""


def test_a_server_starts_before_what_looks_after_it_is_imported(tmp_path: Path) -> None:
    process = _python(FIRST_OF_ALL + RUN, _bare_environment(tmp_path), tmp_path)
    assert (process.returncode, process.stdout) == (7, "False\n")


def test_a_start_that_is_interrupted_while_prefect_is_imported_leaves_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    class Sleeps(subprocess.Popen[bytes]):
        def __init__(self, _: object, **given: Any) -> None:
            super().__init__(["sleep", "600"], **given)
            begun.append(self)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setattr("tasks.system.access.own_prefect.subprocess.Popen", Sleeps)
    monkeypatch.setattr("tasks.system.access.own_prefect._looked_after", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_server(lambda: None, new_keys())
    assert [process.returncode for process in begun] == [-signal.SIGKILL]


def test_a_server_that_ends_while_it_starts_is_started_once_more_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Prefect's does, with an exit code that Prefect takes for a port in use."""
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    # Prefect gives a process the server that it has already, such as that of tests before this one.
    monkeypatch.setattr(SubprocessASGIServer, "_instances", {})
    ends = [sys.executable, "-S", "-c", f"open({str(tmp_path / 'starts')!r}, 'a').write('.'); raise SystemExit(3)"]
    monkeypatch.setattr("tasks.system.access.own_prefect.server_command", lambda *_, **__: ends)
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigurationError) as refusal,
        orchestrated(),
    ):
        pass
    assert refusal.value.have == "it ended while it started, twice"
    assert (tmp_path / "starts").read_text() == ".."


def test_a_disk_without_room_for_prefects_database_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path)
    monkeypatch.setattr("tasks.system.access.own_prefect.ROOM_BYTES", 10**18)
    with pytest.raises(ConfigurationError, match="MB are free") as refusal:
        check_room(tmp_path)
    assert "PREFECT_HOME" in refusal.value.remedy


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listened on
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        process = _python(RUN, _bare_environment(tmp_path, PREFECT_API_URL=url), tmp_path)
    assert process.returncode == 1
    assert f"ConfigurationError: Prefect's server at {url}" in process.stderr


STAYS = """
import time
from tasks.system.prefect_server import orchestrated, prepare_environment
from tasks.settings import read_settings

prepare_environment(read_settings())
with orchestrated() as server:
    print(server.address, flush=True)
    time.sleep(600)
"""


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_server_of_a_commands_own_does_not_outlive_it(
    number: signal.Signals, tmp_path: Path, empty_home: Path
) -> None:
    shutil.copytree(empty_home / "prefect", tmp_path / "prefect")
    words = [sys.executable, "-W", "ignore", "-c", STAYS]
    started = subprocess.Popen(words, env=_bare_environment(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    port = urlsplit(started.stdout.readline()).port
    started.send_signal(number)
    started.wait(60)
    deadline = time.monotonic() + 60
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline:
            socket.create_connection(("127.0.0.1", port or 0)).close()
            time.sleep(0.2)
        pytest.fail("it listens still")


class Refuses(BaseHTTPRequestHandler):
    """A server that lets nobody in."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b"who are you?")

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_lets_nobody_in_is_told_at_once() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url, began = f"http://127.0.0.1:{server.server_port}/api", time.monotonic()
        with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ConfigurationError) as refusal:
            _check_server(url)
        server.shutdown()
    assert refusal.value.have == "it answers 401: who are you?"
    assert "PREFECT_API_AUTH_STRING" in refusal.value.remedy
    assert time.monotonic() - began < durations.REACH / 2


@pytest.mark.slow
def test_no_server_where_none_may_be_started_is_told(tmp_path: Path) -> None:
    process = _python(RUN, _bare_environment(tmp_path, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="false"), tmp_path)
    assert process.returncode == 1
    assert "ConfigurationError: Prefect's server: PREFECT_API_URL is not set" in process.stderr


def _flat(table: dict[str, object], prefix: str = "PREFECT") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{prefix}_{name.upper()}"
        if isinstance(value, dict):
            yield from _flat(value, key)
        else:
            yield key, str(value).lower()


@pytest.mark.slow
def test_what_stands_in_the_projects_file_is_known_to_prefect_and_the_same_as_elsewhere(tmp_path: Path) -> None:
    in_file = dict(_flat(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["prefect"]))
    elsewhere = environment(Settings(home=tmp_path), quiet=True)
    assert in_file == {name: elsewhere[name] for name in in_file}
    script = "import json; from prefect.settings import get_current_settings as current; "
    script += "print(json.dumps(current().to_environment_variables(exclude_unset=True)))"
    bare = _bare_environment(tmp_path, PREFECT_HOME=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], env=bare, cwd=ROOT, capture_output=True, text=True, check=True
    )
    read = {name: str(value).lower() for name, value in json.loads(done.stdout).items()}
    assert {name: read.get(name) for name in in_file} == in_file


def test_an_event_that_prefect_s_server_did_not_take_is_said_in_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    prepare_environment(Settings(home=tmp_path))
    logger = logging.getLogger("prefect._internal.concurrency")
    monkeypatch.setattr(logger, "propagate", True)
    logger.addHandler(caplog.handler)
    logger.error("Service %r failed to process item %r", "EventsWorker", "x" * 4000)
    logger.error("another fault of %s", "its")
    logger.removeHandler(caplog.handler)
    texts = [record.getMessage() for record in caplog.records]
    assert texts[0].startswith("Prefect's server did not take an event of this run")
    assert all(len(text) < 200 for text in texts)
    assert texts[-1] == "another fault of its"
