"""What a source changed of the past: the usual is told from the irregular, and every change is said."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices, Values
from model.market.restatement import compare_prices, with_vanished
from model.market.synthetic import sample_prices

BEFORE = sample_prices(date(2014, 12, 31), 0, ExchangeCalendar())
ADJUSTED, VOLUME = COLUMNS.index("Adj Close"), COLUMNS.index("Volume")
N = len(BEFORE)


def with_values(values: Values) -> Prices:
    return replace(BEFORE, values=values)


def without_rows(*rows: int) -> Prices:
    kept = np.delete(np.arange(N), rows)
    return replace(BEFORE, sessions=BEFORE.sessions[kept], values=BEFORE.values[kept])


def split(values: Values, factor: float, rows: int = N) -> Values:
    """The prices of the first rows multiplied, and their volumes divided, rounded as Yahoo rounds."""
    values = values.copy()
    values[:rows, :5] = np.round(values[:rows, :5] * factor, 6)
    values[:rows, VOLUME] = np.round(values[:rows, VOLUME] / factor)
    return values


def dividend(values: Values, factor: float, rows: int = N) -> Values:
    values = values.copy()
    values[:rows, ADJUSTED] = np.round(values[:rows, ADJUSTED] * factor, 6)
    return values


def changed(row: int, column: str = "Close", factor: float = 1.01) -> Values:
    values = BEFORE.values.copy()
    values[row, COLUMNS.index(column)] *= factor
    return values


def test_the_same_prices_are_the_same() -> None:
    comparison = compare_prices(BEFORE, BEFORE)
    assert (comparison.verdict, comparison.lines, comparison.days) == ("same", (), ())


def test_numbers_that_differ_by_rounding_are_the_same() -> None:
    values = BEFORE.values.astype(np.float32).astype(np.float64)
    assert compare_prices(BEFORE, with_values(values)).verdict == "same"


def test_newer_sessions_are_growth_and_are_counted() -> None:
    comparison = compare_prices(BEFORE.until(date(2014, 12, 26)), BEFORE)
    assert comparison.verdict == "grown"
    assert comparison.lines == ("3 sessions added: 2014-12-29 to 2014-12-31",)


@pytest.mark.parametrize("row", [N - 1, N - 2])
def test_the_newest_two_sessions_may_settle(row: int) -> None:
    comparison = compare_prices(BEFORE, with_values(changed(row)))
    assert comparison.verdict == "settled"
    was, now = BEFORE.values[row, 3], BEFORE.values[row, 3] * 1.01
    assert comparison.lines == (f"{BEFORE.sessions[row]}: Close {was:.4f} became {now:.4f} (+1.00%)",)


@pytest.mark.parametrize("column", COLUMNS)
def test_the_third_newest_may_not(column: str) -> None:
    comparison = compare_prices(BEFORE, with_values(changed(N - 3, column, 1.2)))
    assert comparison.verdict == "restated"
    assert comparison.days == (str(BEFORE.sessions[N - 3]),)
    assert column in comparison.lines[0]


def test_volumes_may_be_corrected_a_little() -> None:
    assert compare_prices(BEFORE, with_values(changed(100, "Volume", 1.04))).verdict == "same"


def test_a_dividend_rescales_the_adjusted_past() -> None:
    comparison = compare_prices(BEFORE, with_values(dividend(BEFORE.values, 0.9992)))
    assert comparison.verdict == "dividend"
    assert comparison.lines == (f"dividend: Adj Close up to {BEFORE.last} multiplied by 0.9992",)


def test_a_dividend_that_is_taken_back_is_said_to_be() -> None:
    paid = with_values(dividend(BEFORE.values, 0.98))
    comparison = compare_prices(paid, BEFORE)
    assert comparison.verdict == "dividend"
    assert comparison.lines[0].startswith("dividend taken back: ")


@pytest.mark.parametrize(
    ("factor", "said"),
    [(0.5, "2:1"), (2 / 3, "3:2"), (0.05, "20:1"), (10.0, "1:10"), (25.0, "1:25"), (0.9643, "1.037:1")],
)
def test_a_split_rescales_every_price_and_its_ratio_is_said(factor: float, said: str) -> None:
    comparison = compare_prices(BEFORE, with_values(split(BEFORE.values, factor)))
    assert comparison.verdict == "split"
    assert comparison.lines == (f"split {said}: prices up to {BEFORE.last} multiplied by {factor:.6g}",)


def test_a_split_whose_volumes_stay_is_a_split() -> None:
    values = split(BEFORE.values, 0.5)
    values[:, VOLUME] = BEFORE.values[:, VOLUME]
    assert compare_prices(BEFORE, with_values(values)).verdict == "split"


@pytest.mark.parametrize(("factor", "said"), [(0.01, "divided by 100"), (100.0, "multiplied by 100")])
def test_a_whole_history_in_another_unit_is_no_split(factor: float, said: str) -> None:
    values = BEFORE.values.copy()
    values[:, :5] *= factor
    comparison = compare_prices(BEFORE, with_values(values))
    assert comparison.verdict == "units"
    assert comparison.lines == (f"change of units: prices up to {BEFORE.last} {said}, and volumes as before",)


def test_days_that_vanish_are_taken_from_before_and_rescaled_by_what_has_happened_since() -> None:
    after = with_values(dividend(split(BEFORE.values, 0.5), 0.99))
    kept = np.delete(np.arange(N), [100, 101])
    torn = replace(after, sessions=after.sessions[kept], values=after.values[kept])
    filled, days = with_vanished(BEFORE, torn, BEFORE.sessions)
    assert [str(day) for day in days] == [str(BEFORE.sessions[100]), str(BEFORE.sessions[101])]
    np.testing.assert_allclose(filled.values, after.values, rtol=1e-5)
    assert compare_prices(BEFORE, filled).verdict == "split"


def test_what_was_never_known_and_what_is_at_the_end_is_not_filled_in() -> None:
    torn = without_rows(100)
    assert len(with_vanished(torn, torn, BEFORE.sessions)[1]) == 0
    assert len(with_vanished(BEFORE, BEFORE.rows(0, N - 1), BEFORE.sessions)[1]) == 0


def test_a_split_and_a_dividend_with_new_sessions_are_all_said() -> None:
    values = dividend(split(BEFORE.values, 0.25), 0.995)
    values[-3:] = BEFORE.values[-3:]
    comparison = compare_prices(BEFORE.until(date(2014, 12, 26)), with_values(values))
    assert comparison.verdict == "split"
    assert [line.partition(" ")[0] for line in comparison.lines] == ["split", "dividend:", "3"]
    assert "multiplied by 0.995" in comparison.lines[1]


@pytest.mark.parametrize("late", [1, 2, 5, 10])
def test_a_split_or_dividend_may_come_some_days_late(late: int) -> None:
    rows = N - late
    halved = compare_prices(BEFORE, with_values(split(BEFORE.values, 0.5, rows)))
    assert halved.verdict == "split"
    assert len(halved.lines) == 1
    paid = compare_prices(BEFORE, with_values(dividend(BEFORE.values, 0.99, rows)))
    assert paid.verdict == "dividend"
    assert len(paid.lines) == 1


def test_half_of_the_past_rescaled_is_no_split() -> None:
    assert compare_prices(BEFORE, with_values(split(BEFORE.values, 0.5, N // 2))).verdict == "restated"
    assert compare_prices(BEFORE, with_values(dividend(BEFORE.values, 0.99, N // 2))).verdict == "restated"


def test_a_split_does_not_hide_another_change() -> None:
    values = split(BEFORE.values, 0.5)
    values[200, 0] *= 1.02
    comparison = compare_prices(BEFORE, with_values(values))
    assert comparison.verdict == "restated"
    assert comparison.days == (str(BEFORE.sessions[200]),)
    assert "(+2.00%)" in comparison.lines[0]
    assert "Close" not in comparison.lines[0]
    assert comparison.lines[1].startswith("split 2:1")


def test_sessions_that_are_gone_or_put_in_are_a_restatement() -> None:
    day = str(BEFORE.sessions[100])
    gone, put_in = compare_prices(BEFORE, without_rows(100)), compare_prices(without_rows(100), BEFORE)
    assert (gone.verdict, gone.lines, gone.days) == ("restated", (f"1 session of the past gone: {day}",), (day,))
    assert (put_in.verdict, put_in.lines) == ("restated", (f"1 session put into the past: {day}",))


def test_many_changed_days_are_counted_and_the_first_five_shown() -> None:
    values = BEFORE.values.copy()
    values[100:200, 3] *= np.linspace(1.01, 1.1, 100)
    comparison = compare_prices(BEFORE, with_values(values))
    assert len(comparison.days) == 100
    assert len(comparison.lines) == 6
    assert comparison.lines[5] == f"and 95 sessions more, {BEFORE.sessions[105]} to {BEFORE.sessions[199]}"


def test_a_history_that_ends_earlier_says_so() -> None:
    comparison = compare_prices(BEFORE, BEFORE.until(date(2014, 12, 29)))
    assert comparison.verdict == "same"
    assert comparison.lines == ("2 sessions at the end not there: 2014-12-30 to 2014-12-31",)


@given(row=st.integers(0, N - 3), column=st.sampled_from(COLUMNS[:5]), factor=st.floats(1.001, 3))
@settings(max_examples=200, deadline=None)
def test_no_changed_price_of_the_past_passes(row: int, column: str, factor: float) -> None:
    comparison = compare_prices(BEFORE, with_values(changed(row, column, factor)))
    assert comparison.verdict == "restated"
    assert comparison.days == (str(BEFORE.sessions[row]),)


@given(
    factor=st.sampled_from([0.5, 0.1, 2 / 3, 4.0]),
    paid=st.floats(0.9, 0.9995),
    added=st.integers(0, 60),
    settled=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_no_regular_change_is_taken_for_irregular(factor: float, paid: float, added: int, settled: bool) -> None:
    rows = N - added
    values = dividend(split(BEFORE.values, factor, rows), paid, rows)
    if settled:
        values[rows - 1, :4] *= 1.001
    assert compare_prices(BEFORE.rows(0, rows), with_values(values)).verdict == "split"
