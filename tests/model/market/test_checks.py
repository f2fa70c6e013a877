"""Each kind of fault is found and named with its days; sound prices have none."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import FaultyPrices
from model.market.calendar import ExchangeCalendar
from model.market.checks import ChecksConfig, check_prices, find_faults
from model.market.prices import COLUMNS, Prices
from model.market.synthetic import sample_prices
from tests.market import read_csv

CALENDAR = ExchangeCalendar()
SOUND = sample_prices(date(2013, 12, 31), 0, CALENDAR)
ROW = 100
DAY = str(SOUND.sessions[ROW])


def with_cell(column: str, value: float, row: int = ROW) -> Prices:
    values = SOUND.values.copy()
    values[row, COLUMNS.index(column)] = value
    return replace(SOUND, values=values)


def faults(prices: Prices, limits: ChecksConfig = ChecksConfig()) -> list[str]:
    return list(find_faults(prices, CALENDAR, limits))


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("Open", np.nan, f"Open not a number: {DAY}"),
        ("Adj Close", np.nan, f"Adj Close not a number: {DAY}"),
        ("High", np.inf, f"High infinite: {DAY}"),
        ("Low", -np.inf, f"Low infinite: {DAY}"),
        ("Low", -1.0, f"Low negative: {DAY}"),
        ("High", 1.0, f"High below Low: {DAY}"),
        ("Open", 1.0, f"Open outside Low to High: {DAY}"),
        ("Adj Close", 1e6, f"Adj Close above Close: {DAY}"),
        ("Volume", 0.0, f"Volume missing, zero or negative: {DAY}"),
        ("Volume", -5.0, f"Volume missing, zero or negative: {DAY}"),
        ("Volume", np.nan, f"Volume missing, zero or negative: {DAY}"),
        ("Volume", np.inf, f"Volume missing, zero or negative: {DAY}"),
    ],
)
def test_one_wrong_cell_is_one_line_with_its_day(column: str, value: float, fault: str) -> None:
    assert faults(with_cell(column, value)) == [fault]


def test_a_price_of_zero_is_named_as_such() -> None:
    assert f"Low zero: {DAY}" in faults(with_cell("Low", 0.0))


def test_a_close_beyond_the_days_high_is_named() -> None:
    high = float(SOUND.column("High")[ROW])
    assert f"Close outside Low to High: {DAY}" in faults(with_cell("Close", high + 0.01))


def test_a_hair_of_rounding_is_no_fault() -> None:
    high = float(SOUND.column("High")[ROW])
    assert faults(with_cell("Open", high + 2e-6)) == []


def without(*rows: int) -> Prices:
    kept = np.delete(np.arange(len(SOUND)), rows)
    return replace(SOUND, sessions=SOUND.sessions[kept], values=SOUND.values[kept])


def test_missing_sessions_are_named() -> None:
    assert faults(without(ROW, ROW + 1)) == [f"2 sessions missing: {DAY}, {SOUND.sessions[ROW + 1]}"]


def test_many_missing_sessions_are_counted_and_the_first_five_named() -> None:
    (line,) = faults(without(*range(10, 30)))
    assert line.startswith(f"20 sessions missing: {SOUND.sessions[10]}, ")
    assert line.endswith(f"{SOUND.sessions[14]} and 15 more")


def test_a_row_on_a_day_without_trade_is_named() -> None:
    saturday = np.datetime64("2012-06-02")
    place = int(np.searchsorted(SOUND.sessions, saturday))
    prices = replace(
        SOUND,
        sessions=np.insert(SOUND.sessions, place, saturday),
        values=np.insert(SOUND.values, place, SOUND.values[place], axis=0),
    )
    assert faults(prices) == ["1 row on a day when XNYS did not trade: 2012-06-02"]


def test_a_move_beyond_the_limit_is_named_with_its_size_and_the_limit_can_be_raised() -> None:
    values = SOUND.values.copy()
    values[ROW:, :5] *= 2
    doubled = replace(SOUND, values=values)
    before, after = doubled.column("Close")[ROW - 1 : ROW + 1]
    (line,) = faults(doubled)
    assert line == f"Close moved by more than 40%: {DAY} ({before:.2f} to {after:.2f}, {after / before - 1:+.1%})"
    assert faults(doubled, ChecksConfig(largest_move=1.5)) == []


def test_constant_prices_are_sound() -> None:
    values = np.tile([10.0, 10.0, 10.0, 10.0, 10.0, 100.0], (len(SOUND), 1))
    assert faults(replace(SOUND, values=values)) == []


def test_all_faults_are_reported_together_in_one_error() -> None:
    values = SOUND.values.copy()
    values[3, 0], values[5, 5] = np.nan, 0
    with pytest.raises(FaultyPrices, match="2 faults") as caught:
        check_prices(replace(SOUND, values=values), CALENDAR)
    assert caught.value.exit_code == 3
    assert caught.value.data["faults"] == [
        f"Open not a number: {SOUND.sessions[3]}",
        f"Volume missing, zero or negative: {SOUND.sessions[5]}",
    ]
    assert str(SOUND.sessions[5]) in str(caught.value)


@given(
    row=st.integers(0, len(SOUND) - 1),
    column=st.sampled_from(COLUMNS),
    value=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0]),
)
@settings(max_examples=200, deadline=None)
def test_no_impossible_number_passes_anywhere(row: int, column: str, value: float) -> None:
    assert any(str(SOUND.sessions[row]) in line for line in faults(with_cell(column, value, row)))


def test_the_real_files_are_sound(real_prices: Path) -> None:
    # An index is not traded: it has no volume, and is no security to forecast.
    files = [file for file in sorted(real_prices.glob("*.csv")) if not file.stem.startswith("VIX")]
    assert files
    for file in files:
        assert faults(read_csv(file)) == [], file.name
