"""The figures of a version in use, and of the live proof of a model."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.distribution import no_distributions
from model.evaluation.monitoring import Monitoring
from model.figures.monitoring import live_figures, monitoring_figure, monitoring_figures, skill_figure
from tests.model.evaluation.evidence.test_live import record, winning
from tests.model.evaluation.test_monitoring import BAD, MONITORING, windows
from tests.model.figures.given import line

LIMIT = "limit: 1.05 times the naive CRPS"


def test_the_figure_is_drawn_with_one_window_and_with_many() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    # Windows of four forecasts: before the fourth session none is full, and the newest stands for all.
    for some, drawn in ((given[:1], given[:1]), (given[:3], given[2:3]), (given, given[3:])):
        above, below = monitoring_figure(some, "META-Open version 1", MONITORING).axes
        assert [str(each.get_label()) for each in above.lines] == ["best naive distribution", "forecast", LIMIT]
        assert np.asarray(above.lines[1].get_ydata()).tolist() == [window.judged.crps for window in drawn]
        for level in ("80 %", "95 %"):
            held = line(below, f"held by the {level} intervals")
            assert len(np.asarray(held.get_ydata())) == len(drawn)


def test_what_is_promised_has_a_line_in_its_levels_colour_and_a_name_beside_it() -> None:
    _, below = monitoring_figure(windows(BAD * 3, [1.0] * 6), "META-Open version 1", MONITORING).axes
    promised = [line(below, f"_promised {level} %") for level in (80, 95)]
    assert [np.asarray(each.get_ydata()).tolist() for each in promised] == [[0.8, 0.8], [0.95, 0.95]]
    assert len({each.get_linestyle() for each in promised}) == len({each.get_color() for each in promised}) == 2
    for each, name, level in zip(promised, below.texts, (80, 95), strict=True):
        assert name.get_text() == f"promised {level} %"
        assert name.get_color() == each.get_color() == line(below, f"held by the {level} % intervals").get_color()
        box = name.get_window_extent()
        assert box.x0 > below.bbox.x1
        _, at = below.transData.transform((0, level / 100))
        assert box.y0 < at < box.y1


def test_the_limit_of_the_crps_is_a_line_and_what_is_above_it_has_red_marks() -> None:
    monitoring = Monitoring(window=4, windows=3, breaches=2, max_crps_ratio=2.0, max_coverage_gap=0.4)
    given = windows([1.0] * 4 + [9.0] * 4, [1.0] * 8, 0.0, monitoring)
    above, below = monitoring_figure(given, "META-Open version 1", monitoring).axes
    # Means of 1, 3, 5, 7 and 9 dollars; the limit is twice the naive distribution's.
    assert np.asarray(line(above, "forecast").get_ydata()) == pytest.approx([1.0, 3.0, 5.0, 7.0, 9.0])
    assert np.asarray(line(above, "limit: 2 times the naive CRPS").get_ydata()) == pytest.approx(2.0)
    (marks,) = above.collections
    assert np.asarray(marks.get_offsets()) == pytest.approx(np.array([[1, 3.0], [2, 5.0], [3, 7.0], [4, 9.0]]))
    # Of four prices none is held: by chance it could be 49 % of them, 31 points below 80 % and 46 below 95 %.
    (marks,) = below.collections
    assert np.asarray(marks.get_offsets()) == pytest.approx(np.array([[at, 0.0] for at in range(5)]))
    legend = below.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()].count("breaches a limit") == 1


def test_a_mark_stands_where_the_limit_is_breached_and_not_on_the_other_panel() -> None:
    # Intervals that hold nothing, whose CRPS is yet below its limit.
    monitoring = Monitoring(window=4, windows=3, breaches=2, max_crps_ratio=100.0, max_coverage_gap=0.0)
    above, below = monitoring_figure(windows(BAD * 3, [1.0] * 6, 1.0, monitoring), "META-Open", monitoring).axes
    assert not above.collections
    assert below.collections


def test_of_a_single_window_both_levels_are_in_sight_where_both_hold_everything() -> None:
    figure = monitoring_figure(windows([0.0], [1.0]), "META-Open version 1", MONITORING)
    narrow, wide = (line(figure.axes[1], f"held by the {level} % intervals") for level in (80, 95))
    assert np.asarray(narrow.get_ydata()).tolist() == np.asarray(wide.get_ydata()).tolist() == [1.0]
    assert narrow.get_fillstyle() == "none"
    assert narrow.get_markersize() > wide.get_markersize()
    assert figure.texts[0].get_text() == "META-Open version 1: 2020-01-01"


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
    assert [note.get_text() for note in axes.texts] == ["9 of 21 forecasts so far"]
    (zero,) = axes.lines
    assert np.asarray(zero.get_ydata()).tolist() == [0, 0]


def test_the_skill_has_a_line_for_each_span_that_is_full() -> None:
    (axes,) = skill_figure(record([1.0] * 70, constant_250=[2.0] * 70), 20.0, "META-Open").axes
    _, month, quarter = axes.lines
    assert [each.get_label() for each in (month, quarter)] == [f"newest {span} forecasts: +0.500" for span in (21, 63)]
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
