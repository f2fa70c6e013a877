"""A process that ends within a command, without ending the tests' own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Killed(BaseException):
    """As a signal ends a process, which no handler of errors sees."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, owner: object, step: str) -> Iterator[None]:
    """What runs in the block is killed where this step of it would begin, and has to come there."""

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, kill)
        with pytest.raises(Killed):
            yield
