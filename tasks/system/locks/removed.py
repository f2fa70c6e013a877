"""Lock files that somebody removes while they are held: the next one, made anew, does not admit a second holder.

A lock belongs to a file, not to its name. Linux says who holds which file, one that was removed too; on other systems,
and among machines that share a disk, nothing says it.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

LOCKS = Path("/proc/locks")
LOOK_AGAIN = 0.1


def wait_for_removed(file: Path, patience: float) -> bool:
    """With the lock of this file held: wait until nobody holds one of its name that was removed; False if in vain.

    Beside the file it is noted that it has no such predecessor, so that this is looked at once for each file.
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
    with suppress(OSError):  # it is looked at again
        note.write_text(str(file.stat().st_ino), encoding="ascii")
    return True


def _is_held(name: str) -> bool:
    """Whether a process that holds a lock has a file open that the system shows by this name."""
    try:
        lines = LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any(_has_open(pid, name) for pid in {line.split()[4] for line in lines if " FLOCK " in line})


def _has_open(pid: str, name: str) -> bool:
    handles = f"/proc/{pid}/fd"
    with suppress(OSError):  # it has ended, or is somebody else's
        for handle in os.listdir(handles):
            with suppress(OSError):
                if os.readlink(f"{handles}/{handle}") == name:
                    return True
    return False
