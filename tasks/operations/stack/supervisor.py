"""The supervisor of a stack: starts the parts, keeps them running, ends them, and leaves none behind.

If the supervisor is killed, its watchdog ends the parts: that process sees a pipe close when the supervisor is gone.
"""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from types import FrameType, MappingProxyType, TracebackType
from typing import NoReturn, Self

from model.errors import ConfigurationError
from model.market.calendar import ExchangeCalendar
from tasks.operations.alarms import Alarm, event_of, raise_alarm
from tasks.operations.stack import orphans
from tasks.operations.stack.deployments import WORK_POOL, deploy
from tasks.operations.stack.log import cut_log, write_line
from tasks.operations.stack.orphans import MARK, end, mark_of, marked
from tasks.operations.stack.parts import Stack, store_of_server
from tasks.operations.stack.process import PartProcess
from tasks.settings import Address, Settings
from tasks.system import durations
from tasks.system.access.stack_state import StackState, write_stack
from tasks.system.state_directory import place_tags, temporary_folder

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Asked(Exception):
    """A signal has asked the stack to end."""


class Supervisor:
    """Keeps a stack running in this process; to be used in a `with` statement, whose block ends at a signal.

    clock: gives the time of day, for the record
    show:  called with each line for people
    ports: part's name -> socket that it is lent
    """

    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        clock: Callable[[], datetime],
        show: Callable[[str], object],
        ports: Mapping[str, socket.socket] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        # While Prefect does not answer, go on looking at the parts: Prefect itself may need a restart.
        self._stack = replace(stack, api=replace(stack.api, sleep=self._look_on))
        self._clock = clock
        self._show = show
        self._mark = mark_of(settings.home, token_hex(8))
        self._since = clock()
        self._log = settings.home / "logs" / "up.log"
        folder = temporary_folder(settings)
        self._parts = [
            PartProcess(part, self._mark, folder, self.tell, self._alarm, ports.get(part.name)) for part in stack.parts
        ]
        self._written: StackState | None = None
        self._ready = False
        self._unsent: list[dict[str, object]] = []
        self._next_cut = 0.0
        self.asked: str | None = None
        self._signals = (-1, -1)
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # With a mark inherited from another stack, this process would be ended together with that one.
        os.environ.pop(MARK, None)
        _allow_many_connections()
        self._signals = os.pipe()
        for end_of_pipe in self._signals:
            os.set_blocking(end_of_pipe, False)
        signal.set_wakeup_fd(self._signals[1])
        for number in SIGNALS:
            signal.signal(number, self._note_signal)
        found = end(lambda: marked(mark_of(self._settings.home)))
        if found:
            self.tell(f"ended {found} processes left by a stack that was killed")
        self._start_watchdog()
        return self

    def start_servers(self) -> None:
        """Start every part except the worker, and return when all are healthy."""
        self._start(lambda name: name != "worker")

    def deploy(self, parameters: Mapping[str, object], calendar: ExchangeCalendar | None = None) -> None:
        """Make the deployments, and set the runs that this worker left unfinished in an earlier stack to crashed.

        parameters: for the flows that take them
        calendar:   of the exchange whose open and close the schedules follow; None: New York's
        """
        ended = "The stack that ran it has ended."
        for run in self._stack.api.crash_unfinished(WORK_POOL, self._stack.worker, ended):
            self.tell(f"the run {run!r} had not ended when the last stack did; it is marked as crashed")
        variables = {**os.environ, **self._stack.variables, MARK: self._mark}
        names, api = {part.part.name for part in self._parts}, self._stack.api
        # Runs may also use the database of our own server directly.
        database = (store_of_server(self._settings).tracking_uri,) if "mlflow" in names else ()
        places = place_tags(self._settings, (self._stack.tracking, *database), api.address)
        for note in deploy(api, variables, parameters, is_ours="prefect" in names, calendar=calendar, places=places):
            self.tell(note)
        self._wait(0)

    def start_worker(self) -> None:
        """Start the worker, and return when Prefect hears from it."""
        self._start(lambda name: name == "worker")
        self._ready = True

    def run_now(self, deployment: str) -> None:
        """Let the worker run a deployment at once; repeated calls start only one run of it per stack."""
        api = self._stack.api
        name, identity = api.create_run(deployment, f"{deployment} {self._mark}")
        self.tell(f"{deployment} runs now: {name!r}, {api.address.removesuffix('/api')}/runs/flow-run/{identity}")

    def watch(self) -> NoReturn:
        """Keep the parts running until a signal asks the stack to end."""
        while True:
            self._look_at_all()
            self._wait(durations.LOOK)

    def restarts(self) -> dict[str, int]:
        """Part's name -> how often it was restarted."""
        return {part.part.name: part.restarts for part in self._parts}

    def tell(self, line: str) -> None:
        """Show a line and add it to the log; a closed terminal or a full disk does not stop the stack."""
        with suppress(OSError):
            write_line(self._log, self._clock(), line)
        with suppress(OSError):
            self._show(line)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for part in reversed(self._parts):
            if part.part.name == "worker":
                self._end_runs(part)
            part.end()
        self._end_watchdog()
        with suppress(OSError):
            self._write_down()
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for end_of_pipe in self._signals:
            os.close(end_of_pipe)
        return isinstance(error, _Asked)

    def _start(self, is_meant: Callable[[str], bool]) -> None:
        parts = [part for part in self._parts if is_meant(part.part.name)]
        for part in parts:
            part.start(self._clock(), time.monotonic())
        while not all(part.condition == "healthy" for part in parts):
            self._look_at_all()
            for part in parts:
                part.check_start()
            self._wait(durations.LOOK)

    def _look_at_all(self) -> None:
        for part in self._parts:
            if part.is_wanted:
                part.look(self._clock(), time.monotonic())
                if self.asked:
                    raise _Asked
        if self._watchdog is not None and self._watchdog.poll() is not None:
            self.tell("the watchdog ended; it is started again")
            self._start_watchdog()
        if time.monotonic() >= self._next_cut:
            self._next_cut = time.monotonic() + durations.CUT_LOGS
            for log in (self._log, *(part.part.log for part in self._parts)):
                cut_log(log)
        self._send_events()
        with suppress(OSError):
            self._write_down()

    def _alarm(self, part: str, message: str) -> None:
        alarm = Alarm(kind="stack.part-down", subject=part, message=message, at=self._clock())
        # The part may be Prefect itself, so events wait until it answers.
        raise_alarm(alarm, self._settings, emit=lambda alarm: self._unsent.append(event_of(alarm)))

    def _send_events(self) -> None:
        if any(part.condition != "healthy" for part in self._parts if part.part.name == "prefect"):
            return
        with suppress(ConfigurationError):
            while self._unsent:
                self._stack.api.emit(self._unsent[0])
                del self._unsent[0]

    def _write_down(self) -> None:
        state = StackState(
            pid=os.getpid(),
            since=self._since,
            ready=self._ready,
            prefect_api=Address(self._stack.api.address),
            tracking=self._stack.tracking,
            salt=self._stack.salt,
            parts=tuple(part.state() for part in self._parts if part.is_wanted),
        )
        if state != self._written:
            write_stack(self._settings, state)
            self._written = state

    def _wait(self, seconds: float) -> None:
        """Wait for that long, or until a signal comes."""
        select.select([self._signals[0]], [], [], seconds)
        if self.asked:
            raise _Asked

    def _look_on(self, seconds: float) -> None:
        """Keep the parts running for that many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look_at_all()
            self._wait(min(left, durations.LOOK))

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        if number == signal.SIGHUP:
            # The terminal is gone: later output is discarded.
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(nowhere, stream)
            os.close(nowhere)

    def _end_runs(self, worker: PartProcess) -> None:
        """End the unfinished runs of the worker, while it can still report that to Prefect."""
        api, name = self._stack.api, self._stack.worker
        with suppress(ConfigurationError):  # the stack ends even if Prefect does not answer
            going_on = worker.condition == "healthy" and api.running(WORK_POOL, name)
            if not going_on:
                return
            self.tell(f"ends {going_on} unfinished runs; Prefect marks them as crashed")
            worker.end_children(durations.END_RUNS)
            deadline = time.monotonic() + durations.REPORT_ENDED_RUNS
            while api.running(WORK_POOL, name) and time.monotonic() < deadline:
                time.sleep(durations.LOOK)

    def _start_watchdog(self) -> None:
        """Start the process that ends the parts when this process, and so its end of the pipe, is gone."""
        self._watchdog = subprocess.Popen(
            [sys.executable, "-P", str(Path(orphans.__file__)), self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._settings.home,
            start_new_session=True,
        )

    def _end_watchdog(self) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait()


def _allow_many_connections() -> None:
    """Raise the limit of open files to this user's maximum: else some hundred idle connections would reach it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # the maximum may be more than the system allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
