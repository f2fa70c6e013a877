"""Locks between processes, in the state directory."""

import getpass
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import write_durably
from tasks.system.removed_locks import wait_for_removed
from tasks.system.state_directory import state_directory

if TYPE_CHECKING:
    from filelock import BaseFileLock


@contextmanager
def locked(settings: Settings, name: str, patience: float = durations.LOCK) -> Iterator[None]:
    """Hold the lock of that name among all processes on one state directory; the holder may take it again.

    It belongs to the thread that took it, and is released when its process ends.

    patience: how many seconds to wait for another holder; then ConfigurationError
    """
    lock = _acquire(settings, name, patience)
    if lock is None:
        raise _taken(settings, name, patience)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def queued(settings: Settings, name: str, since: datetime, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of that name, after waiting for the present holder; ConfigurationError after too long.

    since: the time now; those who wait are told it
    say:   called before waiting, with a sentence that names the holder
    """
    lock = _acquire(settings, name, 0)
    holder = _folder(settings) / f"{quote(name, safe='')}.holder"
    if lock is None:
        say(f"waiting for {_holder(holder)}, which holds the lock {name!r}")
        lock = _acquire(settings, name, durations.QUEUE_OF_TRAININGS)
    if lock is None:
        raise _taken(settings, name, durations.QUEUE_OF_TRAININGS)
    try:
        mine = f"process {os.getpid()} on {platform.node()}, since {since:%Y-%m-%d %H:%M} UTC"
        write_durably(holder, lambda file: file.write_text(mine, encoding="utf-8"))
        yield
    finally:
        lock.release()


def state_id(settings: Settings) -> str:
    """A name for this state directory that stays the same if the directory is moved or used from elsewhere."""
    file = _folder(settings) / "id"
    if not file.exists():
        with locked(settings, "id"):
            if not file.exists():
                write_durably(file, lambda unfinished: unfinished.write_text(uuid4().hex, encoding="utf-8"))
    return file.read_text(encoding="utf-8")


def _acquire(settings: Settings, name: str, seconds: float) -> "BaseFileLock | None":
    """The lock, held; None if another holder kept it for that many seconds."""
    from filelock import FileLock, Timeout

    try:
        # One object for each file in a process, so that a thread that holds the lock may take it again elsewhere.
        file = _folder(settings) / f"{quote(name, safe='')}.lock"
        lock = FileLock(file, is_singleton=True)
        had_it, deadline = lock.is_locked, time.monotonic() + seconds
        lock.acquire(timeout=seconds)
        if not had_it and not wait_for_removed(file, deadline - time.monotonic()):
            lock.release()
            return None
    except Timeout:
        return None
    except OSError as error:
        raise folder_fault(f"lock {name!r} in {settings.home}", error) from None
    return lock


def _folder(settings: Settings) -> Path:
    folder = state_directory(settings) / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def _holder(file: Path) -> str:
    """The holder that the file names; a process that has just taken the lock may not have written it yet."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return "another process"


def _taken(settings: Settings, name: str, seconds: float) -> ConfigurationError:
    return ConfigurationError(
        f"lock {name!r} in {settings.home}",
        have=f"another process has held it for {seconds // 60:g} minutes" if seconds else "another process holds it",
        need="one change at a time",
        remedy="wait for the process that holds it, or end it",
    )


def user_name() -> str:
    """The user who runs this, for the record of a decision; by number where there is no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "an unknown user"
