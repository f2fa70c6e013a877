"""The nineteen inputs of the linear branch, each on a table whose answer is known."""

from datetime import date

import numpy as np
import pytest

from model.artifact.market_state import (
    LARGEST_INPUT,
    LARGEST_MOVE,
    STATE,
    StateBranch,
    market_state,
    next_weekday,
)
from model.artifact.scale import MovementScale, Values
from tests.market import make_prices

SCALE = MovementScale()
N = 800
Table = dict[str, Values]


def number(day: date) -> float:
    return float((day - date(1970, 1, 1)).days)


def every_day(n: int = N) -> Table:
    """A market without weekends that ranges over one per cent a session and never jumps: its scale is one per cent."""
    close = np.full(n, 100.0)
    high = 100 * np.exp(0.01 * np.sqrt(4 * np.log(2)))
    table = {"Open": close, "High": np.full(n, high), "Low": close, "Close": close, "Volume": np.full(n, 1e6)}
    return {name: values.copy() for name, values in table.items()} | {"Date": 18000.0 + np.arange(n)}


def state_of(table: Table, following: float | None = None, origins: int = 1) -> dict[str, float]:
    """The state at the newest origin, by name."""
    after = float(table["Date"][-1]) + 1 if following is None and "Date" in table else following
    return dict(zip(STATE, market_state(table, origins, after, SCALE)[-1].tolist(), strict=True))


def with_jump(days_before_the_next: int, percent: float = 5.0) -> Table:
    """The market with one overnight jump, so many days before the session after the newest one."""
    table = every_day()
    for name in ("Open", "High", "Low", "Close"):
        table[name][N - days_before_the_next :] *= np.exp(percent / 100)
    return table


def differing(table: Table) -> dict[str, float]:
    """The inputs that are not as in the market that never jumps."""
    before = state_of(every_day())
    return {name: value for name, value in state_of(table).items() if value != pytest.approx(before[name], abs=1e-9)}


def test_nineteen_inputs_are_all_zero_in_a_market_that_does_always_the_same_but_for_its_movement_a_year_ago() -> None:
    state = state_of(every_day())
    assert len(state) == 19
    assert state.pop("movement_year_ago") == pytest.approx(1)
    assert list(state.values()) == pytest.approx([0.0] * 18, abs=1e-9)


def test_a_jump_on_the_same_weekday_a_year_before_is_seen_as_just_that() -> None:
    seen = differing(with_jump(364))
    # Five per cent, where the scale of the day before was one.
    assert seen == {
        "night_year_ago": pytest.approx(5),
        "movement_year_ago": pytest.approx(6),  # the jump and the range
        "largest_night_year_ago": pytest.approx(5),
        "jumps_in_quarters": 1,
    }


@pytest.mark.parametrize("off", [-3, -1, 1, 3])
def test_a_jump_within_three_days_of_it_is_the_largest_there(off: int) -> None:
    seen = differing(with_jump(364 + off))
    # One that came before widens the scale in which the day itself is measured.
    assert ("movement_year_ago" in seen) == (off > 0)
    assert seen.pop("movement_year_ago", 0.5) < 1
    assert seen == {"largest_night_year_ago": pytest.approx(5)}


@pytest.mark.parametrize("off", [-8, -6, -4, 4, 6, 8])
def test_a_jump_on_another_day_is_not_seen(off: int) -> None:
    assert differing(with_jump(364 + off)).keys() <= {"movement_year_ago"}  # in a scale that an earlier jump widened


@pytest.mark.parametrize("off", [-7, 7])
def test_a_jump_a_week_off_is_counted_alone(off: int) -> None:
    seen = differing(with_jump(364 + off))
    assert seen.pop("jumps_in_quarters") == 1
    assert seen.keys() <= {"movement_year_ago"}


