"""The state directory is its owner's alone, and so are the temporary files of what works on it."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.settings import Address, Settings, TrackingSettings
from tasks.settings.schema import LedgerSettings, PriceSettings
from tasks.system.state_directory import check_places, place_tags
from tests.project import ROOT

# Makes a file in the state directory, says where its temporary folder is, and waits until it is told to end.
PROCESS = """
import subprocess, sys, tempfile
from pathlib import Path
from tasks.settings import read_settings
from tasks.system.state_directory import keep_private

settings = read_settings()
keep_private(settings)
(settings.home / "made").write_text("made")
print(tempfile.gettempdir(), flush=True)
child = "import tempfile; print(tempfile.gettempdir())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip(), flush=True)
sys.stdin.readline()
"""


@contextmanager
def process(home: Path, umask: int = 0o022, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    kept = {name: value for name, value in os.environ.items() if name not in ("TMPDIR", "TOMORROW_TMP")}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        cwd=ROOT,
        env={**kept, "TOMORROW_HOME": str(home), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    ) as running:
        yield running
        running.kill()


def folder_of(running: "subprocess.Popen[str]") -> Path:
    """Its temporary folder, which is that of what it starts as well."""
    assert running.stdout is not None
    own, of_child = (running.stdout.readline().strip() for _ in range(2))
    assert own == of_child
    return Path(own)


def end(running: "subprocess.Popen[str]") -> str:
    """Let it end by itself; what it said on standard error."""
    _, said = running.communicate("\n", timeout=60)
    assert running.returncode == 0, said
    return said


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s") / "var"  # a short name: see the test of long ones


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_what_is_written_is_the_owners_alone(umask: int, home: Path) -> None:
    with process(home, umask) as running:
        folder = folder_of(running)
        assert {mode(place) for place in (home, home / "tmp", folder)} == {0o700}
        assert mode(home / "made") == 0o600
        assert end(running) == ""


def test_a_state_directory_that_is_open_to_others_is_said_and_left_as_it_is(home: Path) -> None:
    home.mkdir()
    home.chmod(0o750)
    with process(home) as running:
        said = end(running)
    assert f"{home} is open to other users (mode 750); to close it: chmod -R go= {home}" in said
    assert mode(home) == 0o750


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOMORROW_LEDGER_URI", "sqlite:///{}/ledger.db"),
        ("TOMORROW_TRACKING__ARTIFACTS", "file://{}/artifacts"),
        ("TOMORROW_PRICES__STORE", "{}/prices"),
    ],
)
def test_where_a_store_is_kept_elsewhere_its_files_follow_the_users_umask(
    variable: str, value: str, home: Path, tmp_path: Path
) -> None:
    """Others may be meant to read it; what is in the state directory is behind the directory's own mode."""
    with process(home, 0o027, **{variable: value.format(tmp_path)}) as running:
        end(running)
    assert (mode(home), mode(home / "made")) == (0o700, 0o640)
    (home / "made").unlink()
    with process(home, 0o027, **{variable: value.format(home)}) as running:
        end(running)
    assert mode(home / "made") == 0o600


def test_a_temporary_folder_lies_in_the_state_directory_and_goes_with_its_process(home: Path) -> None:
    with process(home) as one, process(home) as other:
        folders = {folder_of(one), folder_of(other)}
        assert len(folders) == 2
        assert {folder.parent for folder in folders} == {home / "tmp"}
        end(one)
        end(other)
    assert not any((home / "tmp").iterdir())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not(home: Path) -> None:
    with process(home) as living, process(home) as killed:
        kept, left = folder_of(living), folder_of(killed)
        (left / "half").write_text("made")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.is_dir()
        with process(home) as another:
            mine = folder_of(another)
            assert set((home / "tmp").iterdir()) == {kept, mine}


