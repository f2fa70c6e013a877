"""The evidence that a forecaster beats the naive distributions, session by session, as odds."""

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from model.evaluation.baselines import naive_label
from model.evaluation.evidence.e_process import Evidence, odds_text
from model.figures.axis import places
from model.figures.style import ACTUAL, COLOURS, FORECAST, MISS, QUIET, new_figure, panel_title, period, style
from model.market.prices import Days, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Chance reaches such odds in 1 of 20 cases at most, however long one looks.
ENOUGH = 20.0
# Up to this power of ten, odds on the axis are written in full: 1,000,000 to 1.
_WRITTEN_OUT = 6


def evidence_figure(
    sessions: Days, evidence: Evidence, needed: float, subject: str, *, needed_against: float = ENOUGH
) -> "Figure":
    """Draw the odds that ours is better than each naive distribution, and below them the odds that it is worse.

    A thin line is the odds beside one naive distribution, the thick one the smallest of them, which counts. Both panels
    have lines at 1 to 1, where the odds begin, and at the odds that are needed to say so.

    sessions: (n,), those of the evidence
    """
    figure = new_figure(f"{subject}, {period(sessions)}: evidence", _found(sessions, evidence, needed), height=7.0)
    # The label of the axis needs room left of odds such as "1,000,000 to 1".
    figure.subplots_adjust(left=0.15, right=0.92, top=0.785, hspace=0.2)
    better, worse = figure.subplots(2, 1, sharex=True, height_ratios=(5, 3))
    for (name, bets), colour in zip(evidence.better.items(), cycle(COLOURS[1:])):
        _line(better, sessions, bets.log_wealth, f"beside {naive_label(name)}", color=colour, linewidth=0.9, zorder=4)
    label = "the smallest: better than all of them"
    _line(better, sessions, evidence.log_odds, label, color=FORECAST, linewidth=4.5, alpha=0.55, zorder=3)
    _line(worse, sessions, evidence.log_odds_against, "worse", color=MISS, linewidth=1.6, linestyle="--")
    style(better, "odds")
    style(worse, "odds", sessions)
    _odds_axis(better, needed)
    _odds_axis(worse, needed_against)
    panel_title(better, f"odds that it is better: highest {odds_text(evidence.odds)}")
    panel_title(worse, f"odds that it is worse: highest {odds_text(evidence.odds_against)}")
    where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.14, 1 - 0.7 / figure.get_figheight())}
    figure.legend(*better.get_legend_handles_labels(), ncols=2, frameon=False, **where)
    return figure


def _found(sessions: Days, evidence: Evidence, needed: float) -> str:
    """The odds needed, and when they were reached."""
    reached = np.flatnonzero(evidence.log_odds >= math.log(needed))
    when = f"reached on {sessions[reached[0]]}" if len(reached) else "not reached"
    count = f"{len(sessions):,} session{'s' if len(sessions) > 1 else ''}"
    return f"{count}   ·   odds that it beats the naive distributions: needed {odds_text(needed)}, {when}"


def _line(axes: "Axes", sessions: Days, log_odds: Values, label: str, **look: Any) -> None:
    """Draw odds, given as natural logarithms, by their powers of ten: odds themselves may exceed any float."""
    marker = "o" if len(sessions) == 1 else ""
    axes.plot(places(sessions), log_odds / math.log(10), label=label, marker=marker, markersize=4, **look)


def _odds_axis(axes: "Axes", needed: float) -> None:
    """Lines at 1 to 1 and at what is needed, both always in sight; powers of ten written as odds."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    at = math.log10(needed)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    axes.axhline(at, color=QUIET, linewidth=1.1, linestyle=":")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.5), max(high, at + 0.5))
    # Beside the axes, where no line runs through it.
    where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    axes.annotate(f"needed:\n{odds_text(needed)}", (1, at), xytext=(6, 0), fontsize=9, color=QUIET, **where)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: _power_text(round(power))))


def _power_text(power: int) -> str:
    """The odds of 10 to a power: "100 to 1", "1 to 10", and "10^12 to 1" as a formula."""
    size = f"{10 ** abs(power):,}" if abs(power) <= _WRITTEN_OUT else f"$10^{{{abs(power)}}}$"
    return f"{size} to 1" if power >= 0 else f"1 to {size}"
