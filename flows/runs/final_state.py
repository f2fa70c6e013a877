"""The final state of a run that has done its work: its message gives the result, and a refusal has its own name."""

from typing import TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.states import Completed

from model.errors import masked

REFUSED = "Refused"
# A page shows it beside the run's name.
LONGEST_MESSAGE = 300

R = TypeVar("R")


def completed(result: R, message: str, name: str | None = None) -> R:
    """What a flow returns so that its run is Completed with this message; its caller gets the result."""
    shown = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 3].rstrip()}..."
    return cast("R", Completed(name=name, message=masked(shown), data=result))


def with_note(returned: R, note: str) -> R:
    """What a flow returned, the message of its state headed by a note."""
    if not isinstance(returned, State):
        return completed(returned, note)
    return cast("R", Completed(name=returned.name, message=f"{note}; {returned.message}", data=returned.data))