def test_a_jump_a_quarter_before_is_seen_as_last_quarters() -> None:
    seen = differing(with_jump(91))
    echo = {name: seen.pop(name) for name in ("night_quarter_ago", "jumps_in_quarters")}
    assert echo == {"night_quarter_ago": pytest.approx(5), "jumps_in_quarters": 1}
    assert seen.keys() == {"movement_250"}  # the mean of 250 sessions still holds it
    assert seen["movement_250"] == pytest.approx(np.log(1 + 5 / 250))


@pytest.mark.parametrize("days", [182, 273])
def test_jumps_in_the_quarters_between_are_counted(days: int) -> None:
    assert differing(with_jump(days))["jumps_in_quarters"] == 1


def test_one_jump_in_each_quarter_counts_four_and_a_small_one_counts_nothing() -> None:
    table = every_day()
    for days in (91, 182 - 7, 273, 364 + 7):
        for name in ("Open", "High", "Low", "Close"):
            table[name][N - days :] *= np.exp(0.05)
    assert state_of(table)["jumps_in_quarters"] == 4
    assert "jumps_in_quarters" not in differing(with_jump(364, percent=2.4))


def test_no_jump_counts_as_larger_than_eight_scales() -> None:
    assert state_of(with_jump(364, percent=30.0))["night_year_ago"] == LARGEST_MOVE


def test_a_day_without_a_session_a_year_before_had_no_move() -> None:
    table = with_jump(364)
    without = {name: np.delete(values, N - 364) for name, values in table.items()}
    state = state_of(without)
    # The jump is now the next session's, a day later.
    assert (state["night_year_ago"], state["movement_year_ago"]) == (0, 0)
    assert state["largest_night_year_ago"] == pytest.approx(5)


def test_without_dates_or_with_a_missing_one_the_echo_is_missing_and_nothing_else() -> None:
    table = with_jump(364)
    there = list(state_of(table).values())
    undated = list(state_of({name: values for name, values in table.items() if name != "Date"}).values())
    table["Date"][3] = np.nan
    for values in (undated, market_state(table, N, None, SCALE)[-1].tolist()):
        assert np.isnan(values[:5]).all()
        assert values[5:] == there[5:]


def test_movements_are_means_over_the_present_scale() -> None:
    table = every_day()
    table["Open"][-1] = table["High"][-1] = table["Close"][-1] = 100 * np.exp(0.04)  # and its range is 4 % / 1.665
    movement = 0.04 + 0.04 / np.sqrt(4 * np.log(2))
    scale = SCALE.at(table, 1)[0]
    for window in (1, 5, 22, 66, 250):
        mean = (movement + 0.01 * (window - 1)) / window
        assert state_of(table)[f"movement_{window}"] == pytest.approx(np.log(mean / scale))


def test_a_mean_is_taken_where_at_least_half_of_its_sessions_are_there() -> None:
    table = {name: values[-126:] for name, values in every_day().items()}  # 125 movements
    assert state_of(table)["movement_250"] == pytest.approx(0, abs=1e-9)
    shorter = {name: values[1:] for name, values in table.items()}
    assert np.isnan(state_of(shorter)["movement_250"])


@pytest.mark.parametrize(("sign", "falls"), [(1, False), (-1, True)])
def test_returns_are_changes_of_the_close_in_scales_and_falls_are_the_negative_ones(sign: int, falls: bool) -> None:
    table = every_day()
    table["Close"][-4:] = 100 * np.exp(sign * 0.03)  # four sessions ago, and it stays there
    scale, state = SCALE.at(table, 1)[0], state_of(table)
    assert state["return_1"] == 0
    assert state["return_5"] == pytest.approx(sign * 0.03 / scale / np.sqrt(5))
    assert state["return_22"] == pytest.approx(sign * 0.03 / scale / np.sqrt(22))
    for sessions in (5, 22):
        assert state[f"fall_{sessions}"] == (state[f"return_{sessions}"] if falls else 0)


