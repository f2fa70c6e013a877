"""The market's present scale, where it is known."""

import numpy as np
import pytest

from model.artifact.scale import LEAST_SCALE, MovementScale, Table, newest_movements
from tests.market import make_prices


def steady(n: int) -> Table:
    """Each session opens 1 % above the Close before and ranges over a ratio whose scale is 2 %."""
    close = np.asarray(100 * 1.01 ** np.arange(n), dtype=np.float64)
    low, high = close * 0.99, close * 0.99 * np.exp(0.02 * np.sqrt(4 * np.log(2)))
    return {"Open": close, "High": high, "Low": low, "Close": close}


def test_a_movement_is_the_overnight_jump_and_the_range() -> None:
    np.testing.assert_allclose(newest_movements(steady(5), 4), np.log(1.01) + 0.02)


def test_the_oldest_session_has_no_movement() -> None:
    assert np.isnan(newest_movements(steady(5), 7)).tolist() == [True, True, True, False, False, False, False]


def test_the_scale_of_a_market_of_steady_movements_is_their_size() -> None:
    np.testing.assert_allclose(MovementScale().at(steady(50), 3), np.log(1.01) + 0.02)


def test_in_dollars_it_is_a_share_of_the_newest_close() -> None:
    table, scale = steady(50), MovementScale()
    np.testing.assert_allclose(scale.dollars(table, 2), scale.at(table, 2) * table["Close"][-2:])


def test_a_wild_session_widens_the_scale_at_once_and_is_half_forgotten_after_the_half_life() -> None:
    close = np.full(100, 100.0)
    open_ = close.copy()
    open_[60] = 110.0
    scale = MovementScale(recent=1.0).at({"Open": open_, "High": close, "Low": close, "Close": close}, 41)
    jump = np.log(1.1)
    assert scale[0] == LEAST_SCALE  # the least there is: row 60 is the first that moves
    assert scale[1] / jump == pytest.approx(1 - 0.5**0.5, rel=1e-4)
    assert scale[3] == pytest.approx(scale[1] / 2)


def test_a_scale_needs_forty_sessions_and_all_four_prices() -> None:
    table = make_prices(60).table()
    scale = MovementScale()
    assert scale.rows == 40
    newest = {name: values[-41:] for name, values in table.items()}
    np.testing.assert_array_equal(scale.at(newest, 3), [np.nan, *scale.at(table, 2)])
    assert np.isnan(scale.at({"Open": table["Open"]}, 2)).all()
    assert np.isnan(scale.dollars({"Open": table["Open"]}, 2)).all()


def test_the_number_of_origins_changes_no_digit() -> None:
    table = make_prices(300).table()
    scale = MovementScale()
    every = scale.at(table, 200)
    for origins in (1, 2, 7, 39, 199):
        np.testing.assert_array_equal(scale.at(table, origins), every[-origins:])


@pytest.mark.parametrize("fault", [np.nan, 0.0, -1.0, np.inf])
def test_a_scale_whose_sessions_hold_an_impossible_price_is_not_a_number(fault: float) -> None:
    table = {name: values.copy() for name, values in make_prices(100).table().items()}
    table["High"][-50] = fault
    found = MovementScale().at(table, 50)
    assert np.isnan(found[:39]).all()
    assert np.isfinite(found[39:]).all()
