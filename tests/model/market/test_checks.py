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
from model.market.checks import ChecksConfig, check_prices
from model.market.prices import COLUMNS, Prices
from model.market.security import Security
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


def faults(prices: Prices, limits: ChecksConfig = ChecksConfig(), calendar: ExchangeCalendar = CALENDAR) -> list[str]:
    """One line for each kind; none where the prices are sound."""
    try:
        check_prices(prices, calendar, limits)
    except FaultyPrices as faulty:
        found = faulty.data["faults"]
        assert isinstance(found, list)
        return found
    return []


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


def scaled(factor: float, first: int = ROW, stop: int | None = None) -> Prices:
    """The prices of some rows multiplied, all others as they are."""
    values = SOUND.values.copy()
    values[first:stop, :5] *= factor
    return replace(SOUND, values=values)


@pytest.mark.parametrize("factor", [0.45, 0.44, 0.55, 1.8, 2.23, 0.36])
def test_a_move_that_stays_and_is_by_no_splits_factor_is_a_note(factor: float) -> None:
    (note,) = check_prices(scaled(factor), CALENDAR)
    assert note.startswith(f"Close moved by more than 40%, and nothing is wrong with it: {DAY} (")
    assert check_prices(scaled(factor), CALENDAR, ChecksConfig(largest_move=2.5)) == ()


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 2.0, 0.1, 1 / 1.5, 10.0])
def test_a_splits_factor_on_a_day_like_any_other_is_a_fault(factor: float) -> None:
    (line,) = faults(scaled(factor))
    assert line.startswith("Close changed as by a split")
    assert DAY in line


def test_what_has_no_volume_may_gap_by_half() -> None:
    values = scaled(1.5).values.copy()
    values[:, 5] = 0
    (note,) = check_prices(replace(SOUND, values=values), CALENDAR)
    assert "nothing is wrong with it" in note


def test_a_true_fall_by_half_has_the_volume_of_one() -> None:
    values = scaled(0.5).values.copy()
    values[ROW, 5] *= 9
    (note,) = check_prices(replace(SOUND, values=values), CALENDAR)
    assert "nothing is wrong with it" in note
    assert DAY in note


def test_a_split_that_only_adj_close_knows_is_a_fault_whatever_the_volume() -> None:
    values = SOUND.values.copy()
    values[ROW:, :4] /= 2
    values[:ROW, 4] /= 2
    values[ROW:, 4] /= 2
    values[ROW, 5] *= 9
    (line,) = faults(replace(SOUND, values=values))
    assert "2:1 in Adj Close" in line


@pytest.mark.parametrize("factor", [0.01, 100.0, 0.001])
def test_a_factor_of_100_or_1000_is_another_unit_of_money(factor: float) -> None:
    (line,) = faults(scaled(factor))
    assert line.startswith(f"Close changed by a factor of 100 or 1000, as from pence to pounds: {DAY}")


@given(row=st.integers(30, len(SOUND) - 30), factor=st.sampled_from([0.01, 0.1, 0.3, 0.5, 1.6, 2.5, 7.0, 100.0]))
@settings(max_examples=60, deadline=None)
def test_a_price_that_goes_away_and_returns_the_next_session_is_wrong_at_any_place(row: int, factor: float) -> None:
    values = SOUND.values.copy()
    values[row, :5] *= factor
    values[:, 5] = 1e6
    (line,) = faults(replace(SOUND, values=values))
    assert line.startswith(f"Close that went away and returned in the next session: {SOUND.sessions[row]} (")


@given(row=st.integers(30, len(SOUND) - 30), factor=st.floats(0.44, 0.455))
@settings(max_examples=60, deadline=None)
def test_a_true_fall_is_accepted_at_any_place(row: int, factor: float) -> None:
    assert faults(scaled(factor, row)) == []


def test_the_newest_session_far_from_the_others_is_wrong_only_on_a_day_like_any_other() -> None:
    last = len(SOUND) - 1
    (line,) = faults(scaled(0.44, last))
    assert line.startswith("newest Close far from the one before")
    values = scaled(0.44, last).values.copy()
    values[last, 5] *= 20
    assert faults(replace(SOUND, values=values)) == []


def test_cheap_prices_take_a_coin_at_a_time() -> None:
    values = np.tile([0.02, 0.02, 0.02, 0.02, 0.02, 1000.0], (len(SOUND), 1))
    values[ROW, :5] = 0.03
    values[200, :5] = 0.01
    assert faults(replace(SOUND, values=values)) == []


def test_a_day_without_trade_at_the_price_before_is_a_note() -> None:
    values = SOUND.values.copy()
    values[ROW, :5], values[ROW, 5] = values[ROW - 1, 3], 0
    notes = check_prices(replace(SOUND, values=values), CALENDAR)
    assert notes == (f"1 session without trade: volume 0, and every price the Close before: {DAY}",)