def test_the_volume_stands_beside_its_mean_in_logarithms() -> None:
    table = every_day()
    table["Volume"][-1] = 1e6 * np.exp(2)
    state = state_of(table)
    assert [state[f"volume_{window}"] for window in (5, 22, 250)] == pytest.approx(
        [2 - 2 / window for window in (5, 22, 250)]
    )
    assert np.isnan(list(state_of({n: v for n, v in table.items() if n != "Volume"}).values())[-3:]).all()


@pytest.mark.parametrize("origins", [1, 3, 40])
def test_sessions_further_back_than_a_year_and_the_scale_change_no_digit(origins: int) -> None:
    table = make_prices(900).table()
    needed = 374 + 40 + origins
    short = {name: values[-needed:] for name, values in table.items()}
    np.testing.assert_array_equal(market_state(short, origins, None, SCALE), market_state(table, origins, None, SCALE))


def test_the_number_of_origins_changes_no_digit() -> None:
    table = make_prices(700).table()
    every = market_state(table, 660, None, SCALE)
    assert (np.nan_to_num(every[-1]) != 0).sum() > 12
    for origins in (1, 2, 30, 300):
        np.testing.assert_array_equal(market_state(table, origins, None, SCALE), every[-origins:])


def test_the_following_session_decides_the_newest_row_and_no_other() -> None:
    """A year before the Tuesday after a holiday is another day than a year before the Monday itself."""
    table = make_prices(500).table()
    monday = next_weekday(float(table["Date"][-1]))
    weekday, holiday = (market_state(table, 5, day, SCALE) for day in (monday, monday + 1))
    np.testing.assert_array_equal(weekday, market_state(table, 5, None, SCALE))
    np.testing.assert_array_equal(weekday[:-1], holiday[:-1])
    assert (weekday[-1, :3] != holiday[-1, :3]).all()
    np.testing.assert_array_equal(weekday[-1, 5:], holiday[-1, 5:])


@pytest.mark.parametrize(
    ("day", "after"),
    [
        (date(2020, 11, 23), date(2020, 11, 24)),  # a Monday
        (date(2020, 11, 26), date(2020, 11, 27)),
        (date(2020, 11, 27), date(2020, 11, 30)),  # a Friday
        (date(2020, 11, 28), date(2020, 11, 30)),
        (date(2020, 11, 29), date(2020, 11, 30)),
        (date(1970, 1, 2), date(1970, 1, 5)),
        (date(1969, 12, 26), date(1969, 12, 29)),
    ],
)
def test_the_next_weekday_leaves_out_saturday_and_sunday(day: date, after: date) -> None:
    assert next_weekday(number(day)) == number(after)


BRANCH = StateBranch(
    constant=0.25,
    weights=(2.0, *[0.5] * 18),
    means=(1.0, *[3.0] * 18),
    deviations=(4.0, *[1.0] * 18),
)


def test_the_branch_is_the_weighted_sum_of_standardised_inputs() -> None:
    state = np.full((1, 19), 3.0)
    state[0, 0], state[0, 1] = 7.0, 4.0
    assert BRANCH.correction(state).tolist() == [0.25 + 2 * 1.5 + 0.5]


def test_what_is_missing_counts_as_the_mean() -> None:
    state = np.array([[1.0, *[3.0] * 18], [np.nan] * 19, [1.0, np.nan, *[3.0] * 17]])
    assert BRANCH.correction(state).tolist() == [0.25] * 3


def test_an_input_counts_for_four_deviations_at_most() -> None:
    state = np.array([[1e9, *[3.0] * 18], [-np.inf, *[3.0] * 18]])
    assert BRANCH.correction(state).tolist() == [0.25 + 2 * LARGEST_INPUT, 0.25]


def test_a_row_is_summed_alike_whatever_stands_beside_it() -> None:
    state = np.random.default_rng(0).normal(size=(50, 19))
    alone = [BRANCH.correction(state[row : row + 1])[0] for row in range(50)]
    np.testing.assert_array_equal(BRANCH.correction(state), alone)
    np.testing.assert_array_equal(BRANCH.correction(np.asfortranarray(state)), alone)
