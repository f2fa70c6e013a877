"""The axis of sessions: no place for days without trading, and dates that can be read."""

from datetime import date

import numpy as np
import pytest

from model.figures.axis import MOST_TICKS, places, session_ticks
from tests.market import weekdays


def test_a_weekend_takes_no_room() -> None:
    friday_to_tuesday = weekdays(3, date(2020, 1, 31))
    assert list(places(friday_to_tuesday)) == [0, 1, 2]
    assert session_ticks(friday_to_tuesday) == [(0, "31 Jan\n2020"), (1, "3 Feb"), (2, "4 Feb")]


def test_a_month_has_its_mondays_and_a_year_every_second_month() -> None:
    month = weekdays(22, date(2020, 1, 2))
    assert [text for _, text in session_ticks(month)] == ["6 Jan\n2020", "13 Jan", "20 Jan", "27 Jan"]
    year = weekdays(250, date(2019, 2, 5))
    ticks = session_ticks(year)
    assert [text for _, text in ticks] == ["Mar\n2019", "May", "Jul", "Sep", "Nov", "Jan\n2020"]
    assert str(year[ticks[0][0]]) == "2019-03-01"


@pytest.mark.parametrize("n", [1, 2, 9, 10, 21, 63, 250, 1250, 5000, 25000])
def test_there_are_never_too_many_dates_and_always_one(n: int) -> None:
    ticks = session_ticks(weekdays(n, date(1920, 1, 1)))
    assert 1 <= len(ticks) <= MOST_TICKS
    assert all(0 <= row < n for row, _ in ticks)
    assert bool((np.diff([row for row, _ in ticks]) > 0).all())
