"""What the figures of a backtest show, read from their axes."""

import numpy as np
import pytest

from model.figures.backtest import (
    backtest_figures,
    calibration_figure,
    cumulated_figure,
    forecasts_figure,
    skill_figure,
)
from tests.model.backtest.test_result import plan, result


def test_there_is_a_figure_of_everything_and_of_each_presets_forecasts() -> None:
    figures = backtest_figures(result(plan()))
    assert list(figures) == ["skill-by-month", "cumulated-error", "calibration", "forecasts-offset"]
    for figure in figures.values():
        figure.canvas.draw()


def test_every_month_has_a_bar_as_high_as_its_skill() -> None:
    made = result(plan())
    (axes,) = skill_figure(made).axes
    heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert heights == pytest.approx([month.metrics["skill"] for month in made.presets[0].months])
    assert "better in 0 of 3 months" in axes.get_title("left")


def test_the_saved_squared_error_is_summed_up_session_by_session() -> None:
    made = result(plan(seeds=1))
    (axes,) = cumulated_figure(made).axes
    reference = made.reference
    naive = reference.naive[reference.best_naive] - reference.actual
    drawn = np.asarray(axes.get_lines()[0].get_ydata(), dtype=np.float64)
    # Every forecast is wrong by one dollar.
    assert drawn == pytest.approx(np.cumsum(naive**2 - 1.0))


def test_coverage_is_drawn_in_the_course_of_time() -> None:
    course = calibration_figure(result(plan())).axes[1]
    drawn = next(line for line in course.get_lines() if len(np.asarray(line.get_ydata())) == 3)
    # Of 65 sessions there are three windows of 63, and every price lies within.
    assert np.asarray(drawn.get_ydata()) == pytest.approx([100.0, 100.0, 100.0])


def test_calibration_stands_beside_what_is_promised() -> None:
    whole = calibration_figure(result(plan())).axes[0]
    line = next(line for line in whole.get_lines() if line.get_label() == "offset")
    # Seed 0 and seed 1 have the same intervals around what happened: they hold everything.
    assert np.asarray(line.get_xdata()) == pytest.approx([80.0, 95.0])
    assert np.asarray(line.get_ydata()) == pytest.approx([100.0, 100.0])


def test_forecasts_are_drawn_over_what_happened_with_their_intervals() -> None:
    made = result(plan())
    whole, near = forecasts_figure(made, made.presets[0]).axes
    by_label = {line.get_label(): line for line in whole.get_lines()}
    assert np.array_equal(by_label["actual"].get_ydata(), made.reference.actual)
    assert np.array_equal(by_label["forecast"].get_ydata(), made.reference.forecast)
    assert [band.get_label() for band in whole.collections] == ["95 %", "80 %"]
    assert len(np.asarray(near.get_lines()[0].get_ydata())) == 63
