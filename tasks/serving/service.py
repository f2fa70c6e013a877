"""What all requests share: the newest board, the versions that answer, and the thread that keeps both new."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from model.errors import TomorrowError, masked
from tasks.operations.alarms import Alarm, event_of, raise_alarm
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.serving.access import HOOK
from tasks.serving.board import Board
from tasks.serving.endpoints.room import Room
from tasks.serving.following.loaded import LoadedVersion
from tasks.serving.following.production import InProduction, ProductionLook
from tasks.serving.following.refresh import BoardReader
from tasks.serving.following.reports import ask_for_reports, reports_to
from tasks.serving.following.versions import Versions
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.own_servers import prefect_key
from tasks.system.access.secret import state_keys
from tasks.system.access.stack_state import read_stack
from tasks.system.cluster.processors import usable_processors
from tasks.system.lock import state_id

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
# How many bodies of the largest size may be in memory at a time.
LARGEST_AT_ONCE = 16


class Service:
    """The state of the server; `app.state.service` of a running application.

    board:     the newest board; replaced as a whole
    settings:  of the state directory
    clock:     gives the time
    workers:   the threads in which versions forecast
    room:      how much of all bodies may be in memory
    hook_key:  with which MLflow signs its reports
    looked_at: when Production was last read without an error

    Its thread looks at Production every `serving.look_seconds`, and at once when `look_now` is called.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.board = Board()
        self.looked_at: datetime | None = None
        self.hook_key = state_keys(settings).webhook
        self.room = Room(LARGEST_AT_ONCE * settings.serving.most_megabytes * 1_000_000)
        self.workers = ThreadPoolExecutor(usable_processors() + 1, thread_name_prefix="forecast")
        self.versions = Versions(settings, self.look_now, self._alarm)
        self._look, self._reader = ProductionLook(settings), BoardReader(settings)
        self._production: Mapping[str, InProduction | None] = {}
        self._fault: str | None = None
        self._next_request = 0.0
        self._due, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="production", daemon=True)

    def loaded(self, model: str) -> LoadedVersion | None:
        """The version that answers for a model; None where none does."""
        return self.versions.get(model)

    def start(self) -> None:
        """Begin to look and to load; requests are answered meanwhile, with what is known."""
        self.versions.start()
        self._thread.start()

    def end(self) -> None:
        """Stop looking and loading; returns at once, since both threads end with the process."""
        self._ended.set()
        self._due.set()
        self.versions.end()
        self.workers.shutdown(wait=False, cancel_futures=True)

    def look_now(self) -> None:
        """Have the thread look at once: something has changed."""
        self._due.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._due.clear()
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - what is known goes on answering, whatever it is
                said = masked(f"{type(error).__name__}: {error}".splitlines()[0][:300])
                logger.warning("the board was not read: %s", said)
                self.board = self.board.model_copy(update={"faults": {**self.board.faults, "board": said}})
            self._ended.wait(durations.LOOK_AT_PRODUCTION)
            self._due.wait(self.settings.serving.look_seconds)

    def refresh(self) -> None:
        """Look at Production once, have its versions loaded, and read the board."""
        at = self.clock()
        try:
            self._production = self._look.look(at)
        except TomorrowError as error:
            self._note(f"{error.subject}: {error.have}")
        except Exception as error:  # noqa: BLE001 - MLflow raises whatever its database or its server does
            self._note(masked(f"{type(error).__name__}: {error}".splitlines()[0][:300]))
        else:
            if self._fault is not None:
                self._next_request = 0.0  # another server may answer now
            self._fault, self.looked_at = None, at
            found = self._production.items()
            self.versions.want({model: None if there is None else there.version for model, there in found})
            self._ask_for_reports()
        troubles = {**self._look.faults, **self.versions.troubles()}
        if self._fault is not None:
            troubles[""] = self._fault
        self.board = self._reader.read(at, time.monotonic(), self._production, self.versions.answering(), troubles)

    def _note(self, fault: str) -> None:
        if fault != self._fault:
            logger.warning("what is in Production cannot be read: %s", fault)
        self._fault = fault

    def _ask_for_reports(self) -> None:
        """Have MLflow's server report promotions, where it reaches this one; looking does without."""
        address = reports_to(self.settings)
        if address is None or time.monotonic() < self._next_request:
            return
        self._next_request = time.monotonic() + durations.ASK_FOR_REPORTS
        name = f"tomorrow-board-{state_id(self.settings)[:12]}-{self.settings.serving.port}"
        try:
            ask_for_reports(self._look.tracking.client, name, f"{address}{HOOK}", self.hook_key)
        except Exception as error:  # noqa: BLE001 - whatever it is: MLflow may not allow it, or be an older one
            first = (str(error).splitlines() or [""])[0]
            logger.warning("MLflow will report no promotions: %s", masked(f"{type(error).__name__}: {first}"[:300]))

    def _alarm(self, model: str, message: str) -> None:
        alarm = Alarm(kind="model.not-loaded", subject=model, message=message, at=self.clock())
        raise_alarm(alarm, self.settings, emit=self._emit)

    def _emit(self, alarm: Alarm) -> None:
        """Send it to the Prefect server of the running stack, if there is one."""
        stack = read_stack(self.settings)
        if stack is not None:
            key = prefect_key(self.settings, stack.prefect_api, patience=0)
            PrefectApi(stack.prefect_api, key).emit(event_of(alarm))
