"""Finds the processes of a stack by a mark in their environment, and ends them.

The servers' own workers, and the worker's flow runs, have sessions of their own and outlive the process that started
them. All of them inherit the mark.

Run as a program, this is the stack's watchdog: it waits until the process that started it has ended or was killed, and
then ends every process with the mark. Besides the standard library it imports only psutil, to stay small.
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
    """The mark of one stack on a state directory; without a token, the beginning of the marks of all its stacks."""
    return f"{home}#{token}"


def marked(mark: str, part: str | None = None) -> tuple[int, ...]:
    """The ids of processes whose mark begins with `mark`, of one part or of all."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it is another user's, or has ended
            variables = process.environ()
            if variables.get(MARK, "").startswith(mark) and part in (None, variables.get(PART)):
                found.append(process.pid)
    return tuple(found)


def end(find: Callable[[], Iterable[int]], patience: float = PATIENCE_SECONDS) -> int:
    """End every process that `find` finds, until it finds none; returns how many there were.

    patience: seconds before SIGKILL follows SIGTERM
    """
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
    """Send a signal to a process, which may have ended already."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def watch(mark: str) -> None:
    """Wait until standard input closes, which is when the supervisor is gone; then end the marked processes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    end(lambda: marked(mark))


if __name__ == "__main__":
    watch(sys.argv[1])
