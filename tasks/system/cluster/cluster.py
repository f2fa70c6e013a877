"""Where processes are that take work, how they are spoken to, and how their work is stopped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed.security import Security


def _others_do() -> None:
    """Nothing: the processes are not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Dask cluster.

    address: of its scheduler
    count:   the number of its processes; None: others start and end them
    start:   starts the processes that are not there
    stop:    ends them at once, in the middle of their work
    """

    address: str
    security: "Security" = field(repr=False)
    count: int | None = None
    start: Callable[[], None] = field(default=_others_do, repr=False)
    stop: Callable[[], None] = field(default=_others_do, repr=False)
