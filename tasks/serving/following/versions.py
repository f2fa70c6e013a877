"""The versions that answer, one for each model; each is replaced in one step, and only by one that was tried."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.errors import TomorrowError
from tasks.registry.version import RegisteredVersion
from tasks.serving.following.loaded import LoadedVersion, load
from tasks.settings import Settings
from tasks.system import durations

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A version that could not be loaded: why, and when to try again, by the monotonic clock."""

    version: int
    message: str
    again: float


class Versions:
    """Loads the wanted versions in a thread of its own, in place of those that answer; requests only read.

    changed:  called, in that thread, after a version began to answer, or could not be loaded
    freezes:  whether the process is the server's own; see `_collect`
    in_need:  called with a model and a sentence when a version cannot be loaded, once for each version
    """

    def __init__(
        self, settings: Settings, changed: Callable[[], object], in_need: Callable[[str, str], object]
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._in_need = in_need
        self._answering: dict[str, LoadedVersion] = {}
        self._wanted: dict[str, RegisteredVersion] = {}
        self._troubles: dict[str, Trouble] = {}
        self._due = threading.Condition()
        self._first: str | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="versions", daemon=True)
        self.loads, self.failures = 0, 0
        self.freezes = False

    def start(self) -> None:
        """Start to load what is wanted."""
        self._thread.start()

    def end(self) -> None:
        """Load nothing more; returns at once."""
        with self._due:
            self._ended = True
            self._due.notify_all()

    def want(self, wanted: Mapping[str, RegisteredVersion | None]) -> None:
        """What is to answer: model -> version; what is not wanted any more stops answering at once."""
        with self._due:
            self._wanted = {model: version for model, version in wanted.items() if version is not None}
            self._answering = {model: loaded for model, loaded in self._answering.items() if model in self._wanted}
            self._troubles = {
                model: found
                for model, found in self._troubles.items()
                if model in self._wanted and self._wanted[model].version == found.version
            }
            self._due.notify_all()

    def get(self, model: str) -> LoadedVersion | None:
        """The version that answers for a model; None while there is none. It is whole: use it for the whole answer."""
        loaded = self._answering.get(model)
        if loaded is None and model in self._wanted:
            self._first = model
        return loaded

    def answering(self) -> dict[str, int]:
        """Model -> the number of the version that answers."""
        return {model: loaded.number for model, loaded in self._answering.copy().items()}

    def is_wanted(self, model: str) -> bool:
        """Whether a version of the model is in Production, as far as is known."""
        return model in self._wanted

    def troubles(self) -> dict[str, str]:
        """Model -> why its version in Production does not answer, and which one does."""
        return {model: self._sentence(model, found) for model, found in self._troubles.copy().items()}

    def _run(self) -> None:
        said = time.monotonic()
        while True:
            with self._due:
                version = self._next()
                if self._ended:
                    return
                if version is None:
                    self._due.wait(durations.LOAD_AGAIN)
                    continue
            self._load(version)
            # At the start there may be hundreds: they are not reported one by one.
            clock = time.monotonic()
            if self._next() is None or clock >= said + durations.SAY_LOADED:
                said = clock
                self._changed()

    def _next(self) -> RegisteredVersion | None:
        """The next version to load: one that somebody has asked for first."""
        clock = time.monotonic()
        # Other threads replace what is wanted, and ask for a model, meanwhile.
        wanted, asked = self._wanted, self._first
        for model in (*([asked] if asked in wanted else []), *wanted):
            version, loaded, trouble = wanted[model], self._answering.get(model), self._troubles.get(model)
            # A registry that was begun anew gives the same numbers to other runs.
            if loaded is not None and (loaded.number, loaded.run_id) == (version.version, version.run_id):
                continue
            if trouble is None or trouble.version != version.version or trouble.again <= clock:
                return version
        self._first = None
        return None

    def _load(self, version: RegisteredVersion) -> None:
        model = version.model
        try:
            loaded = load(self._settings, version)
        except TomorrowError as error:
            self._fail(version, f"{error.subject}: {error.have}")
            return
        self.loads += 1
        with self._due:
            # Production may have moved on, or back to the version that answers, while this one was loaded.
            if model in self._wanted and self._wanted[model].version == version.version:
                self._answering[model] = loaded
                self._troubles.pop(model, None)
        del loaded
        self._collect()

    def _collect(self) -> None:
        """Give back the memory of versions that have ceased to answer.

        What is in memory after the first load, mostly libraries, stays for good: it is not looked through again, which
        would keep all requests waiting for half a second.
        """
        gc.collect()
        if self.freezes and self.loads == 1:
            gc.freeze()

    def _fail(self, version: RegisteredVersion, message: str) -> None:
        model = version.model
        self.failures += 1
        again = time.monotonic() + durations.LOAD_AGAIN
        trouble = Trouble(version=version.version, message=message, again=again)
        with self._due:
            if model not in self._wanted or self._wanted[model].version != version.version:
                return  # it has left Production meanwhile: nobody waits for it
            before = self._troubles.get(model)
            self._troubles[model] = trouble
        if before is None or before.version != version.version:
            sentence = self._sentence(model, trouble)
            logger.warning("%s", sentence)
            self._in_need(model, sentence)

    def _sentence(self, model: str, trouble: Trouble) -> str:
        loaded = self._answering.get(model)
        who = "no version answers" if loaded is None else f"version {loaded.number} answers"
        return f"Version {trouble.version} is in Production and {who}: {trouble.message}."
