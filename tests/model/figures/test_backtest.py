"""What the figures of a backtest show, read from their axes."""

from dataclasses import replace

import numpy as np
import pytest

from model.config import ForecasterConfig
from model.evaluation.distribution import no_distributions
from model.evaluation.evidence.e_process import weigh
from model.figures.backtest import (
    backtest_figures,
    calibration_figure,
    cumulated_figure,
    forecasts_figure,
    skill_figure,
)
from model.figures.style import COLOURS
from tests.model.backtest.test_result import plan, result
from tests.model.figures.given import line, texts


def test_there_is_a_figure_of_everything_and_of_each_presets_forecasts() -> None:
    figures = backtest_figures(result(plan()))
    assert list(figures) == [
        "cumulated-crps",
        "evidence-offset",
        "skill-by-month",
        "cumulated-error",
        "pit",
        "reliability",
        "calibration",
        "fan-offset",
        "scale-offset",
        "forecasts-offset",
    ]
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
    (axes,) = forecasts_figure(made, made.presets[0]).axes
    by_label = {line.get_label(): line for line in axes.get_lines()}
    assert np.array_equal(by_label["actual"].get_ydata(), made.reference.actual)
    assert np.array_equal(by_label["forecast"].get_ydata(), made.reference.forecast)
    assert [band.get_label() for band in axes.collections] == ["95 %", "80 %"]


def test_the_fan_is_of_the_newest_sessions_and_the_width_of_all() -> None:
    made = result(plan())
    figures = backtest_figures(made)
    (fan,) = figures["fan-offset"].axes
    assert "the newest 63 of 65 sessions: distribution of offset" in texts(figures["fan-offset"])
    actual = next(line for line in fan.get_lines() if line.get_label() == "actual")
    assert np.array_equal(actual.get_ydata(), made.reference.actual[-63:])
    assert len(figures["scale-offset"].axes[0].patches) == len(made.reference.sessions)


def test_the_evidence_is_that_of_the_first_seed() -> None:
    made = result(plan())
    figure = backtest_figures(made)["evidence-offset"]
    found = weigh(made.presets[0].by_seed[0])
    assert found is not None
    shown = line(figure.axes[0], "the smallest: better than all of them")
    assert np.asarray(shown.get_ydata()) == pytest.approx(found.log_odds / np.log(10))
    assert "offset, seed 0" in texts(figure)


def test_a_preset_without_distributions_has_none_of_their_figures_and_keeps_its_colour_free() -> None:
    made = result(plan())
    (offset,) = made.presets
    none = {
        seed: replace(evaluation, quantiles=no_distributions(len(evaluation.sessions)))
        for seed, evaluation in offset.by_seed.items()
    }
    bare = replace(offset, config=ForecasterConfig(preset="bare"), by_seed=none)
    alone = backtest_figures(replace(made, presets=(bare,)))
    assert list(alone) == ["skill-by-month", "cumulated-error", "forecasts-bare"]
    both = backtest_figures(replace(made, presets=(bare, offset)))
    (axes,) = both["cumulated-crps"].axes
    assert axes.get_title("left").startswith("offset: CRPS")
    assert axes.get_lines()[-1].get_color() == COLOURS[1]
    for figure in (*alone.values(), *both.values()):
        figure.canvas.draw()
