"""Columns of a file as series: when each value was known, and what is wrong with a file that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from model.artifact.series_input import SeriesInput
from model.errors import FaultyPrices
from model.market.calendar import ExchangeCalendar
from tasks.prices.sources.files.series import series_in_file

CALENDAR = ExchangeCalendar()
MOOD = SeriesInput(name="mood")


def file(folder: Path, *lines: str) -> str:
    place = folder / "given.csv"
    place.write_text("\n".join(lines), encoding="utf-8")
    return str(place)


def test_a_value_is_known_at_the_close_of_its_own_session_or_before_the_next_one(tmp_path: Path) -> None:
    found = series_in_file(file(tmp_path, "Date,Mood", "2020-01-31,10.5", "2020-02-01,11"), MOOD, CALENDAR)
    assert found is not None
    assert found.values.tolist() == [[10.5], [11.0]]
    assert found.known_at.astype(str).tolist() == ["2020-01-31T21:30:00", "2020-02-01T00:00:00"]
    assert found.columns == ("mood",)


def test_known_at_says_when_a_value_was_known_with_a_zone_without_one_or_as_a_day(tmp_path: Path) -> None:
    lines = (
        "Date,known_at,mood",
        "2020-01-30,2020-01-31T08:00+01:00,1",
        "2020-01-30,2020-01-31T16:15,2",
        "2020-01-30,2020-02-03,3",
    )
    found = series_in_file(file(tmp_path, *lines), MOOD, CALENDAR)
    assert found is not None
    assert found.known_at.astype(str).tolist() == [
        *("2020-01-31T07:00:00", "2020-01-31T21:15:00", "2020-02-04T05:00:00")
    ]


def test_an_empty_cell_is_no_value_and_a_range_needs_both_columns(tmp_path: Path) -> None:
    place = file(tmp_path, "Date,S High,S Low,mood", "2020-01-30,3,2,", "2020-01-31,4,3,1")
    ranged = series_in_file(place, SeriesInput(name="S", transformations=("range",)), CALENDAR)
    assert ranged is not None
    assert ranged.values.tolist() == [[3.0, 2.0], [4.0, 3.0]]
    assert series_in_file(place, SeriesInput(name="S"), CALENDAR) is None
    mood = series_in_file(place, MOOD, CALENDAR)
    assert mood is not None
    assert np.isnan(mood.values[0, 0])


def test_each_change_of_a_file_changes_its_fingerprint(tmp_path: Path) -> None:
    made = []
    for cells in (
        "2020-01-31,2020-02-01,1",
        "2020-01-31,2020-02-01,2",
        "2020-01-31,2020-02-02,1",
        "2020-01-30,2020-02-01,1",
    ):
        found = series_in_file(file(tmp_path, "Date,known_at,mood", cells), MOOD, CALENDAR)
        assert found is not None
        made.append(found.fingerprint)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("Date,mood", "2020-01-31,high"), "mood 'high'"),
        (("Date,mood", "soon,1"), "Date 'soon'"),
        (("Date,mood", "2020-01-31,1", "2020-01-31,2"), "more than one line"),
        (("Date,mood,known_at", "2020-01-31,1,later"), "known_at 'later'"),
        (("Date,mood,known_at", "2020-01-31,1,"), "no known_at"),
    ],
)
def test_a_cell_that_is_no_day_time_or_number_is_named(tmp_path: Path, lines: tuple[str, ...], fault: str) -> None:
    with pytest.raises(FaultyPrices, match=fault):
        series_in_file(file(tmp_path, *lines), MOOD, CALENDAR)


def test_a_file_without_a_column_of_that_name_has_no_such_series(tmp_path: Path) -> None:
    assert series_in_file(file(tmp_path, "Date,other", "2020-01-31,1"), MOOD, CALENDAR) is None
    assert series_in_file(file(tmp_path, "Day,mood", "2020-01-31,1"), MOOD, CALENDAR) is None
