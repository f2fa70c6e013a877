"""The final state of a run that has done its work: its message gives the result, and a refusal has its own name."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from model.errors import masked
from tasks.system.cluster.one_of_several import is_one_of_several

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


def carry_out(flow: Flow[..., R], **parameters: Any) -> R:
    """The result of a flow, as a run of its own; for one of several securities as a part of the present task run."""
    if not is_one_of_several():
        return cast("R", flow(**parameters))
    work: Callable[..., Any] = flow.fn
    returned = work(**parameters)
    if isinstance(returned, State):
        get_run_logger().info(f"{returned.message}.")
        returned = returned.data
    return cast("R", returned)
