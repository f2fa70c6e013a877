"""The figure of a version in use."""

from dataclasses import replace

import numpy as np

from model.evaluation.distribution import no_distributions
from model.figures.monitoring import monitoring_figure, monitoring_figures
from tests.model.evaluation.test_monitoring import BAD, MONITORING, windows


def test_the_figure_is_drawn_with_one_window_and_with_many() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    for some in (given[:1], given):
        above, below = monitoring_figure(some, "META-Open version 1", MONITORING).axes
        assert len(above.lines) == 2
        assert [str(line.get_label()) for line in below.lines] == [
            "held by the 80 % intervals",
            "held by the 95 % intervals",
            "drift of the returns",
        ]


def test_the_distributions_of_all_windows_are_drawn_once_each() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    figures = monitoring_figures(given, "META-Open version 1", MONITORING)
    assert list(figures) == ["score", "fan", "scale", "crps"]
    actual = figures["fan"].axes[0].get_lines()[1]
    assert len(np.asarray(actual.get_ydata())) == 6
    none = [
        replace(window, judged=replace(window.judged, quantiles=no_distributions(len(window.judged.sessions))))
        for window in given
    ]
    assert list(monitoring_figures(none, "META-Open version 1", MONITORING)) == ["score"]
