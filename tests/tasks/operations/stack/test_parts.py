"""The parts of a stack: what is started, with what, and what is used where it is already."""

from pathlib import Path

import pytest

from tasks.operations.stack.parts import Part, stack
from tasks.settings import Settings
from tasks.settings.schema import ServerSettings, TrackingSettings
from tasks.system.access.secret import state_keys

POSTGRESQL = "postgresql+psycopg://user:hidden-word@db.example/mlflow"
API = "http://127.0.0.1:4200/api"


def parts(settings: Settings, prefect_elsewhere: str | None = None) -> dict[str, Part]:
    return {part.name: part for part in stack(settings, prefect_elsewhere).parts}


def test_by_default_there_are_two_servers_and_a_worker_that_uses_them(tmp_path: Path) -> None:
    found = parts(Settings(home=tmp_path))
    assert tuple(found) == ("mlflow", "prefect", "serving", "worker")
    assert found["worker"].variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert found["worker"].variables["PREFECT_API_URL"] == API
    assert found["worker"].variables["TOMORROW_HOME"] == str(tmp_path)
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert all(part.log.parent == tmp_path / "logs" for part in found.values())


def test_no_password_stands_in_the_list_of_processes(tmp_path: Path) -> None:
    found = parts(Settings(home=tmp_path, tracking=TrackingSettings(uri=POSTGRESQL)))
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == POSTGRESQL
    assert not any("hidden-word" in word for part in found.values() for word in part.command)
    assert not any("hidden-word" in value for value in found["worker"].variables.values())


def test_each_part_has_the_keys_that_it_needs_and_none_on_its_command_line(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    keys, found = state_keys(settings), parts(settings)
    held = {
        name: {key for key in (keys.mlflow, keys.prefect, keys.secret) if key in part.variables.values()}
        for name, part in found.items()
    }
    assert held == {
        "mlflow": {keys.mlflow},
        "prefect": {keys.prefect},
        "serving": {keys.mlflow},
        "worker": {keys.mlflow, keys.prefect},
    }
    words = " ".join(word for part in found.values() for word in part.command)
    assert not any(key in words for key in (keys.mlflow, keys.prefect, keys.secret, keys.proof))


def test_runs_say_that_they_live_as_often_as_prefects_automation_wants_it(tmp_path: Path) -> None:
    found = parts(Settings(home=tmp_path))["worker"].variables["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
    assert 0 < int(found) < 90 / 2


def test_a_server_elsewhere_gets_no_key_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, tracking=TrackingSettings(uri="https://mlflow.example"))
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "user:password")
    planned, keys = stack(settings, "https://prefect.example/api"), state_keys(settings)
    board, worker = planned.parts
    for part in (board, worker):
        assert not {keys.mlflow, keys.prefect, keys.secret} & set(part.variables.values())
    assert planned.api.key == "user:password"
    assert worker.variables["PREFECT_API_AUTH_STRING"] == "user:password"


def test_servers_elsewhere_are_used_and_not_started(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tracking=TrackingSettings(uri="https://mlflow.example"))
    found = parts(settings, "https://prefect.example/api")
    assert tuple(found) == ("serving", "worker")
    assert found["worker"].variables["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert found["worker"].variables["PREFECT_API_URL"] == "https://prefect.example/api"


def test_the_addresses_of_the_servers_that_are_started_here_are_not_elsewhere(tmp_path: Path) -> None:
    """Whoever works beside the stack has them in the environment."""
    settings = Settings(
        home=tmp_path, server=ServerSettings(port=5001), tracking=TrackingSettings(uri="http://127.0.0.1:5001/")
    )
    for api in (API, f"{API}/", API.replace("127.0.0.1", "localhost")):
        found = parts(settings, api)
        assert found["worker"].variables["PREFECT_API_URL"] == API
    assert tuple(found) == ("mlflow", "prefect", "serving", "worker")
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"


def test_names_are_handed_to_mlflows_own_checks_and_to_the_guards_of_both_servers(tmp_path: Path) -> None:
    named = {"allowed_hosts": ["tomorrow.example"]}
    found = parts(Settings.model_validate({"home": tmp_path, "server": named, "prefect": named}))
    words = found["mlflow"].command
    assert words[words.index("--allowed-hosts") + 1] == "127.0.0.1:5000,tomorrow.example,tomorrow.example:*"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    names = [found[part].variables["TOMORROW_GUARD_NAMES"] for part in ("mlflow", "prefect")]
    assert names == ["tomorrow.example"] * 2
    assert found["prefect"].variables["PREFECT_SERVER_UI_API_URL"] == "/api"


def test_the_workers_of_two_state_directories_have_two_names_and_one_keeps_its_own(tmp_path: Path) -> None:
    names = [stack(Settings(home=tmp_path / home), None).worker for home in ("a", "b", "a")]
    assert names[0] == names[2] != names[1]
    worker = parts(Settings(home=tmp_path / "a"))["worker"]
    assert worker.command[worker.command.index("--name") + 1] == names[0]


def test_where_every_address_is_listened_on_pages_ask_the_one_that_they_came_from(tmp_path: Path) -> None:
    """The guard before both servers sees that a page is of the same origin."""
    everywhere = {"host": "0.0.0.0"}  # noqa: S104 - where a user has chosen it
    found = parts(Settings.model_validate({"home": tmp_path, "server": everywhere, "prefect": everywhere}))
    words = found["mlflow"].command
    assert words[words.index("--cors-allowed-origins") + 1] == "*"
    assert found["prefect"].variables["PREFECT_SERVER_UI_API_URL"] == "/api"
    words = parts(Settings(home=tmp_path))["mlflow"].command
    assert words[words.index("--cors-allowed-origins") + 1] == "http://127.0.0.1:5000"
