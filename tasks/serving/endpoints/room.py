"""How much of the requests that are being answered may be in memory at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.serving.endpoints.problems import Problem


class Room:
    """Counts the bytes of all requests that are being answered; used by the event loop's thread alone.

    most: how many there may be; 503 for a request that would need more
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    @contextmanager
    def of_one(self) -> "Iterator[Taken]":
        """The room of one request, given back at the end of the block."""
        own = Taken(self)
        try:
            yield own
        finally:
            self.taken -= own.size

    def check(self, size: int) -> None:
        """Problem where there is no room for so many bytes more."""
        if self.taken + size > self._most:
            raise Problem(
                503, "Too many large requests are being answered; ask again in a moment.", {"Retry-After": "1"}
            )


class Taken:
    """What one request has taken so far, in bytes."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def take(self, size: int) -> None:
        """Take so many bytes more; Problem where there is no room."""
        self._room.check(size)
        self._room.taken += size
        self.size += size
