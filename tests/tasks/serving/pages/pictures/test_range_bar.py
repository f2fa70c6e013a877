"""The bar of ranges: its middle is the naive forecast, and a quarter of it to either side the recent moves."""

import pytest

from tasks.serving.pages.pictures.range_bar import EDGE, WIDTH, range_bar
from tests.tasks.serving.pages.given import made_forecast

MIDDLE = WIDTH / 2
QUARTER = (MIDDLE - EDGE) / 2


def test_the_recent_moves_take_the_middle_half_whatever_the_price() -> None:
    for price in (0.004, 1.15, 94_310.5):
        bar = range_bar(made_forecast(price, "USD", 1, move=0.0, width=0.5))
        assert bar is not None
        assert bar.recent is not None
        assert (bar.recent.x, bar.recent.width) == pytest.approx((MIDDLE - QUARTER, 2 * QUARTER))
        assert bar.naive == MIDDLE


@pytest.mark.parametrize(("width", "cut"), [(0.5, False), (1.0, False), (1.9, False), (2.5, True)])
def test_a_range_is_as_long_as_it_is_wide_beside_recent_moves_and_cut_at_the_ends(width: float, cut: bool) -> None:
    bar = range_bar(made_forecast(100.0, "USD", 1, move=0.0, width=width))
    assert bar is not None
    assert bar.outer is not None
    assert bar.outer.width == pytest.approx(min(2 * QUARTER * width, WIDTH - 2 * EDGE), abs=0.2)
    assert (bar.outer.cut_left, bar.outer.cut_right) == (cut, cut)


def test_a_median_above_the_naive_forecast_lies_to_its_right() -> None:
    bar = range_bar(made_forecast(100.0, "USD", 1, move=0.03, width=0.5))
    assert bar is not None
    assert bar.median == pytest.approx(MIDDLE + QUARTER, abs=0.1)


def test_it_is_said_in_words_with_the_currency() -> None:
    bar = range_bar(made_forecast(100.0, "GBp", 1, move=0.0, width=0.5))
    assert bar is not None
    assert "median 100.00 GBp, naive 100.00 GBp" in bar.words
    assert "95 %: 98.50 to 101.50 GBp" in bar.words
    assert "50 % as wide as recent moves" in bar.words


def test_without_any_range_there_is_no_bar_and_without_recent_moves_its_own_range_is_the_scale() -> None:
    made = made_forecast(100.0, "USD", 1, move=0.0, width=0.5)
    bare = made.model_copy(update={"naive_ranges": {}})
    assert range_bar(bare.model_copy(update={"ranges": {}})) is None
    bar = range_bar(bare)
    assert bar is not None
    assert bar.recent is None
    assert bar.outer is not None
    assert bar.outer.width == pytest.approx(2 * QUARTER)
