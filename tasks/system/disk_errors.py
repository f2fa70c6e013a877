"""Errors that are not faults of this program: a full or read-only disk, no memory, a server that does not answer.

Libraries report a full disk in many ways: as the system's error number, as SQLite's result code, or as the latter
inside an error of SQLAlchemy inside one of MLflow. Only this module translates them, so all get the same words.
Commands, task runs and worker processes pass it whatever stopped them; a store passes its own name, too.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import ConfigurationError, TomorrowError
from tasks.settings import read_settings

# SQLite's extended codes hold the primary one in their lowest byte.
PRIMARY = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why nothing can be written, what is needed, and what to do."""

    have: str
    need: str
    remedy: str


FULL = Obstacle(
    have="no room is left",
    need="room on the disk that it lies on",
    remedy="make room there, then run it again: nothing that was recorded is lost",
)
NO_FILES = Obstacle(
    have="no further file can be made: the disk has room, and all its inodes are in use",
    need="inodes on the disk that it lies on (df -i shows them)",
    remedy="remove files there, small or large, then run it again: nothing that was recorded is lost",
)
READ_ONLY = Obstacle(
    have="it cannot be written to",
    need="a disk and files that this user may write to",
    remedy="mount it for writing, or check who owns the files, then run it again: nothing that was recorded is lost",
)
REFUSALS = (401, 403)
# MLflow's names for such answers, and how many characters of the server's own text are shown.
DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
MOST_SAID = 300
ERRNO = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: READ_ONLY}
# Messages of the dynamic loader when it gets no memory.
NOT_LOADED = ("failed to map segment", "annot allocate memory", "cannot create shared object descriptor")
SQLITE = {sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: READ_ONLY}


def obstacle(error: BaseException) -> Obstacle | None:
    """Why the disk could not be written to; None where the error has another cause."""
    return next((found for cause in _causes(error) if (found := _of(cause))), None)


def denied(error: BaseException) -> ConfigurationError | None:
    """The error to show where the tracking server refuses a request because the user lacks a right; else None."""
    import requests

    for cause in _causes(error):
        answer = cause.response if isinstance(cause, requests.RequestException) else None
        # This package does not import MLflow: its errors are recognised by their code.
        if getattr(cause, "error_code", None) in DENIED or (answer is not None and answer.status_code in REFUSALS):
            said = next(iter(str(cause).splitlines()), type(cause).__name__)[:MOST_SAID]
            return ConfigurationError(
                f"tracking server {read_settings().tracking_uri}",
                have=f"it refuses the request: {said}",
                need="a user who may read and change its runs and registered models",
                remedy="ask its administrator for these rights, or name a user who has them "
                "(MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN)",
            )
    return None


def storage_fault(error: BaseException, subject: str | None = None) -> ConfigurationError | None:
    """The error to show in place of this one if memory, a disk or a server is the reason; else None.

    subject: what could not be written; by default what the error names
    """
    if isinstance(error, TomorrowError):
        return None
    for cause in _causes(error):
        if _is_out_of_memory(cause):
            return _no_memory(cause)
        if found := _of(cause):
            have = f"{found.have} ({room()})"
            return ConfigurationError(subject or _subject(cause), have=have, need=found.need, remedy=found.remedy)
    return denied(error) or _silent_server(error)


def fault_of_ours(error: BaseException) -> TomorrowError:
    """The error to show for one that nobody expected: it says where that was raised, and masks passwords."""
    where = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(where[-1].filename)}:{where[-1].lineno})" if where else ""
    return TomorrowError(
        "a fault of ours",
        have=f"{type(error).__name__}: {error}{place}",
        need="a run without it",
        remedy="run it again with TOMORROW_DEBUG=1 to see the whole trace, and report it with that",
    )


def folder_fault(
    subject: str, error: OSError, remedy: str = "set TOMORROW_HOME, or home in mlflow.yaml, to another"
) -> ConfigurationError:
    """The error to show where a file or folder, by default in the state directory, cannot be made, read or written."""
    return storage_fault(error, subject) or ConfigurationError(
        subject, have=error.strerror or str(error), need="a folder that can be created and written to", remedy=remedy
    )


def _is_out_of_memory(cause: BaseException) -> bool:
    """Whether memory or address space ran out: in Python, in a system call, or while a library was being loaded."""
    refused = isinstance(cause, OSError) and cause.errno == errno.ENOMEM
    loading = isinstance(cause, ImportError) and any(text in str(cause) for text in NOT_LOADED)
    return refused or loading or isinstance(cause, MemoryError)


