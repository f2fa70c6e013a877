"""Writes files so that each is complete or absent, whenever the process or the machine stops."""

import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

UNFINISHED = ".part"


def write_durably(file: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new file beside `file`, and rename it to `file` once it is safely on the disk."""
    unfinished = file.with_name(f"{file.name}.{token_hex(4)}{UNFINISHED}")
    try:
        write(unfinished)
        _to_disk(unfinished)
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _to_disk(file.parent)


def make_folder_durably(folder: Path, mode: int = 0o700) -> None:
    """Make a folder and its parents, by default with access for their owner alone; they survive a power cut."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=mode, exist_ok=True)
        _to_disk(place.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of killed processes; call it only while no other process writes there."""
    for left in folder.glob(f"*{UNFINISHED}"):
        left.unlink(missing_ok=True)


def _to_disk(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