def test_a_place_that_the_user_has_chosen_is_used_and_is_private_there(home: Path, tmp_path: Path) -> None:
    with process(home, 0, TMPDIR=str(tmp_path)) as running:
        folder = folder_of(running)
        assert folder.parent == tmp_path
        assert mode(folder) == 0o700
        end(running)
    assert not folder.exists()


def test_where_the_name_would_be_too_long_for_a_socket_the_folder_is_a_private_one_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / "var"
    with process(home) as running:
        folder = folder_of(running)
        assert not folder.is_relative_to(home)
        assert len(str(folder)) <= 67
        assert mode(folder) == 0o700
        end(running)
    assert not folder.exists()


SERVER = Address("http://127.0.0.1:5000")
PREFECT = "http://127.0.0.1:4200/api"


def settings(
    home: str = "/srv/a",
    mlflow: str = "sqlite:///mlflow.db",
    ledger: str = "sqlite:///ledger.db",
    prices: str | None = None,
) -> Settings:
    return Settings(
        home=Path(home),
        tracking=TrackingSettings(uri=Address(mlflow)),
        ledger=LedgerSettings(uri=Address(ledger)),
        prices=PriceSettings(store=prices),
    )


@pytest.mark.parametrize("mlflow", ["sqlite:///mlflow.db", "http://127.0.0.1:5000", "http://localhost:5000/"])
def test_a_worker_of_the_same_places_works_whether_it_asks_mlflows_server_or_its_database(mlflow: str) -> None:
    check_places(place_tags(settings(), (SERVER, settings().tracking_uri), PREFECT), settings(mlflow=mlflow))
    check_places(["tomorrow"], settings(mlflow=mlflow))


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        (settings("/srv/b"), "state directory /srv/b: a run whose deployment is for /srv/a"),
        (settings("/srv/b"), "TOMORROW_HOME=/srv/a, or end it"),
        (settings(mlflow="http://127.0.0.1:5001"), "MLFLOW_TRACKING_URI=http://127.0.0.1:5000, or end it"),
        (settings(mlflow="sqlite:////srv/b/mlflow.db"), "for http://127.0.0.1:5000 or sqlite:////srv/a/mlflow.db"),
        (settings(ledger="sqlite:////srv/b/ledger.db"), "TOMORROW_LEDGER_URI=sqlite:////srv/a/ledger.db"),
        (settings(prices="s3://bucket/prices"), "prices in s3://bucket/prices: a run whose deployment is for /srv/a"),
    ],
)
def test_a_worker_of_other_places_than_the_deployments_refuses(worker: Settings, message: str) -> None:
    tags = sorted(place_tags(settings(), (SERVER, settings().tracking_uri), PREFECT))
    with pytest.raises(ConfigurationError, match=message) as refused:
        check_places(tags, worker)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["me@home", "a b", "50%", "what?", "x#y"])
def test_an_odd_state_directory_is_told_from_another_one_like_it(name: str) -> None:
    ours, other = settings(f"/srv/{name}"), settings(f"/srv/other@{name}")
    tags = place_tags(ours, (SERVER, ours.tracking_uri), PREFECT)
    assert f"ledger:sqlite:////srv/{name}/ledger.db" in tags
    check_places(tags, ours)
    with pytest.raises(ConfigurationError):
        check_places({tag for tag in tags if not tag.startswith("state:")}, other)


def test_a_deployment_names_its_places_without_users_and_passwords() -> None:
    ours = settings(ledger="postgresql+psycopg://me:geheim@db/ledger?password=geheim2")
    tags = place_tags(ours, (Address("https://me:geheim@mlflow.example.org/"),), "http://me:geheim@prefect:4200/api")
    assert tags == {
        "state:/srv/a",
        "mlflow:https://mlflow.example.org",
        "ledger:postgresql+psycopg://db/ledger?password=***",
        "prices:/srv/a",
        "prefect:http://prefect:4200/api",
    }
    check_places(tags, settings(mlflow="https://mlflow.example.org", ledger=ours.ledger.uri.secret))