def test_what_never_has_volume_may_close_a_hair_outside_its_range() -> None:
    values = SOUND.values.copy()
    values[:, 5] = 0
    values[ROW, 3] = values[ROW, 4] = values[ROW, 1] * 1.002
    assert check_prices(replace(SOUND, values=values), CALENDAR) == (f"Close outside Low to High by a hair: {DAY}",)


def test_an_accepted_day_is_a_note_with_who_and_why_but_no_missing_number_is() -> None:
    accepted = ChecksConfig(accepted={date.fromisoformat(DAY): "accepted by ada on 2026-11-27: looked up"})
    (note,) = check_prices(scaled(0.5), CALENDAR, accepted)
    assert note.startswith(f"{DAY}: Close changed as by a split")
    assert note.endswith("; accepted by ada on 2026-11-27: looked up")
    assert faults(without(ROW), accepted) == []
    assert faults(with_cell("Open", np.nan), accepted) == [f"Open not a number: {DAY}"]


def test_the_remedy_names_the_ways_that_can_help() -> None:
    with pytest.raises(FaultyPrices) as old:
        check_prices(replace(scaled(0.5), source="yahoo"), CALENDAR)
    assert f"--accept {DAY}" in old.value.remedy
    assert f"--from {SOUND.sessions[ROW + 1]}" in old.value.remedy
    assert "try again later" not in old.value.remedy
    with pytest.raises(FaultyPrices) as zero:
        check_prices(with_cell("Open", 0.0), CALENDAR)
    assert "--accept" not in zero.value.remedy
    with pytest.raises(FaultyPrices, match="try again later"):
        check_prices(replace(without(len(SOUND) - 3), source="yahoo"), CALENDAR)


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
    files = sorted(real_prices.glob("*.csv"))
    assert files
    for file in files:
        assert faults(read_csv(file)) == [], file.name


def oil() -> Prices:
    """A future that was below zero on two days, as oil's was in April 2020, and has 300 sessions after them."""
    days = ExchangeCalendar("CMES").sessions(date(2018, 1, 2), date(2021, 6, 30))
    values = np.tile([20.0, 21.0, 19.0, 20.0, 20.0, 1000.0], (len(days), 1))
    values[days == np.datetime64("2020-04-20")] = [17.73, 17.85, -40.32, -37.63, -37.63, 247947.0]
    values[days == np.datetime64("2020-04-21")] = [-14.0, 13.86, -16.74, 10.01, 10.01, 6000.0]
    future = Security(ticker="CL=F", exchange="CMES", currency="USD", kind="FUTURE")
    return Prices(security=future, source="yahoo", origin="loopback", sessions=days, values=values)


def test_a_future_below_zero_is_refused_with_its_days_what_is_needed_and_the_first_day_to_begin_with() -> None:
    calendar = ExchangeCalendar("CMES")
    with pytest.raises(FaultyPrices) as refused:
        check_prices(oil(), calendar)
    assert refused.value.have == "1 fault\n  - Open, Low, Close, Adj Close negative: 2020-04-20, 2020-04-21"
    assert "every price above 0, since a forecast is made from ratios of prices" in str(refused.value.need)
    ways = str(refused.value.remedy)
    assert ways.startswith("use later days only: --from 2020-04-22")
    assert "--accept" not in ways
    assert "try again" not in ways
    assert check_prices(oil().since(date(2020, 4, 22)), calendar) == ()


def test_a_price_below_zero_in_a_file_may_be_true_and_is_not_said_to_be_corrected() -> None:
    with pytest.raises(FaultyPrices) as refused:
        check_prices(replace(oil().until(date(2020, 6, 30)), source="csv"), ExchangeCalendar("CMES"))
    assert refused.value.remedy == "use earlier days only: --as-of DAY, before 2020-04-20"


def test_a_day_when_a_future_is_settled_without_trade_is_a_note() -> None:
    values = oil().values.copy()
    values[7, COLUMNS.index("Volume")] = 0
    values[7, :4] = [20.5, 20.9, 19.5, 20.1]
    after = replace(oil(), values=values).until(date(2020, 4, 17))
    assert check_prices(after, ExchangeCalendar("CMES")) == (
        f"1 session with volume 0: prices as they were settled: {after.sessions[7]}",
    )
    share = replace(after, security=replace(after.security, kind="EQUITY", exchange="XNYS"))
    assert f"Volume missing, zero or negative: {after.sessions[7]}" in faults(share, calendar=ExchangeCalendar("CMES"))


def test_a_future_may_be_settled_a_hair_outside_the_days_range_and_no_further() -> None:
    values = oil().values.copy()
    values[7, :4] = [20.0, 21.0, 19.0, 21.05]
    future = replace(oil(), values=values).until(date(2020, 4, 17))
    assert check_prices(future, ExchangeCalendar("CMES")) == (
        f"Close outside Low to High by a hair: {future.sessions[7]}",
    )
    values = values.copy()
    values[7, 3] = 21.5
    far = replace(oil(), values=values).until(date(2020, 4, 17))
    assert faults(far, calendar=ExchangeCalendar("CMES")) == [
        f"Close outside Low to High: {far.sessions[7]}",
    ]
