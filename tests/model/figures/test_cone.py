"""The cone of several sessions: where its ranges end, what is grey, what came, and the same as a small picture."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pytest

from model.figures.newest.cone import Cone, Step, cone_figure, cone_svg
from model.figures.style import FORECAST, MISS, NAIVE
from model.market.money import Money
from tests.model.figures.given import line, overlaps

SVG = "{http://www.w3.org/2000/svg}"
HALVES = {1: (1.0, 2.0), 5: (2.5, 4.5), 21: (5.0, 9.0)}


def cone(came: Sequence[float | None] = (None, None, None), no_skill: Sequence[int] = (21,)) -> Cone:
    """As of the last session of 2019, one, five and twenty-one sessions ahead: a dollar above the newest Close."""
    days = (date(2020, 1, 2), date(2020, 1, 8), date(2020, 1, 31))
    steps = tuple(
        Step(
            horizon=horizon,
            session=day,
            median=101.0,
            intervals={80: (101.0 - inner, 101.0 + inner), 95: (101.0 - outer, 101.0 + outer)},
            naive=horizon in no_skill,
            came=price,
        )
        for (horizon, (inner, outer)), day, price in zip(HALVES.items(), days, came, strict=True)
    )
    return Cone(as_of=date(2019, 12, 31), start=100.0, started="newest Close", steps=steps, money=Money("USD", 2))


def test_each_range_begins_at_the_newest_price_and_ends_at_its_bounds() -> None:
    (axes,) = cone_figure([cone()], "META-Open version 3").axes
    bands = [np.asarray(band.get_paths()[0].vertices) for band in axes.collections[:6]]
    heights = [
        {x: (side[:, 1].min(), side[:, 1].max()) for x in (0, 1, 5, 21) if len(side := band[band[:, 0] == x])}
        for band in bands
    ]
    assert heights[:3] == [
        {0: (100, 100), 1: (99.0, 103.0)},
        {1: (99.0, 103.0), 5: (96.5, 105.5)},
        {5: (96.5, 105.5), 21: (92.0, 110.0)},
    ]
    assert heights[3:] == [
        {0: (100, 100), 1: (100.0, 102.0)},
        {1: (100.0, 102.0), 5: (98.5, 103.5)},
        {5: (98.5, 103.5), 21: (96.0, 106.0)},
    ]
    assert list(np.asarray(line(axes, "median").get_ydata())) == [101.0]
    assert axes.get_ylabel() == "price (US dollars)"


def test_only_what_is_naive_is_grey() -> None:
    def colours(one: Cone) -> list[object]:
        (axes,) = cone_figure([one], "META-Open version 3").axes
        return [each.get_color() for each in axes.get_lines() if each.get_marker() == "o"]

    assert colours(cone()) == [FORECAST, FORECAST, NAIVE]
    assert colours(cone(no_skill=())) == [FORECAST, FORECAST, FORECAST]


def test_prices_that_came_are_drawn_where_they_are_known_and_marked_outside_the_wider_range() -> None:
    left, right = cone_figure([cone((101.5, 105.6, 108.0)), cone((101.5, None, None))], "META-Open version 3").axes
    crosses = [
        (each.get_xdata()[0], each.get_ydata()[0], each.get_color() == MISS)  # type: ignore[index]
        for axes in (left, right)
        for each in axes.get_lines()
        if each.get_marker() == "x"
    ]
    assert crosses == [(1, 101.5, False), (5, 105.6, True), (21, 108.0, False), (1, 101.5, False)]
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["as of 2019-12-31, to 2020-01-31"] * 2


@pytest.mark.parametrize("cones", [[cone()], [cone((101.5, 105.6, 108.0)), cone()]])
def test_nothing_is_cut_off_and_the_legend_lies_on_nothing(cones: list[Cone]) -> None:
    assert overlaps(cone_figure(cones, "META-Open version 3: several sessions ahead")) == []


def test_the_small_picture_says_the_prices_and_is_grey_where_the_naive_distribution_stands() -> None:
    drawn = ElementTree.fromstring(cone_svg(cone(), "META <Open>"))  # noqa: S314 - a picture of ours
    assert [text.text for text in drawn.iter(f"{SVG}title")] == ["META <Open>"]
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts[:4] == ["$100.00", "1", "5", "21"]
    assert {"$92.00", "$101.00", "$110.00"} <= set(texts)
    assert str(texts[-1]).endswith("naive in grey")
    assert [dot.get("fill") for dot in drawn.iter(f"{SVG}circle")] == [FORECAST, FORECAST, NAIVE]
    assert len(list(drawn.iter(f"{SVG}polygon"))) == 6
    assert "grey" not in cone_svg(cone(no_skill=()), "META Open")


def test_prices_that_do_not_differ_and_a_horizon_without_ranges_are_drawn_too() -> None:
    still = tuple(replace(step, median=100.0, intervals={}) for step in cone().steps)
    for one in (replace(cone(), steps=still), replace(cone(), steps=(*cone().steps[:2], still[2]))):
        ElementTree.fromstring(cone_svg(one, "META Open"))  # noqa: S314 - a picture of ours
        assert overlaps(cone_figure([one], "META-Open version 3")) == []
