"""The tracking store is opened, or made whole, or refused with what to do."""

import hashlib
import http.server
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.errors import ConfigurationError
from tasks.settings import Settings, TrackingSettings
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.database import NEWEST
from tasks.tracking.experiment import VIEW_TAG
from tests.postgres import database_on, postgres_server
from tests.project import ROOT
from tests.racers import racers

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from mlflow import MlflowClient


RACERS = 4
_barrier: "Barrier"


def with_uri(settings: Settings, uri: str) -> Settings:
    return Settings(home=settings.home, tracking=TrackingSettings(uri=uri))


def refusal(settings: Settings) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        open_tracking(settings, rides_out=0.1)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.slow
def test_a_new_database_is_made_with_everything_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path / "new" / "var")
    tracking = open_tracking(settings)
    client = tracking.client
    number = tracking.experiment_id()
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert client.get_experiment(number).artifact_location == (settings.home / "mlartifacts").as_uri()
    assert client.get_experiment("0").artifact_location == (settings.home / "mlartifacts" / "0").as_uri()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
    assert sorted(path.name for path in settings.home.iterdir()) == ["locks", "mlflow.db"]


def test_nothing_is_said_while_a_new_database_is_made(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from tasks.settings import Settings; "
        "from tasks.tracking.client import open_tracking; "
        f"print(open_tracking(Settings(home=Path({str(tmp_path / 'var')!r}))).experiment_id())"
    )
    made = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (made.stdout.strip(), made.stderr) == ("1", "")


def test_opening_again_leaves_the_database_as_it_is(settings: Settings) -> None:
    database = settings.home / "mlflow.db"
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    open_tracking(settings)
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before


@pytest.mark.slow
def test_what_a_killed_process_left_half_made_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    settings.home.mkdir()
    (settings.home / ".mlflow.db.making").write_bytes(b"half a database")
    (settings.home / "mlflow.db").touch()
    assert open_tracking(settings).client.search_experiments()[0].name == "Default"
    assert not (settings.home / ".mlflow.db.making").exists()


def _join(barrier: "Barrier") -> None:
    global _barrier
    _barrier = barrier


def _open_at_once(settings: Settings) -> str:
    _barrier.wait(120)
    return open_tracking(settings).experiment_id()


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.servers)])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Settings]]:
    """A file in one state directory, for all who open it, or a database that several state directories share."""
    if request.param == "SQLite":
        yield [Settings(home=tmp_path / "var")] * RACERS
        return
    with postgres_server() as server, database_on(server) as address:
        yield [with_uri(Settings(home=tmp_path / f"var{number}"), address) for number in range(RACERS)]


@pytest.mark.slow
def test_processes_that_open_a_new_place_at_once_share_one_experiment(new_place: list[Settings]) -> None:
    processes = racers()
    with ProcessPoolExecutor(RACERS, processes, initializer=_join, initargs=(processes.Barrier(RACERS),)) as pool:
        numbers = [future.result() for future in [pool.submit(_open_at_once, place) for place in new_place]]
    assert len(set(numbers)) == 1
    names = sorted(experiment.name for experiment in open_tracking(new_place[0]).client.search_experiments())
    assert names == ["Default", "tomorrow"]


def test_an_experiment_is_marked_as_one_for_training_models_unless_somebody_chose_otherwise(
    settings: Settings, client: "MlflowClient"
) -> None:
    kind, wanted = "mlflow.experimentKind", "custom_model_development"
    number = Tracking(client, settings).experiment_id()
    assert client.get_experiment(number).tags[kind] == wanted
    view = json.loads(client.get_experiment(number).tags[VIEW_TAG])
    assert view["selectedColumns"][0] == "metrics.`crps_skill`"
    # MLflow gives a width to the columns whose order is known, and 190 pixels to a name without one.
    assert view["columnWidths"][view["columnOrder"][0]] > 190
    client.set_experiment_tag(number, "mlflow.note.content", "A person's own.")
    assert Tracking(client, settings).experiment_id() == number
    assert client.get_experiment(number).tags["mlflow.note.content"] == "A person's own."
    other = settings.model_copy(update={"tracking": TrackingSettings(experiment="made by hand")})
    number = client.create_experiment("made by hand")
    for given, expected in ((None, wanted), ("genai_development", "genai_development")):
        if given is not None:
            client.set_experiment_tag(number, kind, given)
        assert Tracking(client, other).experiment_id() == number
        assert client.get_experiment(number).tags[kind] == expected


def test_an_experiment_that_was_deleted_is_not_written_to(tracking: Tracking) -> None:
    tracking.client.delete_experiment(tracking.experiment_id())
    with pytest.raises(ConfigurationError, match="deleted in MLflow"):
        tracking.experiment_id()


@pytest.mark.parametrize(
    "uri", ["file:///tmp/mlruns", "mlruns", "./mlruns", "", "databricks", "sqlite", "ftp://somewhere/x"]
)
def test_an_address_without_a_registry_is_refused(settings: Settings, uri: str) -> None:
    assert "sqlite:///FILE" in refusal(with_uri(settings, uri)).need


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(settings: Settings, uri: str) -> None:
    assert "in memory" in refusal(with_uri(settings, uri)).have


