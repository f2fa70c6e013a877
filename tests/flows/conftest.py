"""The command line in this process, against a real Prefect server and a state directory of the test's own."""

import contextlib
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
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
PROMOTE = ("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test")
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


@dataclass(frozen=True, slots=True)
class Made:
    """A state directory in which commands were carried out, to be copied, and what each answered with --json."""

    home: Path
    answers: tuple[Any, ...]


def made_home(
    factory: pytest.TempPathFactory,
    name: str,
    before: Path,
    *commands: tuple[str, ...],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Made:
    """Carry out commands after what was done in the home before, once for all tests; a copy costs a hundredth of it.

    variables: what their environment has beside
    """

    def make(folder: Path) -> None:
        copy_home(before, folder)
        answers = []
        with pytest.MonkeyPatch.context() as patch, process_as_it_was():
            for variable, text in {**variables, "TOMORROW_HOME": str(folder)}.items():
                patch.setenv(variable, text)
            for command in commands:
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    assert main((*command, "--json")) == 0
                answers.append(json.loads(said.getvalue()))
        _answers_beside(folder).write_text(json.dumps(answers), encoding="utf-8")

    home = made_once(factory, name, make)
    return Made(home, tuple(json.loads(_answers_beside(home).read_text(encoding="utf-8"))))


def _answers_beside(home: Path) -> Path:
    return home.with_name(f"{home.name}.json")


@pytest.fixture(scope="session")
def trained_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which SMALL was trained on MARKET."""
    return made_home(tmp_path_factory, "trained-once", empty_home, ("train", *MARKET, *SMALL))


@pytest.fixture
def trained(home: Path, trained_once: Made) -> Any:
    """Version 1 of the sample market waits in Staging: SMALL, trained on MARKET, as if it had been done here.

    Gives the training's answer.
    """
    copy_home(trained_once.home, home)
    return trained_once.answers[0]


@pytest.fixture(scope="session")
def promoted_once(tmp_path_factory: pytest.TempPathFactory, trained_once: Made) -> Made:
    """A state directory in which the version of `trained_once` was put into Production by force."""
    return made_home(tmp_path_factory, "promoted-once", trained_once.home, PROMOTE)


@pytest.fixture
def in_production(home: Path, promoted_once: Made) -> None:
    """Version 1 of the sample market is in Production: SMALL, trained on MARKET, as if it had been done here."""
    copy_home(promoted_once.home, home)


@pytest.fixture(scope="session")
def two_once(tmp_path_factory: pytest.TempPathFactory, trained_once: Made) -> Made:
    """A state directory of `trained_once` in which SMALL was trained a second time, with another seed."""
    return made_home(tmp_path_factory, "two-once", trained_once.home, ("train", *MARKET, *SMALL, "--seed", "1"))


@pytest.fixture(scope="session")
def two_and_one_promoted_once(tmp_path_factory: pytest.TempPathFactory, two_once: Made) -> Made:
    """A state directory of `two_once` in which version 1 was put into Production by force."""
    return made_home(tmp_path_factory, "two-and-one-promoted-once", two_once.home, PROMOTE)


@pytest.fixture
def in_production_with_a_second(home: Path, two_and_one_promoted_once: Made) -> None:
    """As with `in_production`; and version 2, which had another seed, waits in Staging."""
    copy_home(two_and_one_promoted_once.home, home)


@pytest.fixture(scope="session")
def daily_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which the preset `daily` was trained on a Thursday and put into Production by force."""
    return made_home(
        tmp_path_factory,
        "daily-once",
        empty_home,
        ("train", "--source", "sample", "--as-of", "2013-06-27", "--preset", "daily", *SMALL),
        ("promote", "SAMPLE-Open", "1", "--force", "--reason", "to start from"),
    )


@pytest.fixture
def daily_in_production(home: Path, daily_once: Made) -> Any:
    """Version 1 of the sample market is in Production: `daily` of 2013-06-27, as if it had been done here.

    Gives the training's answer.
    """
    copy_home(daily_once.home, home)
    return daily_once.answers[0]


def copy_home(home: Path, into: Path) -> None:
    """Copy a state directory into another, as if all had been done there.

    Its `tmp` is left out: it belongs to the process that did it, and is removed when that ends, perhaps just now.
    """

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name == "tmp" and Path(folder) == home]

    shutil.copytree(home, into, ignore=left_out, dirs_exist_ok=True)
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


def _write_alternating(folder: Path) -> None:
    write_csv(zigzag(), folder / "zigzag.csv")


@pytest.fixture(scope="session")
def alternating(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options for prices that a network can learn and no naive forecast can; they end on 2019-10-16."""
    folder = made_once(tmp_path_factory, "alternating", _write_alternating)
    return ("--source", "csv", "--prices", str(folder / "zigzag.csv"), "--ticker", "ZIG")


@pytest.fixture(scope="session")
def proven_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    alternating: tuple[str, ...],
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which LEARNS was trained on `alternating` prices until 2019-10-09, with a small proof."""
    train = ("train", *alternating, *LEARNS, "--as-of", "2019-10-09")
    return made_home(tmp_path_factory, "proven-once", empty_home, train, variables=SMALL_PROOF)


@pytest.fixture
def proven(home: Path, proven_once: Made, small_proof: None) -> Any:  # noqa: ARG001 - so the gate goes on as it did
    """ZIG-Open version 1, trained until 2019-10-09, has gone to Production through the gate. Gives the answer."""
    copy_home(proven_once.home, home)
    return proven_once.answers[0]


@pytest.fixture(scope="session")
def watched_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    alternating: tuple[str, ...],
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which LEARNS was trained on `alternating` prices while the gate only watched."""
    file = made_once(tmp_path_factory, "watching", _write_watching_gate) / "mlflow.yaml"
    variables = {**SMALL_PROOF, "TOMORROW_CONFIG": str(file)}
    return made_home(
        tmp_path_factory, "watched-once", empty_home, ("train", *alternating, *LEARNS), variables=variables
    )


def _write_watching_gate(folder: Path) -> None:
    """A configuration in which the gate judges and moves nothing."""
    (folder / "mlflow.yaml").write_text("gate: {mode: dry_run}\n")


@pytest.fixture
def watched(home: Path, watched_once: Made, small_proof: None) -> Any:  # noqa: ARG001 - so the gate goes on as it did
    """ZIG-Open version 1 has passed a gate that only watched, and waits in Staging. Gives the training's answer."""
    copy_home(watched_once.home, home)
    return watched_once.answers[0]


@pytest.fixture(scope="session")
def unskilled_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    alternating: tuple[str, ...],
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which SMALL was trained on `alternating` prices, which it does not learn."""
    return made_home(
        tmp_path_factory, "unskilled-once", empty_home, ("train", *alternating, *SMALL), variables=SMALL_PROOF
    )


@pytest.fixture
def unskilled(home: Path, unskilled_once: Made, small_proof: None) -> Any:  # noqa: ARG001 - so the gate goes on
    """ZIG-Open version 1, which has learnt nothing, waits in Staging. Gives the training's answer."""
    copy_home(unskilled_once.home, home)
    return unskilled_once.answers[0]


@pytest.fixture
def client(home: Path) -> "MlflowClient":
    """A client of the database that commands use."""
    return open_tracking(read_settings({"TOMORROW_HOME": str(home)})).client
