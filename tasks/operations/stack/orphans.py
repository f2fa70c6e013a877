"""The processes of a stack: found by a mark in their environment, and ended.

A server's own workers, and the flow runs of a worker, have process groups and sessions of their own, and outlive the
process that started them. The mark is inherited by all of them.

Run as a program it is the stack's watchdog: it waits until the process that started it is gone, however that ended,
and then ends every process with the mark. It imports nothing but psutil, so that it stays small.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "TOMORROW_STACK"
PART = "TOMORROW_PART"
SECONDS_BETWEEN_LOOKS = 0.1
PATIENCE_SECONDS = 5.0


def mark_of(home: Path, token: str = "") -> str:
    """The mark of one stack on a state directory; without a token, what the marks of all of them begin with."""
    return f"{home}#{token}"


def marked(mark: str, part: str | None = None) -> tuple[int, ...]:
    """The processes whose mark begins with `mark`, of one part or of all."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # another user's, or gone
            variables = process.environ()
            if variables.get(MARK, "").startswith(mark) and part in (None, variables.get(PART)):
                found.append(process.pid)
    return tuple(found)


def end(find: Callable[[], Iterable[int]], patience: float = PATIENCE_SECONDS) -> int:
    """End every process that `find` finds, gently at first, until it finds none; how many there were."""
    asked: set[int] = set()
    deadline = time.monotonic() + patience
    while there := set(find()):
        is_late = time.monotonic() > deadline
        for process in there if is_late else there - asked:
            send(process, signal.SIGKILL if is_late else signal.SIGTERM)
        asked |= there
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return len(asked)


def send(process: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone by now."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def watch(mark: str) -> None:
    """Wait for the end of standard input, which comes when nobody holds its other end; then end what is marked."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    end(lambda: marked(mark))


if __name__ == "__main__":
    watch(sys.argv[1])
