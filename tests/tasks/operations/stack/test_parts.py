"""The parts of a stack: what is started, with what, and what is used where it is already."""

from pathlib import Path

from tasks.operations.stack.parts import Part, stack
from tasks.settings import Settings
from tasks.settings.schema import ServerSettings, TrackingSettings

POSTGRESQL = "postgresql+psycopg://user:hidden-word@db.example/mlflow"
API = "http://127.0.0.1:4200/api"


def parts(settings: Settings, prefect_elsewhere: str | None = None) -> dict[str, Part]:
    return {part.name: part for part in stack(settings, prefect_elsewhere).parts}


def test_by_default_there_are_two_servers_and_a_worker_that_uses_them(tmp_path: Path) -> None:
    found = parts(Settings(home=tmp_path))
    assert tuple(found) == ("mlflow", "prefect", "worker")
    assert found["worker"].variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert found["worker"].variables["PREFECT_API_URL"] == API
    assert found["worker"].variables["TOMORROW_HOME"] == str(tmp_path)
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert all(part.log.parent == tmp_path / "logs" for part in found.values())


def test_a_server_that_listens_on_ipv6_has_an_address_that_can_be_asked() -> None:
    found = parts(Settings(server=ServerSettings(host="::1")))
    assert found["mlflow"].address == found["worker"].variables["MLFLOW_TRACKING_URI"] == "http://[::1]:5000"


def test_no_password_stands_in_the_list_of_processes(tmp_path: Path) -> None:
    found = parts(Settings(home=tmp_path, tracking=TrackingSettings(uri=POSTGRESQL)))
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == POSTGRESQL
    assert not any("hidden-word" in word for part in found.values() for word in part.command)
    assert not any("hidden-word" in value for value in found["worker"].variables.values())


def test_servers_elsewhere_are_used_and_not_started(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tracking=TrackingSettings(uri="https://mlflow.example"))
    found = parts(settings, "https://prefect.example/api")
    assert tuple(found) == ("worker",)
    assert found["worker"].variables["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert found["worker"].variables["PREFECT_API_URL"] == "https://prefect.example/api"


def test_the_addresses_of_the_servers_that_are_started_here_are_not_elsewhere(tmp_path: Path) -> None:
    """Whoever works beside the stack has them in the environment."""
    settings = Settings(
        home=tmp_path, server=ServerSettings(port=5001), tracking=TrackingSettings(uri="http://127.0.0.1:5001/")
    )
    found = parts(settings, API)
    assert tuple(found) == ("mlflow", "prefect", "worker")
    assert found["mlflow"].variables["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
