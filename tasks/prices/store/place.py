"""Where fetched prices, and what people have accepted, are kept: the state directory, another folder, or an S3 store.

Several state directories with the same place see the same snapshots. Every file is written whole, and is never changed:
in a folder by renaming, in S3 by one request.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.durable_file import make_folder_durably, remove_unfinished, write_durably
from tasks.system.lock import locked

if TYPE_CHECKING:
    from upath import UPath

Place: TypeAlias = "Path | UPath"

S3 = "s3://"
OPTIONS: dict[str, Any] = {
    # What is listed has to be what is there: others write, too.
    "use_listings_cache": False,
    "config_kwargs": {
        "connect_timeout": durations.REACH,
        "read_timeout": durations.ANSWER_OF_STORE,
        "retries": {"total_max_attempts": 2},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A file's size in bytes, and when it was written."""

    bytes: int
    written: datetime


def store_place(settings: Settings, folder: str) -> Place:
    """A folder of the place for prices; ConfigurationError where what S3 needs is not installed."""
    place = settings.price_store
    if not place.startswith(S3):
        return Path(place) / folder
    try:
        import s3fs  # noqa: F401 - found by its protocol
        from upath import UPath
    except ImportError:
        raise ConfigurationError(
            f"prices.store at {place}",
            have="the packages for S3 are not installed",
            need="universal-pathlib and s3fs",
            remedy="install them: pip install -e '.[s3]'",
        ) from None
    bucket: UPath = UPath(place, **OPTIONS)
    return bucket / folder


@contextmanager
def changing(settings: Settings, ticker: str) -> Iterator[None]:
    """The block in which nobody else changes what is kept of a security's prices.

    Where state directories share the place, the lock is one of all who share the ledger, if that is on PostgreSQL.
    """
    with locked(settings, f"prices-{ticker}", among=settings.ledger_uri if settings.prices.store else None):
        yield


def make_folder(folder: Place) -> None:
    """Make a folder, which S3 does not need."""
    if isinstance(folder, Path):
        make_folder_durably(folder)


def remove_left(folder: Place) -> None:
    """Remove what killed processes left unfinished, of which S3 keeps none; nobody else may be writing there."""
    if isinstance(folder, Path):
        remove_unfinished(folder)


def files_in(folder: Place, suffix: str) -> list[Place]:
    """The files of a folder with that suffix, in no order; none where there is no folder."""
    if isinstance(folder, Path):
        return list(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    return [folder / name for name, is_folder in _objects(folder) if name.endswith(suffix) and not is_folder]


def folders_in(folder: Place) -> list[str]:
    """The names of the folders in a folder, in no order; none where it is not there."""
    if isinstance(folder, Path):
        return [place.name for place in folder.iterdir() if place.is_dir()] if folder.is_dir() else []
    return [name for name, is_folder in _objects(folder) if is_folder]


def content_of(file: Place) -> bytes:
    """The content of a file; OSError where it is not there or cannot be read."""
    with _answered(file):
        return file.read_bytes()


def is_there(file: Place) -> bool:
    """Whether there is such a file."""
    with _answered(file):
        return file.exists()


def size_of(file: Place) -> Size:
    """The size and age of a file."""
    with _answered(file):
        found = file.stat()
    return Size(bytes=found.st_size, written=datetime.fromtimestamp(found.st_mtime, UTC))


def write_whole(file: Place, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file of its own, which becomes `file` when it is whole and safely stored."""
    if isinstance(file, Path):
        write_durably(file, write)
        return
    with tempfile.TemporaryDirectory() as folder, _answered(file):
        made = Path(folder) / "made"
        write(made)
        file.fs.pipe_file(file.path, made.read_bytes())


def remove(file: Place) -> None:
    """Remove a file, if it is there."""
    with _answered(file):
        file.unlink(missing_ok=True)


def _objects(folder: "UPath") -> list[tuple[str, bool]]:
    """What a folder in S3 holds: names, and whether each is a folder itself."""
    with _answered(folder):
        try:
            found = folder.fs.ls(folder.path, detail=True)
        except FileNotFoundError:
            return []
    own = folder.path.rstrip("/")
    # A store may list the folder itself beside what it holds.
    inside = [one for one in found if one["name"].rstrip("/") != own]
    return [(one["name"].rstrip("/").rpartition("/")[2], one["type"] == "directory") for one in inside]


@contextmanager
def _answered(place: Place) -> Iterator[None]:
    """In the block, that S3 does not answer, or denies, is a ConfigurationError; that a file is not there is not."""
    if isinstance(place, Path):
        yield
        return
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BotoCoreError, OSError) as error:
        raise ConfigurationError(
            f"the store of prices, at {place}",
            have=f"it cannot be used: {error}",
            need="a store that answers, and credentials that it accepts",
            remedy="set AWS_ENDPOINT_URL_S3 for a store that is not Amazon's, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or what else boto3 reads; then run it again: nothing that was recorded is lost",
        ) from None
