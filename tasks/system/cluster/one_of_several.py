"""Whether this process does what a command does for one of several securities.

Prefect writes to its database at each begin and end of a flow or task run: for hundreds of securities, with some
twenty steps each, that takes longer than what the steps do, and a database of some gigabytes. So one of several is a
single task run with its log, and its steps are plain calls.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_one: ContextVar[bool] = ContextVar("one of several", default=False)


def is_one_of_several() -> bool:
    """Whether the present work is for one of several securities."""
    return _is_one.get()


@contextmanager
def one_of_several() -> Iterator[None]:
    """The block is the work for one of several securities."""
    token = _is_one.set(True)
    try:
        yield
    finally:
        _is_one.reset(token)
