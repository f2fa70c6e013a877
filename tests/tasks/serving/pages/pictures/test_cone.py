"""The cone of all horizons: where its bars stand, what is grey, and the same in words."""

import pytest

from tasks.serving.pages.pictures.cone import BELOW, EDGE, HEIGHT, WIDTH, cone_picture
from tests.tasks.serving.pages.given import made_row, with_cone

ROW = made_row(5)  # META, version 3
CONE = with_cone(ROW)


def test_each_horizon_stands_so_far_to_the_right_as_it_is_ahead() -> None:
    assert CONE.forecast is not None
    cone = cone_picture(CONE.forecast, CONE.further)
    assert cone is not None
    assert [step.label for step in cone.steps] == ["1", "5", "21"]
    far = [(step.x - EDGE) / (WIDTH - 2 * EDGE) for step in cone.steps]
    assert far == pytest.approx([1 / 21, 5 / 21, 1.0], abs=1e-3)


def test_the_widest_range_fills_the_height_and_each_one_holds_those_within_it() -> None:
    assert CONE.forecast is not None
    cone = cone_picture(CONE.forecast, CONE.further)
    assert cone is not None
    heights = []
    for step in cone.steps:
        assert step.outer is not None
        assert step.inner is not None
        assert step.outer[0] < step.inner[0] < step.median < step.inner[1] < step.outer[1]
        heights.append(step.outer[1] - step.outer[0])
    assert heights == sorted(heights)
    assert heights[-1] == pytest.approx(HEIGHT - BELOW - 2 * EDGE)


def test_only_a_horizon_of_the_naive_distribution_is_grey_and_the_words_say_so() -> None:
    assert CONE.forecast is not None
    cone = cone_picture(CONE.forecast, CONE.further)
    assert cone is not None
    assert [step.kind for step in cone.steps] == ["own", "own", "stand-in"]
    assert [len(step.outline) for step in cone.steps] == [2, 2, 2]
    next_session, week, month = cone.words.split("; ")
    assert next_session.startswith("next session, Mon 2026-11-30: median $")
    assert week.startswith("5 sessions ahead, Fri 2026-12-04: median $")
    assert week.endswith(", undecided")
    assert month.endswith(", the naive distribution, no skill")


def test_the_next_session_alone_has_no_cone_nor_has_a_horizon_without_ranges() -> None:
    assert CONE.forecast is not None
    assert cone_picture(CONE.forecast, ()) is None
    bare = CONE.further[0].model_copy(update={"ranges": {}})
    assert cone_picture(CONE.forecast, (bare,)) is None


def test_prices_that_do_not_differ_are_drawn_too() -> None:
    assert CONE.forecast is not None
    same = {80: (5.0, 5.0), 95: (5.0, 5.0)}
    made = CONE.forecast.model_copy(update={"ranges": same, "naive": 5.0, "median": 5.0})
    cone = cone_picture(made, [CONE.further[0].model_copy(update={"ranges": same, "median": 5.0})])
    assert cone is not None
    assert all(step.outer == step.inner for step in cone.steps)
