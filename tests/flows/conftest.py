"""The command line in this process, against a real Prefect server and a state directory of the test's own."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.cli.main import main
from tasks.settings import read_settings
from tasks.tracking.client import open_tracking
from tests.conftest import made_once, process_as_it_was
from tests.market import write_csv, zigzag

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A network that is fitted in a moment; what is tested here does not depend on its size.
SMALL = ("--lookback", "5", "--set", "network.units=[4]", "--epochs", "2")
# A year and a half of the sample market: too few sessions for a proof.
MARKET = ("--source", "sample", "--as-of", "2013-06-28")
# Where MLflow's database has absolute places.
PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
# One that learns what `alternating` prices do.
LEARNS = (
    *("--lookback", "2", "--epochs", "40", "--batch-size", "16"),
    *("--set", "network.units=[8]", "--set", "network.dropout=0", "--set", "training.learning_rate=0.02"),
)
# Proofs of forty sessions and more, with one fit: the usual ones need 500 sessions, and more before them.
SMALL_PROOF = {
    "TOMORROW_PROOF__SESSIONS": "40",
    "TOMORROW_PROOF__HISTORY": "100",
    "TOMORROW_PROOF__REFIT_EVERY": "100",
    "TOMORROW_GATE__MIN_SESSIONS": "30",
    "TOMORROW_GATE__RECENT_SESSIONS": "30",
    "TOMORROW_GATE__COMMON_SESSIONS": "30",
    "TOMORROW_GATE__MAX_OWN_RATIO": "10",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which with --json is one object and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own, for all tests of flows."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # as in all that we start
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def home(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with empty databases of MLflow and Prefect, which commands use."""
    folder = Path(shutil.copytree(empty_home, tmp_path / "var"))
    monkeypatch.setenv("TOMORROW_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def trained_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Path:
    """A state directory in which SMALL was trained on MARKET; a copy of it costs a hundredth of a training."""

    def train(folder: Path) -> None:
        shutil.copytree(empty_home, folder, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch, process_as_it_was():
            patch.setenv("TOMORROW_HOME", str(folder))
            assert main(("train", *MARKET, *SMALL)) == 0

    return made_once(tmp_path_factory, "trained-once", train)


@pytest.fixture
def trained(home: Path, trained_once: Path) -> None:
    """Version 1 of the sample market waits in Staging: SMALL, trained on MARKET, as if it had been done here."""
    copy_home(trained_once, home)


def made_home(factory: pytest.TempPathFactory, name: str, before: Path, *commands: tuple[str, ...]) -> Path:
    """A state directory in which these commands were carried out after what was done in the one before, for all."""

    def make(folder: Path) -> None:
        copy_home(before, folder)
        with pytest.MonkeyPatch.context() as patch, process_as_it_was():
            patch.setenv("TOMORROW_HOME", str(folder))
            for command in commands:
                assert main(command) == 0

    return made_once(factory, name, make)


@pytest.fixture(scope="session")
def promoted_once(tmp_path_factory: pytest.TempPathFactory, trained_once: Path) -> Path:
    """A state directory in which the version of `trained_once` was put into Production by force."""
    return made_home(
        tmp_path_factory,
        "promoted-once",
        trained_once,
        ("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test"),
    )


@pytest.fixture
def in_production(home: Path, promoted_once: Path) -> None:
    """Version 1 of the sample market is in Production: SMALL, trained on MARKET, as if it had been done here."""
    copy_home(promoted_once, home)


@pytest.fixture(scope="session")
def daily_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Path:
    """A state directory in which the preset `daily` was trained on a Thursday and put into Production by force."""
    return made_home(
        tmp_path_factory,
        "daily-once",
        empty_home,
        ("train", "--source", "sample", "--as-of", "2013-06-27", "--preset", "daily", *SMALL),
        ("promote", "SAMPLE-Open", "1", "--force", "--reason", "to start from"),
    )


@pytest.fixture
def daily_in_production(home: Path, daily_once: Path) -> None:
    """Version 1 of the sample market is in Production: `daily` of 2013-06-27, as if it had been done here."""
    copy_home(daily_once, home)


def copy_home(home: Path, into: Path) -> None:
    """Copy a state directory into another, as if all had been done there."""
    shutil.copytree(home, into, dirs_exist_ok=True)
    with sqlite3.connect(into / "mlflow.db") as database:
        for table, column in PLACES.items():
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608 - names of MLflow's
            database.execute(moved, (str(home), str(into)))


@pytest.fixture
def run(home: Path, prefect_server: None, capfd: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - both are needed
    """Run one command in this process."""

    def command(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.fixture
def small_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate asks for small proofs."""
    for name, value in SMALL_PROOF.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def alternating(tmp_path: Path) -> tuple[str, ...]:
    """Options for prices that a network can learn and no naive forecast can; they end on 2019-10-16."""
    return ("--source", "csv", "--prices", str(write_csv(zigzag(), tmp_path / "zigzag.csv")), "--ticker", "ZIG")


@pytest.fixture
def client(home: Path) -> "MlflowClient":
    """A client of the database that commands use."""
    return open_tracking(read_settings({"TOMORROW_HOME": str(home)})).client
