"""The state of a state directory's stack: its file `stack.json`, and the lock that a running stack holds."""

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import ConfigurationError
from tasks.settings import Address, Settings
from tasks.system import durations
from tasks.system.durable_file import write_durably
from tasks.system.lock import locked

LOCK = "stack"

Condition = Literal["starting", "healthy", "unhealthy", "waiting", "ended"]


class PartState(BaseModel):
    """One part as it was last seen.

    pid:      of its process; None while there is none
    since:    when that process was started, or the part ended
    restarts: how often it was started again since the stack was started
    """

    model_config = ConfigDict(frozen=True)

    name: str
    condition: Condition
    pid: int | None
    since: datetime
    restarts: int
    address: str | None
    log: Path


class StackState(BaseModel):
    """The stack as its supervisor last wrote it down.

    salt: part of the links and cookies for its pages, which end with this stack; useless without a key
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    since: datetime
    ready: bool
    prefect_api: Address
    tracking: Address
    salt: str = ""
    parts: tuple[PartState, ...]

    def part(self, name: str) -> PartState | None:
        """The part of that name; None where there is none."""
        return next((part for part in self.parts if part.name == name), None)


def write_stack(settings: Settings, state: StackState) -> None:
    """Write the state to its file."""
    text = state.model_dump_json(indent=2)
    write_durably(_file(settings), lambda file: file.write_text(text, encoding="utf-8"))


def read_stack(settings: Settings) -> StackState | None:
    """The state of the running stack; None where none runs, even if a killed one left its file."""
    try:
        state = StackState.model_validate_json(_file(settings).read_bytes())
    except (OSError, ValidationError):
        return None
    try:
        with locked(settings, LOCK, patience=0):
            return None
    except ConfigurationError:
        return state


def only_stack(settings: Settings) -> AbstractContextManager[None]:
    """The lock of the one stack on a state directory; ConfigurationError where one is running."""
    running = read_stack(settings)
    if running is not None:
        raise ConfigurationError(
            f"the stack on {settings.home}",
            have=f"it has been running since {running.since:%Y-%m-%d %H:%M} UTC, as process {running.pid}",
            need="one at a time on a state directory",
            remedy="see tomorrow status; to end it, press Ctrl-C where it runs, or: "
            f"kill {running.pid}; for a second one set TOMORROW_HOME to another folder, and other ports",
        )
    return locked(settings, LOCK, patience=durations.STACK_LOCK)


def _file(settings: Settings) -> Path:
    return settings.home / "stack.json"
