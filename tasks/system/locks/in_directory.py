"""A lock that holds between the processes on one state directory: a file in it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tasks.settings import Settings
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import write_durably
from tasks.system.locks.removed import wait_for_removed
from tasks.system.state_directory import state_directory

if TYPE_CHECKING:
    from filelock import BaseFileLock


class DirectoryLock:
    """The lock of a name in a state directory; it belongs to the thread that took it, which may take it again."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._lock: BaseFileLock | None = None

    @property
    def place(self) -> str:
        """Where it is."""
        return str(self._settings.home)

    def acquire(self, seconds: float) -> bool:
        """Take it; False if another holder kept it for so long."""
        from filelock import FileLock, Timeout

        try:
            # One object for each file in a process, so that a thread that holds the lock may take it again elsewhere.
            file = self._file("lock")
            lock = FileLock(file, is_singleton=True)
            had_it, deadline = lock.is_locked, time.monotonic() + seconds
            lock.acquire(timeout=seconds)
            if not had_it and not wait_for_removed(file, deadline - time.monotonic()):
                lock.release()
                return False
        except Timeout:
            return False
        except OSError as error:
            raise folder_fault(f"lock {self._name!r} in {self.place}", error) from None
        self._lock = lock
        return True

    def release(self) -> None:
        """Give it back."""
        if self._lock is not None:
            self._lock.release()

    def sign(self, mine: str) -> None:
        """Write down who holds it."""
        write_durably(self._file("holder"), lambda file: file.write_text(mine, encoding="utf-8"))

    def holder(self) -> str:
        """Who signed it last; a process that has just taken the lock may not have done so yet."""
        try:
            return self._file("holder").read_text(encoding="utf-8")
        except OSError:
            return "another process"

    def _file(self, kind: str) -> Path:
        return locks_folder(self._settings) / f"{quote(self._name, safe='')}.{kind}"


def locks_folder(settings: Settings) -> Path:
    """Where the locks of a state directory are, and what is made once under one of them."""
    folder = state_directory(settings) / "locks"
    folder.mkdir(exist_ok=True)
    return folder
