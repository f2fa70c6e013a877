"""The lock holds between processes, for the thread that took it, and goes when its holder does."""

import getpass
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.settings import Address, Settings
from tasks.system.lock import locked, user_name
from tasks.system.state_directory import state_directory
from tests.project import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from tasks.system.lock import locked
from tasks.settings import Settings
with locked(Settings(home=Path(sys.argv[1])), "META-Open"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def test_the_state_directory_is_its_owners_alone(settings: Settings) -> None:
    assert stat.S_IMODE(state_directory(settings).stat().st_mode) == 0o700


def test_the_holder_may_take_it_again(settings: Settings) -> None:
    with locked(settings, "META-Open"), locked(settings, "META-Open"):
        pass
    with locked(settings, "META-Open"):
        pass


def test_another_process_waits_until_the_holder_is_gone(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(settings.home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="another process has held it"), locked(settings, "META-Open", 0.1):
            pass
        with locked(settings, "META-Close"):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(settings, "META-Open", 60):
        pass


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who holds a file that was removed")
@pytest.mark.parametrize("remove", [lambda locks: (locks / "META-Open.lock").unlink(), shutil.rmtree])
def test_a_held_lock_whose_file_is_removed_admits_nobody_else(
    settings: Settings, remove: Callable[[Path], object]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(settings.home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        remove(settings.home / "locks")
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="another process"), locked(settings, "META-Open", 0.1):
                pass
        with locked(settings, "META-Close", 0):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(settings, "META-Open", 60), locked(settings, "META-Open", 0):
        pass


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who holds a file that was removed")
def test_whoever_removed_the_file_of_a_lock_that_it_holds_may_take_it_again_and_another_thread_may_not(
    settings: Settings,
) -> None:
    taken: list[str] = []

    def take() -> None:
        try:
            with locked(settings, "META-Open", 0):
                taken.append("taken")
        except ConfigurationError:
            taken.append("refused")

    with locked(settings, "META-Open"):
        (settings.home / "locks" / "META-Open.lock").unlink()
        with locked(settings, "META-Open", 0):
            pass
        for _ in range(2):
            thread = threading.Thread(target=take)
            thread.start()
            thread.join()
    take()
    assert taken == ["refused", "refused", "taken"]


def order_of_two_threads(settings: Settings, among: Address | None) -> list[str]:
    """How two threads of this process get the lock: the first holds it, and has taken it again and given that back."""
    order: list[str] = []

    def second() -> None:
        with locked(settings, "META-Open", among=among):
            order.append("second")

    with locked(settings, "META-Open", among=among):
        with locked(settings, "META-Open", 0, among=among):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.5)
        order.append("first")
    thread.join(60)
    return order


def test_the_holder_may_take_it_again_and_another_thread_waits(settings: Settings) -> None:
    assert order_of_two_threads(settings, None) == ["first", "second"]


def test_a_name_makes_a_file_in_the_folder_of_locks_only(settings: Settings) -> None:
    with locked(settings, "../../x/META Open"):
        pass
    made = {path.name.removesuffix(".seen") for path in (settings.home / "locks").iterdir()}
    assert made == {"..%2F..%2Fx%2FMETA%20Open.lock"}


def test_a_user_without_a_name_is_a_number_where_the_system_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert user_name() == f"user {os.getuid()}"
    monkeypatch.delattr(os, "getuid")
    assert user_name() == "an unknown user"
