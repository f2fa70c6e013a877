"""Where fetched prices, and what people have accepted, are kept: the state directory, another folder, or an S3 store.

Several state directories with the same place see the same snapshots. Every file is written whole, and is never changed:
in a folder by renaming, in S3 by one request.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from tasks.prices.store.s3 import S3, S3Place
from tasks.settings import Settings
from tasks.system.durable_file import make_folder_durably, remove_unfinished, write_durably

Place: TypeAlias = Path | S3Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A file's size in bytes, and when it was written."""

    bytes: int
    written: datetime


def store_place(settings: Settings, name: str) -> Place:
    """A folder or file in the place for prices."""
    place = settings.price_store
    return S3Place.at(place) / name if place.startswith(S3) else Path(place) / name


def make_folder(folder: Place, settings: Settings) -> None:
    """Make a folder, which S3 does not need: for its owner alone, or where several share it, as the umask says."""
    if isinstance(folder, Path):
        make_folder_durably(folder, 0o777 if settings.prices.store else 0o700)


def remove_left(folder: Place) -> None:
    """Remove what killed processes left unfinished, of which S3 keeps none; nobody else may be writing there."""
    if isinstance(folder, Path):
        remove_unfinished(folder)


def files_in(folder: Place, suffix: str) -> list[Place]:
    """The files of a folder with that suffix, in no order; none where there is no folder."""
    if isinstance(folder, Path):
        return list(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    return [folder / name for name, is_folder in folder.entries() if name.endswith(suffix) and not is_folder]


def folders_in(folder: Place) -> list[str]:
    """The names of the folders in a folder, in no order; none where it is not there."""
    if isinstance(folder, Path):
        return [place.name for place in folder.iterdir() if place.is_dir()] if folder.is_dir() else []
    return [name for name, is_folder in folder.entries() if is_folder]


def size_of(file: Place) -> Size | None:
    """The size and age of a file; None where somebody else has removed it."""
    try:
        if isinstance(file, S3Place):
            length, written = file.size()
            return Size(bytes=length, written=written)
        found = file.stat()
    except FileNotFoundError:
        return None
    return Size(bytes=found.st_size, written=datetime.fromtimestamp(found.st_mtime, UTC))


def write_whole(file: Place, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file of its own, which becomes `file` when it is whole and safely stored."""
    if isinstance(file, Path):
        write_durably(file, write)
        return
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        write(made)
        content = made.read_bytes()
    file.write_bytes(content)


def remove(file: Place) -> None:
    """Remove a file, if it is there."""
    if isinstance(file, S3Place):
        file.remove()
    else:
        file.unlink(missing_ok=True)
