"""The figures of a version in use, and of the live proof of a model."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.distribution import no_distributions
from model.figures.monitoring import live_figures, monitoring_figure, monitoring_figures, skill_figure
from tests.model.evaluation.evidence.test_live import record, winning
from tests.model.evaluation.test_monitoring import BAD, MONITORING, windows


def test_the_figure_is_drawn_with_one_window_and_with_many() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    # Windows of four forecasts: before the fourth session none is full, and the newest stands for all.
    for some, drawn in ((given[:1], given[:1]), (given[:3], given[2:3]), (given, given[3:])):
        above, below = monitoring_figure(some, "META-Open version 1", MONITORING).axes
        assert len(above.lines) == 2
        assert np.asarray(above.lines[1].get_ydata()).tolist() == [window.judged.crps for window in drawn]
        assert [str(line.get_label()) for line in below.lines] == [
            "held by the 80 % intervals",
            "held by the 95 % intervals",
            "drift of the returns",
            "promised: 80 %",
            "promised: 95 %",
        ]
        assert [np.asarray(line.get_ydata())[0] for line in below.lines[-2:]] == [0.8, 0.95]


def test_the_distributions_of_all_windows_are_drawn_once_each() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    figures = monitoring_figures(given, "META-Open version 1", MONITORING)
    assert list(figures) == ["score", "forecast", "scale", "crps"]
    actual = figures["forecast"].axes[0].get_lines()[1]
    assert len(np.asarray(actual.get_ydata())) == 6
    none = [
        replace(window, judged=replace(window.judged, quantiles=no_distributions(len(window.judged.sessions))))
        for window in given
    ]
    figures = monitoring_figures(none, "META-Open version 1", MONITORING)
    assert list(figures) == ["score"]
    above, _ = figures["score"].axes
    assert above.get_ylabel() == "rolling RMSE (US dollars)"
    assert np.asarray(above.lines[1].get_ydata()).tolist() == [window.judged.rmse for window in given[3:]]


def test_the_skill_is_drawn_from_the_shortest_span_on() -> None:
    figure = skill_figure(winning(9), 20.0, "META-Open")
    (axes,) = figure.axes
    (_, subtitle) = figure.texts
    assert subtitle.get_text().startswith("proven on 9 live forecasts (evidence 25 to 1)")
    assert subtitle.get_text().endswith("skill is shown from 21 forecasts on")
    (zero,) = axes.lines
    assert np.asarray(zero.get_ydata()).tolist() == [0, 0]


def test_the_skill_has_a_line_for_each_span_that_is_full() -> None:
    (axes,) = skill_figure(record([1.0] * 70, constant_250=[2.0] * 70), 20.0, "META-Open").axes
    _, month, quarter = axes.lines
    assert [line.get_label() for line in (month, quarter)] == [f"over the newest {span} forecasts" for span in (21, 63)]
    assert np.asarray(quarter.get_ydata())[62:] == pytest.approx(0.5)
    assert np.isnan(np.asarray(quarter.get_ydata())[:62]).all()


def test_the_live_evidence_is_drawn_beside_the_odds_that_the_settings_need() -> None:
    figures = live_figures(winning(9), 30.0, "META-Open")
    assert list(figures) == ["live_skill", "live_evidence"]
    better, worse = figures["live_evidence"].axes
    smallest = better.lines[1]
    assert np.asarray(smallest.get_ydata()) == pytest.approx(np.arange(9) * math.log10(1.5))
    for axes in (better, worse):
        assert np.asarray(axes.lines[-1].get_ydata())[0] == pytest.approx(math.log10(30))
