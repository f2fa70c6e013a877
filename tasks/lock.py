"""The state directory, and locks in it that hold between processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from model.errors import ConfigurationError
from tasks.settings import Settings

if TYPE_CHECKING:
    from filelock import BaseFileLock

# A promotion scores two versions while it holds the lock, which takes a minute at most; several may queue.
PATIENCE_SECONDS = 600


def state_directory(settings: Settings) -> Path:
    """The state directory, made for its owner alone where there is none."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"state directory {settings.home}",
            have=error.strerror or str(error),
            need="a folder that can be made and written to",
            remedy="set TOMORROW_HOME, or home in mlflow.yaml, to another",
        ) from None
    return settings.home


@contextmanager
def locked(settings: Settings, name: str, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of that name among all processes on one state directory; the holder may take it again.

    It belongs to the thread that took it, and goes when its process goes.

    patience: the seconds that another holder is waited for
    """
    from filelock import Timeout

    seconds = PATIENCE_SECONDS if patience is None else patience
    try:
        lock = _lock(settings, name)
        lock.acquire(timeout=seconds)
    except Timeout:
        raise ConfigurationError(
            f"lock {name!r} in {settings.home}",
            have=f"another process has held it for {seconds // 60:g} minutes"
            if seconds
            else "another process holds it",
            need="one change at a time",
            remedy="wait for the process that holds it, or end it",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"lock {name!r} in {settings.home}",
            have=error.strerror or str(error),
            need="a state directory that can be written to",
            remedy="set TOMORROW_HOME, or home in mlflow.yaml, to another",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _lock(settings: Settings, name: str) -> "BaseFileLock":
    from filelock import FileLock

    folder = state_directory(settings) / "locks"
    folder.mkdir(exist_ok=True)
    # One object for each file in a process: only so may a thread that holds the lock take it again elsewhere.
    return FileLock(folder / f"{quote(name, safe='')}.lock", is_singleton=True)