def _no_memory(cause: BaseException) -> ConfigurationError:
    return ConfigurationError(
        "memory",
        have=f"this process could not get more of it ({type(cause).__name__}{f': {cause}' if str(cause) else ''})",
        need="enough memory and address space for the libraries and their computations",
        remedy="end other programs, or raise the limit (ulimit -v, or the container's); --jobs 1 needs the least",
    )


def _of(cause: BaseException) -> Obstacle | None:
    if isinstance(cause, OSError):
        found = ERRNO.get(cause.errno or 0)
    elif isinstance(cause, sqlite3.Error):
        code = (getattr(cause, "sqlite_errorcode", None) or 0) & PRIMARY
        # SQLite gives one code for two cases: it cannot make a journal, and a folder is missing.
        found = FULL if code == sqlite3.SQLITE_CANTOPEN and _without_inodes() else SQLITE.get(code)
    else:
        return None
    return NO_FILES if found is FULL and _without_inodes() else found


def _without_inodes() -> bool:
    """Whether a disk that we write to has no inodes left; see `inodes_are_gone`."""
    places = [place for place in (read_settings().home, Path(tempfile.gettempdir())) if place.exists()]
    return any(inodes_are_gone(place) for place in places)


def inodes_are_gone(place: Path) -> bool:
    """Whether the disk of this folder has no inodes left, so that no file can be made, however small.

    A file system that makes inodes as it needs them counts none in all, and never runs out of them.
    """
    if not hasattr(os, "statvfs"):
        return False
    disk = os.statvfs(place)
    return disk.f_files > 0 and disk.f_favail == 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, in the order in which Python itself would follow them."""
    at: BaseException | None = error
    seen: set[int] = set()
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _subject(cause: BaseException) -> str:
    if isinstance(cause, sqlite3.Error):
        # The ledger's and Prefect's databases are named where they are used.
        return f"tracking database {read_settings().tracking_uri}"
    file = getattr(cause, "filename2", None) or getattr(cause, "filename", None)
    return f"file {file}" if file else f"a file in {read_settings().home}, or a temporary one"


def room() -> str:
    """How much is free, in MB, on the disks of the state directory and of temporary files."""
    home, made = read_settings().home, Path(tempfile.gettempdir())
    # Each disk once: where both folders are on the same one, the state directory is named.
    disks = {place.stat().st_dev: place for place in (made, home) if place.exists()}
    free = [f"{shutil.disk_usage(place).free / 1e6:,.1f} MB free in {place}" for place in reversed(disks.values())]
    return ", ".join(free)


def _silent_server(error: BaseException) -> ConfigurationError | None:
    """The error to show where a server stopped answering after the command had begun; else None.

    Only MLflow's client uses `requests`, and it has retried by then; Prefect's client uses `httpx`.
    """
    import httpx
    import requests

    for cause in _causes(error):
        if isinstance(cause, requests.exceptions.RetryError):
            return _silent("tracking", "it answered each try with an error")
        if isinstance(cause, requests.RequestException):
            said = "no answer" if cause.response is None else f"it answers {cause.response.status_code}"
            return _silent("tracking", said)
        if isinstance(cause, httpx.HTTPStatusError):
            said = f"it answers {cause.response.status_code} {cause.response.reason_phrase}"
            if cause.response.status_code in REFUSALS:
                return _refused(said)
            if cause.response.is_server_error:
                return _silent("Prefect's", said)
        if isinstance(cause, httpx.TransportError):
            return _silent("Prefect's", f"no answer ({type(cause).__name__})")
    return None


def _refused(have: str) -> ConfigurationError:
    return ConfigurationError(
        f"Prefect's server {os.environ.get('PREFECT_API_URL', '')}".strip(),
        have=have,
        need="a server that accepts our requests",
        remedy="set PREFECT_API_AUTH_STRING (a user and password in PREFECT_API_URL do as well) or PREFECT_API_KEY to "
        "what it asks for, or unset PREFECT_API_URL to run without that server",
    )


def _silent(whose: str, have: str) -> ConfigurationError:
    settings = read_settings()
    address = str(settings.tracking_uri) if whose == "tracking" else os.environ.get("PREFECT_API_URL", "")
    return ConfigurationError(
        f"{whose} server {address}".strip(),
        have=f"{have} ({room()})",
        need="a server that is running and can write its database",
        remedy="see its log (those of `tomorrow up` are in logs of the state directory) and whether its disk is full, "
        "then run it again: nothing that was recorded is lost",
    )