def test_a_folder_is_no_database(settings: Settings) -> None:
    (settings.home / "mlflow.db").unlink()
    (settings.home / "mlflow.db").mkdir()
    assert refusal(settings).have == "a folder"


def test_a_folder_that_is_not_there_is_named(settings: Settings) -> None:
    missing = settings.home / "elsewhere"
    assert str(missing) in refusal(with_uri(settings, f"sqlite:///{missing}/mlflow.db")).have


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make a file: /proc")
def test_a_place_that_cannot_be_written_to_is_refused(settings: Settings) -> None:
    assert "/proc/mlflow.db" in refusal(with_uri(settings, "sqlite:////proc/mlflow.db")).subject


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_a_database_that_cannot_be_written_to_is_refused(settings: Settings) -> None:
    (settings.home / "mlflow.db").chmod(0o400)
    assert refusal(settings).have == "it cannot be written to"


def test_a_file_that_is_no_database_is_refused_and_kept(settings: Settings) -> None:
    garbage = b"Date,Open,High,Low,Close\n" * 200
    (settings.home / "mlflow.db").write_bytes(garbage)
    assert "file is not a database" in refusal(settings).have
    assert (settings.home / "mlflow.db").read_bytes() == garbage


def test_another_programs_database_is_refused_and_kept(settings: Settings) -> None:
    other = settings.home / "ledger.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE forecasts (day TEXT)")
    before = other.read_bytes()
    assert refusal(with_uri(settings, f"sqlite:///{other}")).have == "a database of another program"
    assert other.read_bytes() == before


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    assert "TOMORROW_HOME" in refusal(Settings(home=tmp_path / "var" / "state")).remedy


def test_a_newer_database_asks_for_an_upgrade_of_ours(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'feedfacecafe'")
    error = refusal(settings)
    assert "newer MLflow (schema feedfacecafe" in error.have
    assert error.remedy.startswith("upgrade tomorrow")


@pytest.mark.slow
def test_an_older_database_is_refused_unchanged_and_the_command_named_repairs_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    database = settings.home / "mlflow.db"
    settings.home.mkdir()
    make_older(database)
    before = database.read_bytes()
    error = refusal(settings)
    assert "older MLflow" in error.have
    assert database.read_bytes() == before
    command = error.remedy.partition("run: ")[2].split()
    assert command == ["mlflow", "db", "upgrade", f"sqlite:///{database}"]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    assert open_tracking(settings).client.search_experiments()[0].name == "Default"


def test_the_schema_known_beforehand_is_that_of_the_mlflow_that_is_installed() -> None:
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    assert (mlflow.__version__, scripts.get_current_head()) == NEWEST


def make_older(database: Path) -> None:
    """A database as MLflow's release before the last change of its schema left it."""
    import mlflow
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    engine.dispose()
    folder = Path(mlflow.__file__).parent / "store" / "db_migrations"
    config = Config(folder / "alembic.ini")
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{database}")
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_revision("head")
    command.upgrade(config, str(newest.down_revision))


def test_a_server_that_is_away_is_told(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = refusal(with_uri(settings, f"http://somebody:secret@127.0.0.1:{port}"))
    assert error.subject == f"tracking server http://***@127.0.0.1:{port}"
    assert error.have == "no server answers there"


def test_a_server_that_is_not_mlflows_is_refused(settings: Settings) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            error = refusal(with_uri(settings, f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
    assert "it answers 501" in error.have


def test_a_server_that_is_busy_or_starts_again_is_waited_for(settings: Settings) -> None:
    answers = [503, 502, 501]

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0))
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(ConfigurationError, match="it answers 501"):
                open_tracking(with_uri(settings, f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
    assert answers == []


def test_a_database_server_that_is_away_is_told_without_its_password(settings: Settings) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    error = refusal(with_uri(settings, "postgresql+psycopg://somebody:secret@127.0.0.1:1/mlflow"))
    assert "cannot be opened" in error.have
    assert "secret" not in str(error.as_json())


@pytest.mark.slow
def test_usage_telemetry_is_off(settings: Settings) -> None:
    code = """
import sys
from pathlib import Path
from tasks.settings import Settings
from tasks.tracking.client import open_tracking
open_tracking(Settings(home=Path(sys.argv[1])))
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""
    # MLflow keeps quiet by itself where these show that it runs in a test.
    kept = {"PATH", "HOME", "LANG"}
    environment = {name: value for name, value in os.environ.items() if name in kept}
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.home)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "None"


@pytest.mark.servers
def test_a_real_server_is_opened_and_decides_where_artifacts_go(mlflow_server: Settings) -> None:
    tracking = open_tracking(mlflow_server)
    client = tracking.client
    number = tracking.experiment_id()
    assert number == tracking.experiment_id()
    assert client.get_experiment(number).artifact_location == f"mlflow-artifacts:/{number}"
