"""A state directory on a disk that is really full, or read-only: it is told, nothing is lost, and it goes on."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows.conftest import MARKET, SMALL, Made, Run, copy_home

INODES = 2000
TRAIN = ("train", *MARKET, *SMALL)
PROVEN = ("train", "--source", "sample", "--as-of", "2020-01-31", *SMALL)  # with a proof, for which there are sessions
PREDICT = ("predict", *MARKET)
FORCE = ("promote", "SAMPLE-Open", "1", "--to", "production", "--force", "--reason", "the first")


@dataclass(frozen=True, slots=True)
class Disk:
    """A small disk with the state directory on it."""

    home: Path

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free."""
        with (self.home / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                file.truncate(file.tell() - left)

    def empty(self) -> None:
        """Make room again."""
        (self.home / "filler").unlink()

    def take_inodes(self) -> None:
        """Make empty files until there is no further one to be had."""
        folder = self.home / "small"
        folder.mkdir()
        with suppress(OSError):
            for number in range(INODES + 1):
                (folder / str(number)).touch()

    def give_inodes(self) -> None:
        """Remove them."""
        shutil.rmtree(self.home / "small")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Show it read-only meanwhile; it cannot be made so itself while this process has files open there."""
        mount("--bind", str(self.home), str(self.home)).check_returncode()
        try:
            mount("-o", "remount,bind,ro", str(self.home)).check_returncode()
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(self.home)], check=True)

    def query(self, database: str, question: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.home / database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return connection.execute(question).fetchall()

    def statuses(self) -> list[str]:
        """How the trainings in MLflow stand; a proof has a run of its own."""
        proofs = "SELECT run_uuid FROM tags WHERE key = 'kind' AND value = 'proof'"
        trainings = f"SELECT status FROM runs WHERE run_uuid NOT IN ({proofs})"  # noqa: S608 - of this test's own words
        return sorted(str(status) for (status,) in self.query("mlflow.db", trainings))

    def stages(self) -> list[tuple[object, ...]]:
        return self.query("mlflow.db", "SELECT version, current_stage FROM model_versions ORDER BY version")


def mount(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["mount", *arguments], capture_output=True, check=False)


@pytest.fixture
def disk(home: Path, template_database: Path) -> Iterator[Disk]:
    if (
        shutil.which("mount") is None
        or mount("-t", "tmpfs", "-o", f"size=16m,nr_inodes={INODES}", "tmpfs", str(home)).returncode
    ):
        pytest.skip("nothing can be mounted here")
    shutil.copy(template_database, home / "mlflow.db")
    try:
        yield Disk(home)
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


@pytest.fixture
def trained_on_it(disk: Disk, trained_once: Made) -> None:
    """On the disk TRAIN was carried out, as if it had been done here."""
    copy_home(trained_once.home, disk.home)
    shutil.rmtree(disk.home / "prefect")


@pytest.mark.usefixtures("trained_on_it")
def test_a_disk_without_inodes_is_told_of_as_such_and_nothing_is_lost(run: Run, disk: Disk) -> None:
    def refused(command: tuple[str, ...]) -> None:
        disk.take_inodes()
        done = run(*command)
        disk.give_inodes()
        assert (done.code, done.out) == (2, ""), command
        assert "all its inodes are in use" in done.err, command
        assert "Traceback" not in done.err

    changes = disk.query("ledger.db", "SELECT * FROM stage_changes")
    refused(FORCE)
    assert disk.stages() == [(1, "Staging")]
    assert disk.query("ledger.db", "SELECT * FROM stage_changes") == changes
    assert run(*FORCE).code == 0
    refused(PREDICT)
    assert disk.query("ledger.db", "SELECT * FROM forecasts") == []
    refused((*TRAIN, "--again"))
    assert disk.stages() == [(1, "Production")]
    assert run(*PREDICT).code == 0


@pytest.mark.parametrize("left", [0, 64_000])
def test_a_training_that_finds_no_room_says_so_and_is_done_once_there_is(run: Run, disk: Disk, left: int) -> None:
    disk.fill(left)
    refused = run(*PROVEN)
    assert (refused.code, refused.out) == (2, "")
    assert "no room is left" in refused.err
    assert "MB free in" in refused.err
    assert "Traceback" not in refused.err
    assert disk.stages() == []
    disk.empty()
    done = run(*PROVEN, "--json")
    assert done.json["version"] == 1
    assert disk.stages() == [(1, "Staging")]
    assert "RUNNING" not in disk.statuses()
    assert disk.statuses().count("FINISHED") == 1


@pytest.mark.usefixtures("trained_on_it")
def test_moves_and_forecasts_that_find_no_room_change_nothing_until_there_is(run: Run, disk: Disk) -> None:
    changes = disk.query("ledger.db", "SELECT * FROM stage_changes")
    disk.fill()
    refused = run(*FORCE)
    assert refused.code == 2
    assert "no room is left" in refused.err
    assert disk.stages() == [(1, "Staging")]
    assert disk.query("ledger.db", "SELECT * FROM stage_changes") == changes
    disk.empty()
    assert run(*FORCE).code == 0
    disk.fill()
    assert run(*PREDICT).code == 2
    assert disk.query("ledger.db", "SELECT * FROM forecasts") == []
    assert run("history", "SAMPLE-Open").code == 0
    disk.empty()
    assert run(*PREDICT).code == 0
    assert len(disk.query("ledger.db", "SELECT * FROM forecasts")) == 1


@pytest.mark.usefixtures("trained_on_it")
def test_a_read_only_disk_is_told_and_left_as_it_is(run: Run, disk: Disk) -> None:
    with disk.read_only():
        for command in (FORCE, PREDICT, TRAIN):
            refused = run(*command)
            assert refused.code == 2
            assert "cannot be written" in refused.err
            assert "Traceback" not in refused.err
        assert run("status").code == 0
    assert disk.stages() == [(1, "Staging")]
    assert run(*FORCE).code == 0
    assert disk.stages() == [(1, "Production")]
