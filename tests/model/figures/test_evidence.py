"""What the figure of the evidence shows, read from its axes."""

import math

import numpy as np
import pytest

from model.evaluation.evidence.e_process import Evidence, bet
from model.figures.evidence import evidence_figure
from model.market.prices import Values
from tests.market import weekdays
from tests.model.figures.given import line, texts

LABELS = {
    "constant_250": "beside the newest Close with its last 250 changes",
    "constant_500": "beside the newest Close with its last 500 changes",
}
SMALLEST = "the smallest: better than all of them"


def evidence(*gains: Values) -> Evidence:
    """Evidence from gains beside one naive distribution, or beside two."""
    found = dict(zip(LABELS, gains, strict=False))
    return Evidence(
        better={name: bet(gain) for name, gain in found.items()},
        worse={name: bet(-gain) for name, gain in found.items()},
    )


def drawn(values: object) -> Values:
    return np.asarray(values, dtype=np.float64)


def test_each_naive_distribution_has_a_thin_line_and_the_smallest_a_thick_one() -> None:
    often, seldom = np.tile([0.5, 0.5, -0.1], 20), np.tile([0.5, -0.3, -0.1], 20)
    better, worse = evidence_figure(weekdays(60), evidence(often, seldom), 20.0, "META Open, anchored").axes
    for name, gains in zip(LABELS, (often, seldom), strict=True):
        shown = line(better, LABELS[name])
        assert drawn(shown.get_ydata()) == pytest.approx(bet(gains).log_wealth / math.log(10))
        assert shown.get_linewidth() < 1 < line(better, SMALLEST).get_linewidth()
    # The bets beside the second one win less, from the first session on.
    assert drawn(line(better, SMALLEST).get_ydata()) == pytest.approx(bet(seldom).log_wealth / math.log(10))
    against = (np.exp(bet(-often).log_wealth) + np.exp(bet(-seldom).log_wealth)) / 2
    assert drawn(line(worse, "worse").get_ydata()) == pytest.approx(np.log10(against))
    assert line(worse, "worse").get_linestyle() == "--"


def test_the_odds_that_are_needed_have_a_line_that_is_always_in_sight() -> None:
    figure = evidence_figure(weekdays(2), evidence(np.array([0.1, 0.1])), 1000.0, "META Open")
    better, worse = figure.axes
    for axes, power in ((better, 3.0), (worse, math.log10(20))):
        levels = [drawn(each.get_ydata())[0] for each in axes.get_lines()[-2:]]
        assert levels == pytest.approx([0.0, power])
        low, high = axes.get_ylim()
        assert low < 0 < power < high
    (name,) = better.texts
    assert name.get_text() == "needed:\n1,000 to 1"
    # No line runs through it: it stands beside the axes.
    assert name.get_window_extent().x0 > better.bbox.x1
    assert "2 sessions" in texts(figure)
    assert "needed 1,000 to 1, not reached" in texts(figure)


def test_it_says_on_which_session_the_odds_were_reached() -> None:
    # Nothing is bet on the first session; from the third on at most half is at stake: 1, 1.5, 2.25, 3.4, 5.1, ...
    wealth = np.exp(bet(np.ones(9)).log_wealth)
    assert wealth == pytest.approx([1.5**row for row in range(9)])
    sessions = weekdays(9)
    assert f"needed 20 to 1, reached on {sessions[8]}" in texts(
        evidence_figure(sessions, evidence(np.ones(9)), 20.0, "META Open")
    )
    figure = evidence_figure(sessions, evidence(-np.ones(9)), 20.0, "META Open")
    assert "needed 20 to 1, not reached" in texts(figure)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "odds that it is better: highest 1.0 to 1",
        "odds that it is worse: highest 25 to 1",
    ]


def test_powers_of_ten_are_written_as_odds() -> None:
    (better, _) = evidence_figure(weekdays(1), evidence(np.ones(1)), 20.0, "META Open").axes
    shown = [better.yaxis.get_major_formatter()(power, None) for power in (-2.0, 0.0, 6.0, 12.0, -12.0)]
    assert shown == ["1 to 100", "1 to 1", "1,000,000 to 1", "$10^{12}$ to 1", "1 to $10^{12}$"]


@pytest.mark.parametrize("n", [1, 21, 250, 2500])
@pytest.mark.parametrize("gain", [0.0, 1.0, -1.0])
def test_it_can_be_drawn_of_one_session_and_of_odds_beyond_any_float(n: int, gain: float) -> None:
    figure = evidence_figure(weekdays(n), evidence(np.full(n, gain), np.full(n, gain)), 20.0, "META Open")
    figure.canvas.draw()
    assert all(np.isfinite(drawn(each.get_ydata())).all() for axes in figure.axes for each in axes.get_lines())
