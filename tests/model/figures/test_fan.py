"""The fan and the width of intervals: bands, marks, lines and bars as high as the numbers they are given."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest

from model.evaluation.evaluation import Evaluation
from model.figures.axis import places
from model.figures.fan import fan_figure, scale_figure
from tests.model.figures.given import CLOSE, distributed, line, texts


def with_gaps(evaluation: Evaluation, *rows: int) -> Evaluation:
    quantiles = evaluation.quantiles.copy()
    quantiles[list(rows)] = np.nan
    return replace(evaluation, quantiles=quantiles)


def test_the_bands_are_the_intervals_and_the_line_is_the_median() -> None:
    evaluation = distributed([0.5, -0.5, 1.5])
    widths = np.array([[1.0], [2.0], [3.0]])
    evaluation = replace(evaluation, quantiles=CLOSE + (evaluation.quantiles - CLOSE) * widths)
    (axes,) = fan_figure(evaluation, "SAMPLE Open").axes
    assert [band.get_label() for band in axes.collections] == ["95 %", "80 %"]
    for band, half in zip(axes.collections, (2.0, 1.0), strict=True):
        corners = np.asarray(band.get_paths()[0].vertices)
        for day, width in zip(places(evaluation.sessions), widths[:, 0], strict=True):
            ends = corners[corners[:, 0] == day, 1]
            assert (ends.min(), ends.max()) == pytest.approx((CLOSE - half * width, CLOSE + half * width))
    assert np.asarray(line(axes, "median").get_ydata()) == pytest.approx(CLOSE)
    assert np.array_equal(line(axes, "actual").get_ydata(), evaluation.actual)


def test_every_price_outside_95_percent_is_marked_and_no_other() -> None:
    evaluation = distributed([0.0, 2.5, -1.9, -3.0, 2.0])  # on the very bound it is inside
    figure = fan_figure(evaluation, "SAMPLE Open")
    marks = line(figure.axes[0], "outside 95 %: 2")
    assert list(np.asarray(marks.get_ydata())) == [102.5, 97.0]
    assert list(np.asarray(marks.get_xdata())) == [1, 3]
    assert "80 % interval: held 1 of 5 prices, 4 expected" in texts(figure)
    assert "95 % interval: held 3 of 5 prices, 4.75 expected" in texts(figure)


def test_without_a_miss_nothing_is_marked() -> None:
    (axes,) = fan_figure(distributed([0.0, 0.1]), "SAMPLE Open").axes
    assert [line.get_label() for line in axes.get_lines()] == ["median", "actual", "naive: the newest Close"]


@pytest.mark.filterwarnings("error")
def test_a_session_without_neighbours_has_bars_of_its_own() -> None:
    for evaluation in (distributed([0.5]), with_gaps(distributed([0.5, 0.5, 0.5]), 0, 2)):
        figure = fan_figure(evaluation, "SAMPLE Open")
        (axes,) = figure.axes
        wide, narrow = axes.patches
        assert (wide.get_y(), wide.get_height()) == (98.0, 4.0)  # type: ignore[attr-defined]
        assert (narrow.get_y(), narrow.get_height()) == (99.0, 2.0)  # type: ignore[attr-defined]
        assert not axes.collections
        # The bars stand clear of the axis.
        assert axes.get_ylim()[0] < 98.0
        figure.savefig(BytesIO())


def test_the_legend_lies_outside_the_axes() -> None:
    figure = fan_figure(distributed([0.0, 5.0, 1.0]), "SAMPLE Open")
    figure.canvas.draw()
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert legend.get_window_extent().y0 >= figure.axes[0].get_window_extent().y1 - 5


def test_half_the_width_stands_over_the_moves_in_percent_of_the_newest_close() -> None:
    evaluation = distributed([0.5, -1.5, 0.0])
    figure = scale_figure(evaluation, "SAMPLE Open")
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.5, 1.5, 0.0])  # type: ignore[attr-defined]
    assert np.asarray(line(axes, "half the width of the 80 % interval").get_ydata()) == pytest.approx(1.0)
    assert axes.get_ylabel() == "% of the newest Close"
    assert "1 of 3 moves above the line, 0.6 expected" in texts(figure)


def test_percentages_do_not_depend_on_the_price() -> None:
    evaluation = distributed([0.5, -1.5, 0.0])
    tenth = replace(
        evaluation,
        actual=evaluation.actual / 10,
        naive={name: values / 10 for name, values in evaluation.naive.items()},
        quantiles=evaluation.quantiles / 10,
    )
    (axes,) = scale_figure(tenth, "SAMPLE Open").axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.5, 1.5, 0.0])  # type: ignore[attr-defined]


def test_moves_of_a_column_that_does_not_start_at_the_close_are_from_the_median() -> None:
    evaluation = replace(distributed([0.5, -1.5]), naive={"newest_High": np.array([90.0, 90.0])})
    (axes,) = scale_figure(evaluation, "SAMPLE High").axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.5, 1.5])  # type: ignore[attr-defined]
    assert axes.get_ylabel() == "% of the median"


def test_moves_are_compared_where_intervals_are_widest_and_narrowest() -> None:
    evaluation = distributed([0.25] * 20 + [3.0] * 5)
    widths = np.where(np.arange(25) < 20, 1.0, 2.0)[:, np.newaxis]
    evaluation = replace(evaluation, quantiles=CLOSE + (evaluation.quantiles - CLOSE) * widths)
    words = texts(scale_figure(evaluation, "SAMPLE Open"))
    assert "mean move 3.00 % in its highest fifth, 0.25 % in its lowest" in words


def test_a_crash_is_cut_off_and_named_so_that_the_rest_stays_readable() -> None:
    evaluation = distributed([0.5] * 15 + [-40.0] + [0.5] * 14)
    (axes,) = scale_figure(evaluation, "SAMPLE Open").axes
    _, top = axes.get_ylim()
    assert 2.5 < top < 3.0
    (note,) = axes.texts
    assert note.get_text() == f"40.0 % on {evaluation.sessions[15]}"


def test_the_name_of_a_move_that_is_cut_off_stands_above_the_other_bars_and_beside_its_own() -> None:
    errors = [2.4] * 40
    errors[15], errors[18], errors[30] = -40.0, 8.0, 60.0
    (axes,) = scale_figure(distributed(errors), "SAMPLE Open").axes
    cut = {round(bar.get_height()): bar.get_window_extent() for bar in axes.patches if bar.get_height() > 3}  # type: ignore[attr-defined]
    others = [bar.get_window_extent() for bar in axes.patches if bar.get_height() < 3]  # type: ignore[attr-defined]
    assert [note.get_text().split()[0] for note in axes.texts] == ["40.0", "8.0", "60.0"]
    for note in axes.texts:
        box = note.get_window_extent()
        own = cut[round(float(note.get_text().split()[0]))]
        assert box.y0 > max(other.y1 for other in others)
        assert box.x0 >= own.x1 or box.x1 <= own.x0
        # The bars that it crosses are behind it.
        back = note.get_bbox_patch()
        assert back is not None
        assert note.get_zorder() > axes.patches[0].get_zorder()
        assert back.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    boxes = [note.get_window_extent() for note in axes.texts]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_a_move_that_has_room_is_not_called_cut_off() -> None:
    (axes,) = scale_figure(distributed([0.5] * 29 + [2.6]), "SAMPLE Open").axes
    assert not axes.texts
    assert axes.get_ylim()[1] > 2.6


def test_the_naive_price_of_a_single_session_is_a_line_that_the_median_leaves_in_sight() -> None:
    (axes,) = fan_figure(distributed([0.5]), "SAMPLE Open").axes
    naive = line(axes, "naive: the newest Close")
    assert np.asarray(naive.get_xdata()).tolist() == [-0.4, 0.4]
    assert np.asarray(naive.get_ydata()).tolist() == [CLOSE, CLOSE]


def test_many_large_moves_are_no_exception() -> None:
    (axes,) = scale_figure(distributed([10.0, -10.0] * 15), "SAMPLE Open").axes
    assert axes.get_ylim()[1] > 10.0
    assert not axes.texts


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("errors", [[0.0], [0.0] * 30, [50.0, -50.0]])
def test_prices_that_never_move_and_ones_that_jump_are_drawn(errors: list[float]) -> None:
    for width in (0.0, 1.0):
        evaluation = distributed(errors, width, width)
        for figure in (fan_figure(evaluation, "SAMPLE Open"), scale_figure(evaluation, "SAMPLE Open")):
            figure.savefig(BytesIO())
