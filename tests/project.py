"""Where the project lies, and how tests start its programs."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def program(
    command: Sequence[str], environment: Mapping[str, str], shown: BinaryIO, folder: Path | None = None
) -> "Iterator[subprocess.Popen[bytes]]":
    """A program with a session of its own, as in a terminal of its own; whatever is left of it is killed at the end."""
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=shown, stderr=shown, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
