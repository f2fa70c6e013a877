"""The logs of a stack's parts: appended to by several processes, and never larger than twice a limit."""

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
    """Open a log at its end, with a line that says when the part was started; on a full disk without."""
    with log.open("ab", buffering=0) as out:
        with suppress(OSError):
            out.write(f"--- started {now:%Y-%m-%d %H:%M:%S} UTC\n".encode())
        yield out


def write_line(log: Path, now: datetime, text: str) -> None:
    """Add a line with its time."""
    with log.open("a", encoding="utf-8") as out:
        out.write(f"{now:%Y-%m-%d %H:%M:%S} UTC {text}\n")


def newest_lines(log: Path) -> list[str]:
    """The last lines of a log; none where there is none."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - SHOWN_BYTES))
        return file.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]
    return []


def cut_log(log: Path, largest: int = LARGEST) -> None:
    """Move a log that has grown too large aside, and continue with an empty one.

    Emptied and not renamed: those who write hold it open, and write at its end, wherever that is.
    """
    with suppress(OSError):
        if log.stat().st_size > largest:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate()
