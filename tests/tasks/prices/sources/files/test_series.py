"""Columns of a file as series: when each value was known, and what is wrong with a file that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from model.artifact.series_input import SeriesInput
from model.errors import FaultyPrices
from model.market.alignment import known_values
from model.market.calendar import ExchangeCalendar
from tasks.prices.sources.files.series import series_in_file

CALENDAR = ExchangeCalendar()
MOOD = SeriesInput(name="mood")


def file(folder: Path, *lines: str) -> str:
    place = folder / "given.csv"
    place.write_text("\n".join(lines), encoding="utf-8")
    return str(place)


def test_a_value_is_known_at_the_close_of_its_own_session_or_at_the_end_of_a_day_without_one(tmp_path: Path) -> None:
    found = series_in_file(file(tmp_path, "Date,Mood", "2020-01-31,10.5", "2020-02-01,11"), MOOD, CALENDAR)
    assert found is not None
    assert found.values.tolist() == [[10.5], [11.0]]
    assert found.known_at.astype(str).tolist() == ["2020-01-31T21:30:00", "2020-02-02T05:00:00"]
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


def test_a_value_of_a_saturday_is_not_known_on_friday_where_sessions_last_until_midnight(tmp_path: Path) -> None:
    sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-03"], dtype="datetime64[D]")
    calendar = ExchangeCalendar("observed", seen=ExchangeCalendar.bytes_of(sessions))
    found = series_in_file(file(tmp_path, "Date,mood", "2020-01-31,1", "2020-02-01,99"), MOOD, calendar)
    assert found is not None
    assert known_values(sessions, calendar.over(sessions), found)[1:].tolist() == [[1.0], [99.0]]


@pytest.mark.parametrize("cell", ["9999-12-31", "9999-12-31T23:59-05:00", "0001-01-01T00:00+05:00"])
def test_a_time_that_no_calendar_has_is_a_fault_of_the_file(tmp_path: Path, cell: str) -> None:
    with pytest.raises(FaultyPrices, match="line 2: known_at"):
        series_in_file(file(tmp_path, "Date,mood,known_at", f"2020-01-30,1,{cell}"), MOOD, CALENDAR)


def test_a_value_that_was_known_before_its_day_began_is_a_fault_of_the_file(tmp_path: Path) -> None:
    lines = ("2020-01-30,1,2020-01-30T16:00", "2099-01-31,2,2020-01-31T16:00")
    with pytest.raises(FaultyPrices, match="line 3: a value of 2099-01-31, known_at '2020-01-31T16:00'"):
        series_in_file(file(tmp_path, "Date,mood,known_at", *lines), MOOD, CALENDAR)
    # In Tokyo a day begins ten hours before it does in London.
    first = file(tmp_path, "Date,mood,known_at", "2020-01-31,1,2020-01-31T00:30+09:00")
    assert series_in_file(first, MOOD, CALENDAR) is not None


def test_two_values_of_a_day_that_were_known_at_the_same_moment_are_a_fault_of_the_file(tmp_path: Path) -> None:
    lines = ("2020-01-30,1,2020-01-31", "2020-01-30,99,2020-01-31")
    with pytest.raises(FaultyPrices, match="2020-01-30 on more than one line with the same known_at"):
        series_in_file(file(tmp_path, "Date,mood,known_at", *lines), MOOD, CALENDAR)


def test_two_columns_of_the_series_name_are_a_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FaultyPrices, match="more than one column 'mood'"):
        series_in_file(file(tmp_path, "Date,mood,Mood", "2020-01-30,1,2"), MOOD, CALENDAR)


def test_a_time_in_the_hour_that_is_repeated_counts_as_the_later_one(tmp_path: Path) -> None:
    lines = ("2020-10-31,1,2020-11-01T01:30", "2020-03-08,2,2020-03-08T08:00")
    found = series_in_file(file(tmp_path, "Date,mood,known_at", *lines), MOOD, CALENDAR)
    assert found is not None
    assert found.known_at.astype(str).tolist() == ["2020-11-01T06:30:00", "2020-03-08T12:00:00"]
