"""Locks that hold between processes: on one state directory, or among all who share a database on PostgreSQL.

What is in one state directory alone is guarded by a file in it. What several may share, the stages and all that is
read and then written in the ledger and in MLflow, is guarded in the ledger's database where that is PostgreSQL; where
it is an SQLite file, nobody shares it who does not share the state directory.
"""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from model.errors import ConfigurationError
from tasks.settings import Address, Settings
from tasks.system import durations
from tasks.system.durable_file import write_durably
from tasks.system.locks.in_database import DatabaseLock, this_process
from tasks.system.locks.in_directory import DirectoryLock, locks_folder


class Lock(Protocol):
    """A lock that belongs to the thread that took it, which may take it again; it goes when its process ends."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    def acquire(self, seconds: float) -> bool:
        """Take it; False if another holder kept it for so long."""

    def release(self) -> None:
        """Give it back."""

    def sign(self, mine: str) -> None:
        """Let others see who holds it."""

    def holder(self) -> str:
        """Who holds it."""


@contextmanager
def locked(
    settings: Settings, name: str, patience: float = durations.LOCK, *, among: Address | None = None
) -> Iterator[None]:
    """Hold the lock of that name; the holder may take it again.

    It belongs to the thread that took it, and is released when its process ends.

    patience: how many seconds to wait for another holder
    among:    the database whose users are kept apart, wherever they are, if it is on PostgreSQL; else, and without one,
              all processes on this state directory are
    """
    lock = _lock(settings, name, among)
    if not lock.acquire(patience):
        raise _taken(lock, name, patience, lock.holder() if isinstance(lock, DatabaseLock) else "another process")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def queued(
    settings: Settings, name: str, since: datetime, say: Callable[[str], object], *, among: Address | None = None
) -> Iterator[None]:
    """Hold the lock of that name, after waiting for the present holder, whom `say` is called with.

    since: the time now, which is written down for those who wait
    among: as for `locked`
    """
    lock = _lock(settings, name, among)
    if not lock.acquire(0):
        say(f"waiting for {lock.holder()}, which holds the lock {name!r}")
        if not lock.acquire(durations.QUEUE_OF_TRAININGS):
            raise _taken(lock, name, durations.QUEUE_OF_TRAININGS, lock.holder())
    try:
        lock.sign(f"{this_process()}, since {since:%Y-%m-%d %H:%M} UTC")
        yield
    finally:
        lock.release()


def state_id(settings: Settings) -> str:
    """A name for this state directory that stays the same wherever it is moved to or used from."""
    file = locks_folder(settings) / "id"
    if not file.exists():
        with locked(settings, "id"):
            if not file.exists():
                write_durably(file, lambda unfinished: unfinished.write_text(uuid4().hex, encoding="utf-8"))
    return file.read_text(encoding="utf-8")


def _lock(settings: Settings, name: str, among: Address | None) -> Lock:
    if among is not None and among.is_postgresql:
        return DatabaseLock(among, name)
    return DirectoryLock(settings, name)


def _taken(lock: Lock, name: str, seconds: float, holder: str) -> ConfigurationError:
    return ConfigurationError(
        f"lock {name!r} in {lock.place}",
        have=f"{holder} has held it for {seconds // 60:g} minutes" if seconds else f"{holder} holds it",
        need="one change at a time",
        remedy="wait for the process that holds it, or end it",
    )


def user_name() -> str:
    """Who runs this, for the record of a decision; a user without a name, as in a container, by number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "an unknown user"
