"""The state directory, which is its owner's alone, and a temporary folder in it for each process that is started.

A temporary folder that every user of the machine shares is no place for what is run: a name there belongs to whoever
came first.
"""

import atexit
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import unquote, urlsplit

from model.errors import ConfigurationError
from tasks.settings import Address, Settings
from tasks.system.disk_errors import folder_fault

OTHERS = 0o077
TMP, OURS = "TMPDIR", "TOMORROW_TMP"
# The address of a UNIX socket has room for 107 bytes, of which Python's own in such a folder take up to 40.
LONGEST = 107 - 40
# On a disk with less, temporary files would only take what is left for what has to be kept.
ROOM_BYTES = 100_000_000

_folder: Path | None = None


def state_directory(settings: Settings) -> Path:
    """The state directory, made for its owner alone where there is none."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise folder_fault(f"state directory {settings.home}", error) from None
    return settings.home


def keep_private(settings: Settings) -> None:
    """Have this process, and all that it starts, write for its owner alone, and into a temporary folder of its own.

    Where a store lies outside the state directory, at a place that the user has chosen, the user's own umask holds:
    what is in the state directory is closed to others by the directory itself.
    """
    home = state_directory(settings)
    if not any(_is_outside(store, home) for store in _files(settings)):
        os.umask(OTHERS)
    about = home.stat()
    if about.st_mode & OTHERS:
        sys.stderr.write(
            f"tomorrow: the state directory {home} is open to other users (mode {about.st_mode & 0o777:o}); "
            f"to close it: chmod -R go= {home}\n"
        )
    temporary_folder(settings)


def temporary_folder(settings: Settings) -> Path:
    """The temporary folder of this process, made at first and removed when it ends; what it starts uses it, too.

    It lies in the state directory. Where that is full, cannot be written or has too long a name, and where the user
    has chosen a place for temporary files, it is a folder of this user's alone there.
    """
    global _folder
    if _folder is not None and _folder.is_dir():
        return _folder
    given = os.environ.get(TMP)
    if given and given == os.environ.get(OURS) and os.path.isdir(given):
        return Path(given)
    chosen = given if given != os.environ.get(OURS) else None
    if not chosen:
        os.environ.pop(TMP, None)
        tempfile.tempdir = None
    _folder = (None if chosen else _in_state_directory(settings)) or _elsewhere(chosen)
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    os.environ |= folder_variables(_folder)
    tempfile.tempdir = None  # which Python has looked up, perhaps, and would go on to use
    return _folder


def folder_variables(folder: Path) -> dict[str, str]:
    """The environment of a process with this temporary folder."""
    return {TMP: str(folder), OURS: str(folder)}


def _in_state_directory(settings: Settings) -> Path | None:
    place = settings.home / "tmp"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        _remove_left(place)
        if shutil.disk_usage(place).free < ROOM_BYTES or len(os.fsencode(place)) + 5 > LONGEST:
            return None
        while True:
            folder = place / token_hex(2)
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            # Held for as long as this process lives. Another one may have taken the folder for one that was left.
            if _hold(folder) is not None and folder.is_dir():
                return folder
    except OSError:
        return None


def _elsewhere(place: str | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="tomorrow-", dir=place))
    except OSError as error:
        where = place or "the system's temporary folder"
        raise folder_fault(where, error, "make room there, or set TMPDIR to another folder") from None


def _remove_left(place: Path) -> None:
    """Remove the folders of processes that were killed: nobody holds them any more."""
    for folder in place.iterdir():
        handle = _hold(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def _hold(folder: Path) -> int | None:
    """Hold a folder until this process ends, or the handle is closed; None where another process holds it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _files(settings: Settings) -> Iterator[Path]:
    """The files and folders of the stores, where they are files."""
    for database in (settings.tracking_uri.file, settings.ledger_uri.file):
        if database is not None:
            yield database
    place = urlsplit(settings.artifact_place)
    if place.scheme == "file":
        yield Path(unquote(place.path))


def _is_outside(file: Path, home: Path) -> bool:
    return not file.resolve().is_relative_to(home.resolve())


def place_tags(settings: Settings, tracking: Iterable[Address], prefect: str) -> set[str]:
    """The tags by which a deployment says where its runs work, without any password.

    tracking: the addresses of one MLflow, its server's and those of its database
    prefect:  the address of the server that the deployment is on
    """
    return {
        f"state:{settings.home}",
        *(f"mlflow:{_shown(address)}" for address in tracking),
        f"ledger:{_shown(settings.ledger_uri)}",
        f"prefect:{_shown(Address(prefect))}",
    }


def check_places(tags: Iterable[str], settings: Settings) -> None:
    """ConfigurationError where a run is for other places than those that this process works on."""
    given = tuple(tags)
    for kind, name, ours, variable in (
        ("state", "state directory", str(settings.home), "TOMORROW_HOME"),
        ("mlflow", "MLflow at", _shown(settings.tracking_uri), "MLFLOW_TRACKING_URI"),
        ("ledger", "ledger", _shown(settings.ledger_uri), "TOMORROW_LEDGER_URI"),
    ):
        meant = [tag.removeprefix(f"{kind}:") for tag in given if tag.startswith(f"{kind}:")]
        if meant and ours not in meant:
            raise ConfigurationError(
                f"{name} {ours}",
                have=f"a run whose deployment is for {' or '.join(meant)}",
                need="one state directory, one MLflow and one ledger for all workers of a pool",
                remedy=f"start the worker with {variable}={meant[0]}, or end it",
            )


def _shown(address: Address) -> str:
    """An address as it is compared: without user and password, and a file or this machine in one spelling."""
    if address.file is not None:
        return f"sqlite:///{address.file}"
    return str(Address(address.bare)).rstrip("/").replace("//localhost:", "//127.0.0.1:", 1)
