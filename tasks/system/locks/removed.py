"""Lock files that are removed while held: a new file of the same name must not admit a second holder.

A lock belongs to a file, not to its name. Linux lists who holds which file, removed ones too. On other systems, and
among machines that share a disk, this cannot be found out.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

LOCKS = Path("/proc/locks")
LOOK_AGAIN = 0.1


def wait_for_removed(file: Path, patience: float) -> bool:
    """Wait until nobody holds a removed file of the same name; False if that takes longer than `patience` seconds.

    To be called while holding the lock of `file`. A note beside the file saves the next look, so there is one per file.
    """
    note = file.with_name(f"{file.name}.seen")
    with suppress(OSError, ValueError):
        this = str(file.stat().st_ino)
        if note.read_text(encoding="ascii") == this:
            return True
    deadline = time.monotonic() + patience
    while _is_held(f"{os.path.realpath(file)} (deleted)"):
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_AGAIN)
    with suppress(OSError):  # without the note, the next holder looks again
        note.write_text(str(file.stat().st_ino), encoding="ascii")
    return True


def _is_held(name: str) -> bool:
    """Whether a process that holds any lock has a file open that /proc shows under this name."""
    try:
        lines = LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any(_has_open(pid, name) for pid in {line.split()[4] for line in lines if " FLOCK " in line})


def _has_open(pid: str, name: str) -> bool:
    handles = f"/proc/{pid}/fd"
    with suppress(OSError):  # the process has ended, or is another user's
        for handle in os.listdir(handles):
            with suppress(OSError):
                if os.readlink(f"{handles}/{handle}") == name:
                    return True
    return False
