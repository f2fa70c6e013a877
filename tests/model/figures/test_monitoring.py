"""The figure of a version in use."""

from model.figures.monitoring import monitoring_figure
from tests.model.evaluation.test_monitoring import BAD, MONITORING, windows


def test_the_figure_is_drawn_with_one_window_and_with_many() -> None:
    given = windows(BAD * 3, [1.0] * 6)
    for some in (given[:1], given):
        above, below = monitoring_figure(some, "META-Open version 1", MONITORING).axes
        assert len(above.lines) == 2
        assert len(below.lines) == 3  # both levels, and the drift
