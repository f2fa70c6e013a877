"""The time, as the flows see it: the only place that reads the clock.

Tests and benchmarks give the flows another time. It is not a parameter of the flows: otherwise anybody who can start a
flow run could backdate a forecast, and it would count among those made before their session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_given: ContextVar[datetime | None] = ContextVar("given", default=None)


def now() -> datetime:
    """The time, in UTC: the real one, or the one that is given."""
    return _given.get() or datetime.now(UTC)


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Stop the clock at a moment for the flows that this block calls; ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    before = _given.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _given.reset(before)
