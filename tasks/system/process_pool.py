"""Worker processes: each prepares itself once and then carries out one assignment after the other.

They are spawned, since neither TensorFlow nor Prefect's threads survive a fork. Each ends when the process that started
it ends or is killed.
"""

import functools
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

from model.errors import TomorrowError
from tasks.system import durations
from tasks.system.disk_errors import storage_fault

Given = TypeVar("Given")
R = TypeVar("R")

AGAIN = "run the same command again: it continues where it stopped"


class _Reply(NamedTuple):
    """What a worker process sends back: an answer, or the error in its place."""

    answer: object
    error: TomorrowError | None


class Workers(Generic[Given, R]):
    """A number of worker processes; to be used in a `with` statement, which ends them.

    work:    called in a process for each assignment; argument and result must be picklable
    prepare: called in each process when it starts
    """

    def __init__(self, count: int, work: Callable[[Given], R], prepare: Callable[[], object]) -> None:
        self.count = count
        self._work = work
        self._prepare = prepare
        self._processes: dict[Connection, SpawnProcess] = {}

    def __enter__(self) -> Self:
        for number in range(self.count):
            self._start(f"worker {number + 1}")
        return self

    def run(
        self, assignments: Sequence[Given], started: Callable[[Given], object] = lambda _: None
    ) -> Iterator[tuple[Given, R]]:
        """Each assignment with its answer, in the order in which they finish; the first that fails raises its error.

        started: called when a process has been given an assignment
        """
        waiting = list(reversed(assignments))
        busy: dict[Connection, Given] = {}
        try:
            for connection in self._processes:
                self._hand_out(connection, waiting, busy, started)
            while busy:
                for ready in wait(list(busy)):
                    connection = next(known for known in busy if known is ready)
                    given, reply = busy.pop(connection), self._receive(connection)
                    if reply.error is not None:
                        raise reply.error
                    self._hand_out(connection, waiting, busy, started)
                    yield given, reply.answer  # type: ignore[misc] # it is what `work` gave
        finally:
            # New processes: the next call must not get the answers of this one.
            for connection in busy:
                self._start(self._end(connection))

    def _start(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work, self._prepare), name=name, daemon=True)
        # Ctrl-C goes to every process of a terminal. A new process would end with a trace before it ignores the signal,
        # so it is blocked here and thereby in the new process. Starting the resource tracker unblocks it, so that has
        # to run already.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # If it stayed open here, too, the end of the process would not close the connection.
        theirs.close()
        self._processes[ours] = process

    def _end(self, connection: Connection) -> str:
        process = self._processes.pop(connection)
        process.terminate()
        process.join(durations.END_WORKER_PROCESS)
        if process.is_alive():
            process.kill()
        connection.close()
        return process.name

    def _hand_out(
        self,
        connection: Connection,
        waiting: list[Given],
        busy: dict[Connection, Given],
        started: Callable[[Given], object],
    ) -> None:
        if not waiting:
            return
        given = waiting.pop()
        try:
            connection.send(given)
        except OSError:
            raise self._lost(connection) from None
        busy[connection] = given
        started(given)

    def _receive(self, connection: Connection) -> _Reply:
        try:
            return connection.recv()  # type: ignore[no-any-return] # it is what `_serve` sends
        except (EOFError, OSError):
            raise self._lost(connection) from None

    def _lost(self, connection: Connection) -> TomorrowError:
        process = self._processes[connection]
        process.join(durations.END_WORKER_PROCESS)
        code = process.exitcode
        ended = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        return TomorrowError(
            f"{process.name} of {self.count}",
            have=f"it ended with {ended} before its work was done",
            need=f"memory and time for {self.count} processes at once",
            remedy=f"use fewer --jobs; {AGAIN}",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.terminate()
        for connection in list(self._processes):
            self._end(connection)


def _serve(connection: Connection, work: Callable[[Given], R], prepare: Callable[[], object]) -> None:
    """The main loop of a worker process; it leaves Ctrl-C and standard output to the process that started it."""
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepared = _attempt(prepare)
    while True:
        try:
            given: Given = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(prepared if prepared.error else _attempt(functools.partial(work, given)))


def _attempt(do: Callable[[], object]) -> _Reply:
    try:
        return _Reply(do(), None)
    except TomorrowError as error:
        return _Reply(None, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the waiting process gets it
        fault: TomorrowError | None = storage_fault(error)
        if fault is None:
            traceback.print_exc()
            fault = TomorrowError(
                "a fault of ours, in a worker process",
                have=f"{type(error).__name__}: {error}",
                need="a run without it",
                remedy=f"report it with the trace above; {AGAIN}",
            )
        return _Reply(None, fault)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    # A gentler way would not end a fit that is in native code.
    os._exit(1)
