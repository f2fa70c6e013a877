"""What a flow run of several securities does for each, beside its parameters, which Prefect's pages show."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tasks.system.cluster.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is done for each of several securities.

    work:    called with what is given for one: a function of a module, which the processes import by its name
    given:   by ticker
    cluster: whose processes do it; None: this process, one security after the other
    begin:   called with each ticker's number before it begins
    done:    called with each ticker when it is done
    """

    work: Callable[[Any], Any]
    given: Mapping[str, Any]
    cluster: Cluster | None
    begin: Callable[[int], object]
    done: Callable[[str], object]


_errand: ContextVar[Errand] = ContextVar("what is done for each security")


@contextmanager
def on(errand: Errand) -> Iterator[None]:
    """In the block it is the present errand."""
    token = _errand.set(errand)
    try:
        yield
    finally:
        _errand.reset(token)


def present_errand() -> Errand:
    """What is done for each security."""
    return _errand.get()
