"""The flows' clock: the real one, unless another time is given for a block."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flows.runs.clock import clock_at, now

THEN = datetime(2019, 7, 3, 17, 30, tzinfo=timezone(timedelta(hours=-4)))


def test_a_given_time_stands_still_and_the_real_one_comes_back() -> None:
    before = datetime.now(UTC)
    with clock_at(THEN):
        assert now() == now() == datetime(2019, 7, 3, 21, 30, tzinfo=UTC)
        with clock_at(THEN + timedelta(days=1)):
            assert now().day == 4
        assert now().day == 3
    assert before <= now() <= datetime.now(UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"), clock_at(datetime(2019, 7, 3)):  # noqa: DTZ001 - on purpose
        pass
