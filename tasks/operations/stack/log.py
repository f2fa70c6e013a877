"""The logs of a stack's parts: several processes append to them, and they are cut when they grow too large."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

LARGEST = 10 * 1024 * 1024
SHOWN_LINES = 8
SHOWN_BYTES = 8192


@contextmanager
def mark_start(log: Path, now: datetime) -> Iterator[BinaryIO]:
    """Open a log for appending, after a line that says when the part was started; without it on a full disk."""
    with log.open("ab", buffering=0) as out:
        with suppress(OSError):
            out.write(f"--- started {now:%Y-%m-%d %H:%M:%S} UTC\n".encode())
        yield out


def write_line(log: Path, now: datetime, text: str) -> None:
    """Add a line with its time."""
    with log.open("a", encoding="utf-8") as out:
        out.write(f"{now:%Y-%m-%d %H:%M:%S} UTC {text}\n")


def newest_lines(log: Path) -> list[str]:
    """The last lines of a log, at most SHOWN_LINES; none where there is no log."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - SHOWN_BYTES))
        return file.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]
    return []


def cut_log(log: Path, largest: int = LARGEST) -> None:
    """Copy a log of more than `largest` bytes to `LOG.1`, and empty it.

    It is not renamed, since its writers hold it open; they append, so they continue in the emptied file.
    """
    with suppress(OSError):
        if log.stat().st_size > largest:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate()
