"""The state directory, which only its owner may enter, and a temporary folder in it for each process that is started.

The machine's shared temporary folder is unsafe for files that are run: another user may take their names first.
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
# The address of a UNIX socket has room for 107 bytes; the names that Python makes in such a folder take up to 40.
LONGEST = 107 - 40
# With less than this free, temporary files go to another disk, to leave the rest for files that have to be kept.
ROOM_BYTES = 100_000_000

_folder: Path | None = None


def state_directory(settings: Settings) -> Path:
    """The state directory; made for its owner alone where there is none. ConfigurationError where that fails."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise folder_fault(f"state directory {settings.home}", error) from None
    return settings.home


def keep_private(settings: Settings) -> None:
    """Let this process, and those it starts, write files for their owner alone, and use an own temporary folder.

    Where the user has placed a store outside the state directory, the user's own umask holds; files in the state
    directory are still protected by the directory's mode.
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
    """The temporary folder of this process and of those it starts; made by the first call, removed when it ends.

    It lies in the state directory; else, if that is full, cannot be written or has too long a path, or if the user has
    set TMPDIR, it is a folder for this user alone in TMPDIR or the system's temporary folder.
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
    tempfile.tempdir = None  # Python may have looked it up already, and would keep using it
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
            # Held while this process lives. Before it was held, another process may have removed it as left behind.
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
    """Lock a folder until this process ends or the handle is closed; None where another process has locked it."""
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
    """The files and folders of the stores; none for a store on a server."""
    for database in (settings.tracking_uri.file, settings.ledger_uri.file):
        if database is not None:
            yield database
    place = urlsplit(settings.artifact_place)
    if place.scheme == "file":
        yield Path(unquote(place.path))
    if settings.price_store.startswith("/"):
        yield Path(settings.price_store)


def _is_outside(file: Path, home: Path) -> bool:
    return not file.resolve().is_relative_to(home.resolve())


def place_tags(settings: Settings, tracking: Iterable[Address], prefect: str) -> set[str]:
    """The tags by which a deployment says which stores its runs use, without any password.

    tracking: the addresses of one MLflow: of its server and of its database
    prefect:  the address of the server that the deployment is on
    """
    return {
        f"state:{settings.home}",
        *(f"mlflow:{_shown(address)}" for address in tracking),
        f"ledger:{_shown(settings.ledger_uri)}",
        f"prices:{settings.price_store}",
        f"prefect:{_shown(Address(prefect))}",
    }


def check_places(tags: Iterable[str], settings: Settings) -> None:
    """ConfigurationError where a run's tags name other stores than those that this process uses."""
    given = tuple(tags)
    for kind, name, ours, variable in (
        ("state", "state directory", str(settings.home), "TOMORROW_HOME"),
        ("mlflow", "MLflow at", _shown(settings.tracking_uri), "MLFLOW_TRACKING_URI"),
        ("ledger", "ledger", _shown(settings.ledger_uri), "TOMORROW_LEDGER_URI"),
        ("prices", "prices in", settings.price_store, "TOMORROW_PRICES__STORE"),
    ):
        meant = [tag.removeprefix(f"{kind}:") for tag in given if tag.startswith(f"{kind}:")]
        if meant and ours not in meant:
            raise ConfigurationError(
                f"{name} {ours}",
                have=f"a run whose deployment is for {' or '.join(meant)}",
                need="one state directory, one MLflow, one ledger and one place for prices, for all workers of a pool",
                remedy=f"start the worker with {variable}={meant[0]}, or end it",
            )


def _shown(address: Address) -> str:
    """An address in the form to compare: without user and password; one spelling for a file and for this machine."""
    if address.file is not None:
        return f"sqlite:///{address.file}"
    return str(Address(address.bare)).rstrip("/").replace("//localhost:", "//127.0.0.1:", 1)
