"""What tests share: real prices, an empty tracking database, servers."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from tasks.settings import Settings, TrackingSettings
from tasks.tracking.client import Tracking, open_tracking
from tests.project import ROOT
from tests.s3 import S3Server, s3_server
from tests.servers import free_port, serving

if TYPE_CHECKING:
    from mlflow import MlflowClient

TESTS = ROOT / "tests"
# What starts a server, or a whole command with one: a test that uses it is slow.
SLOW_FIXTURES = {"prefect_server", "mlflow_server", "registry", "stack", "s3"}

# A busy machine makes no example wrong.
hypothesis_settings.register_profile("any machine", deadline=None)
hypothesis_settings.load_profile("any machine")

# Where the tests run as a background job, Ctrl-C is ignored from the start, in every process that they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what uses a server; all else that is slow says so itself. Files with slow tests come first."""
    for item in items:
        if item.get_closest_marker("servers") or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Tests of the whole product last longest, then those of its flows: none should begin when other workers are done.
    items.sort(
        key=lambda item: (item.path not in slow, item.path.parent != TESTS, TESTS / "flows" not in item.path.parents)
    )


@pytest.fixture(scope="session", autouse=True)
def _open_capture() -> None:
    """TensorFlow's log handler, once replaced, closes the stream it found: while pytest captures, pytest's own."""
    from absl import logging

    logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:
    """In a background job SIGINT is ignored, which every program that a test starts would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def process_as_it_was() -> Iterator[None]:
    """Afterwards this process has the temporary folder and the umask that it had, whatever a command gave it.

    The next test's files would lie in the folder of this one's, where another user, such as PostgreSQL's, cannot go.
    """
    mask = os.umask(0o022)
    os.umask(mask)
    names = ("TMPDIR", "TOMORROW_TMP")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        os.umask(mask)
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text
        tempfile.tempdir = None


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """A command that runs in the tests' own process changes nothing for the next test."""
    with process_as_it_was():
        yield


@pytest.fixture(scope="session")
def real_prices() -> Path:
    """The folder of real prices; the test is skipped where there is none."""
    beside = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("TOMORROW_TEST_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no real prices here: TOMORROW_TEST_DATA names no folder")
    return folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process of the tests which needs it has made; nobody else writes there."""
    here = factory.getbasetemp()
    everybodys = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    folder, made = everybodys / name, everybodys / f"{name}.made"
    with (everybodys / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir(mode=0o700)
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; a copy of it costs a hundredth of making one."""

    def make(folder: Path) -> None:
        open_tracking(Settings(home=folder))

    return made_once(tmp_path_factory, "template", make) / "mlflow.db"


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Path:
    """A state directory with empty databases of MLflow and Prefect, to be copied."""

    def make(folder: Path) -> None:
        shutil.copy(template_database, folder)
        prefect = folder / "prefect"
        prefect.mkdir(mode=0o700)
        upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
        subprocess.run(
            upgrade, env={**os.environ, "PREFECT_HOME": str(prefect)}, cwd=folder, stdout=subprocess.PIPE, check=True
        )

    return made_once(tmp_path_factory, "empty-home", make)


@pytest.fixture
def settings(tmp_path: Path, template_database: Path) -> Settings:
    """Settings with a state directory of the test's own."""
    home = tmp_path / "var"
    home.mkdir(mode=0o700)
    shutil.copy(template_database, home / "mlflow.db")
    return Settings(home=home)


@pytest.fixture
def tracking(settings: Settings) -> Tracking:
    """MLflow on the test's own database."""
    return open_tracking(settings)


@pytest.fixture
def client(tracking: Tracking) -> "MlflowClient":
    """A client of the test's own database."""
    return tracking.client


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Iterator[Settings]:
    """Settings that name a real MLflow server, on a port that was free."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(template_database, folder / "mlflow.db")
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    uri = f"http://127.0.0.1:{port}"
    with serving(command, f"{uri}/health", folder, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        yield Settings(home=folder / "var", tracking=TrackingSettings(uri=uri))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real store that speaks S3, for all tests; each uses a folder of its own in it."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
