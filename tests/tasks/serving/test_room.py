"""The room of requests in memory: more is refused, and all of it is given back."""

import pytest

from tasks.serving.endpoints.problems import Problem
from tasks.serving.endpoints.room import Room


def test_what_does_not_fit_is_refused_and_room_is_given_back() -> None:
    room = Room(100)
    with room.of_one() as first:
        first.take(60)
        with room.of_one() as second:
            second.take(40)
            with pytest.raises(Problem, match="ask again") as refused:
                second.take(1)
        assert refused.value.status == 503
        assert room.taken == 60
    assert room.taken == 0
