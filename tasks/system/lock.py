"""Locks that hold between processes: on one state directory, or among all who share a database on PostgreSQL.

A file in the state directory guards what is in that directory alone. Several state directories may share the stages,
the ledger and MLflow: these are guarded in the ledger's database, if that is PostgreSQL. An SQLite file is shared only
by processes that share the state directory.
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

    patience: how many seconds to wait for another holder; then ConfigurationError
    among:    the database whose users exclude each other, on whatever machine, if it is on PostgreSQL; otherwise the
              processes on this state directory do
    """
    lock = _lock(settings, name, among)
    if not lock.acquire(patience):
        # A file names the last holder that signed, which may be an earlier one: only `queued` signs.
        raise _taken(lock, name, patience, lock.holder() if isinstance(lock, DatabaseLock) else "another process")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def queued(
    settings: Settings, name: str, since: datetime, say: Callable[[str], object], *, among: Address | None = None
) -> Iterator[None]:
    """Hold the lock of that name, after waiting for the present holder; ConfigurationError after too long.

    since: the time now; those who wait are told it
    say:   called before waiting, with a sentence that names the holder
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
    """A name for this state directory that stays the same if the directory is moved or used from elsewhere."""
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
    """The user who runs this, for the record of a decision; by number where there is no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "an unknown user"
