"""One part of a stack as a process: starts it, checks it, restarts it after a pause when it dies, and ends it."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from model.errors import ConfigurationError
from tasks.operations.stack.log import mark_start, newest_lines
from tasks.operations.stack.orphans import MARK, PART, end, marked, send
from tasks.operations.stack.parts import Part
from tasks.operations.stack.ports import hang_up
from tasks.system import durations
from tasks.system.access.stack_state import Condition, PartState
from tasks.system.state_directory import folder_variables

# On a busy machine a server may be slow; after this many failed checks in a row it is taken to hang.
MOST_SILENCES = 6
MOST_DEATHS_AT_START = 3


def pause_before(start: int) -> float:
    """Seconds before the n-th restart in a row: 1, 2, 4 and so on, at most a minute."""
    return min(durations.LONGEST_PAUSE, 2.0 ** (start - 1))


class PartProcess:
    """A part that is kept running. It reads no clock: callers pass the time of day and the monotonic clock.

    mark:      the stack's mark, for its environment
    folder:    in which its temporary folder is made
    tell:      called with lines for people
    alarm:     called with part and message when it dies
    listening: the socket of its port, which it gets as standard input
    """

    def __init__(
        self,
        part: Part,
        mark: str,
        folder: Path,
        tell: Callable[[str], object],
        alarm: Callable[[str, str], object],
        listening: socket.socket | None = None,
    ) -> None:
        self.part = part
        self.restarts = 0
        self.condition: Condition = "starting"
        self._mark = mark
        self._folder = folder
        self._tell = tell
        self._alarm = alarm
        self._listening = listening
        self._process: subprocess.Popen[bytes] | None = None
        self._since = datetime.min.replace(tzinfo=UTC)
        self._started = 0.0
        self._next_check = 0.0
        self._next_start = 0.0
        self._deaths_in_a_row = 0
        self._silences = 0
        self._was_healthy = False

    @property
    def is_wanted(self) -> bool:
        """Whether it was ever started."""
        return self._started > 0

    def start(self, now: datetime, clock: float) -> None:
        """Start its process, with a temporary folder of its own."""
        self.part.log.parent.mkdir(parents=True, exist_ok=True)
        folder = self._folder / self.part.name
        folder.mkdir(mode=0o700, exist_ok=True)
        marks = {MARK: self._mark, PART: self.part.name}
        with mark_start(self.part.log, now) as log:
            self._process = subprocess.Popen(
                self.part.command,
                env={**os.environ, **folder_variables(folder), **self.part.variables, **marks},
                cwd=self.part.log.parent,
                stdin=subprocess.DEVNULL if self._listening is None else self._listening.fileno(),
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches only the supervisor, which ends the parts in their order.
                start_new_session=True,
            )
        self.condition = "starting"
        self._since, self._started, self._next_check = now, clock, clock
        self._silences = 0

    def look(self, now: datetime, clock: float) -> None:
        """Look at the process, and do what is due: note its death, restart it, or check its health."""
        if self._listening is not None and self.condition in ("starting", "waiting"):
            hang_up(self._listening)
        if self._process is None:
            if clock >= self._next_start:
                self.restarts += 1
                self._tell(f"{self.part.title} is started again")
                self.start(now, clock)
        elif self._process.poll() is not None:
            self._died(now, clock)
        elif clock >= self._next_check:
            self._check(clock)

    def check_start(self) -> None:
        """ConfigurationError if it has died MOST_DEATHS_AT_START times without ever being healthy."""
        if not self._was_healthy and self._deaths_in_a_row >= MOST_DEATHS_AT_START:
            raise ConfigurationError(
                f"{self.part.title} of the stack",
                have=f"it ended {self._deaths_in_a_row} times while it started; the newest lines of its log:\n    "
                + "\n    ".join(newest_lines(self.part.log)),
                need="a program that starts and keeps running",
                remedy=f"read its whole log: {self.part.log}",
            )

    def end(self) -> None:
        """End it and all processes that it started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(durations.END_PART)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        end(lambda: marked(self._mark, self.part.name))
        self._process, self.condition = None, "ended"

    def end_children(self, patience: float) -> int:
        """End the processes that it started, but not itself; returns how many there were."""
        own = self._process.pid if self._process else None
        return end(lambda: [pid for pid in marked(self._mark, self.part.name) if pid != own], patience)

    def state(self) -> PartState:
        """Its state, for `stack.json`."""
        return PartState(
            name=self.part.name,
            condition=self.condition,
            pid=self._process.pid if self._process else None,
            since=self._since,
            restarts=self.restarts,
            address=self.part.address,
            log=self.part.log,
        )

    def _died(self, now: datetime, clock: float) -> None:
        code = self._process.returncode if self._process else 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if not self.part.spares:
            # Its own workers would go on answering at its port, and keep its database open.
            end(lambda: marked(self._mark, self.part.name))
        if clock - self._started > durations.GOOD_CONDUCT:
            self._deaths_in_a_row = 0
        self._deaths_in_a_row += 1
        pause = pause_before(self._deaths_in_a_row)
        self._process, self.condition = None, "waiting"
        self._since, self._next_start = now, clock + pause
        message = f"{self.part.title} ended with {how}; it is started again in {pause:g} s (log: {self.part.log})"
        self._tell(message)
        # No alarm for each death of a part that keeps dying.
        if self._deaths_in_a_row == 1 or pause_before(self._deaths_in_a_row - 1) < pause == durations.LONGEST_PAUSE:
            self._alarm(self.part.name, message)

    def _check(self, clock: float) -> None:
        is_healthy = self.part.is_healthy(self._since)
        is_starting = self.condition == "starting"
        self._next_check = clock + (durations.CHECK_AT_START if is_starting else durations.CHECK)
        if is_healthy:
            if self.condition == "unhealthy":
                self._tell(f"{self.part.title} answers again")
            self.condition, self._silences, self._was_healthy = "healthy", 0, True
            self._next_check = clock + durations.CHECK
        elif is_starting:
            if clock - self._started > durations.START_PART:
                minutes = durations.START_PART / 60
                self._give_up(f"{self.part.title} did not start within {minutes:g} minutes; it is killed")
        elif is_healthy is False:
            self._silences += 1
            if self.condition == "healthy":
                self._tell(f"{self.part.title} does not answer")
            self.condition = "unhealthy"
            if self._silences >= MOST_SILENCES:
                self._give_up(f"{self.part.title} has not answered {MOST_SILENCES} times in a row; it is killed")

    def _give_up(self, why: str) -> None:
        self._tell(why)
        if self._process is not None:
            send(self._process.pid, signal.SIGKILL)
