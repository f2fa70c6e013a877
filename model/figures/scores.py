"""Whether distributions are calibrated, and whether they beat others: PIT histogram, and CRPS saved by session."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.baselines import naive_label
from model.evaluation.distribution import given
from model.evaluation.evaluation import Evaluation
from model.evaluation.statistical import STATISTICAL_LABELS
from model.figures.axis import places
from model.figures.style import (
    ACTUAL,
    BARS,
    FORECAST,
    MARKED_SESSIONS,
    QUIET,
    legend_above,
    legend_of_all,
    new_figure,
    panel_title,
    plain_ticks,
    style,
)
from model.market.prices import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The statistical distribution that ours is drawn beside: the field's usual first choice.
PEER = "garch_t"
# From this many sessions on, each of twenty bars has ten or more.
FEW_BARS, MANY_BARS, SESSIONS_FOR_MANY = 10, 20, 200
CHANCE = 0.95
LINES: tuple[Literal["-", "--"], ...] = ("-", "--")


class Panel(NamedTuple):
    """What one panel shows: evaluations of the same sessions, one for each seed, all with distributions."""

    evaluations: Sequence[Evaluation]
    name: str = ""
    colour: str = FORECAST

    def heading(self, text: str) -> str:
        """The text, after the panel's name if it has one."""
        return f"{self.name}: {text}" if self.name else text


def pit_figure(panels: Sequence[Panel], title: str) -> "Figure":
    """Draw for each how many prices fell into each tenth or twentieth of their distributions, and what chance allows.

    With several seeds, bars are the means over them.
    """
    figure = new_figure(
        title,
        "grey: what chance allows   ·   flat: as it should be   ·   U: too narrow   ·   hump: too wide   ·   "
        "more on the right: too low",
    )
    figure.subplots_adjust(top=0.8, hspace=0.4)
    columns = len(panels) if len(panels) <= 3 else math.ceil(math.sqrt(len(panels)))
    rows = math.ceil(len(panels) / columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _histogram(axes, panel)
    for axes in grid[:, 0]:
        axes.set_ylabel("sessions", fontsize=11)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel("forecast probability of prices up to the actual one", fontsize=11, y=0.02)
    return figure


def pit_counts(evaluations: Sequence[Evaluation]) -> Values:
    """(bars,) how many sessions fell into each bar, the mean over the seeds."""
    found = [values[~np.isnan(values)] for values in (evaluation.pit for evaluation in evaluations)]
    bars = MANY_BARS if min(map(len, found)) >= SESSIONS_FOR_MANY else FEW_BARS
    return np.asarray(np.mean([np.histogram(values, bars, (0.0, 1.0))[0] for values in found], axis=0))


def chance_band(sessions: int, bars: float) -> tuple[int, int]:
    """The lowest and the highest count of a bar that chance allows 95 times in 100, by the binomial distribution.

    `scipy.stats.binom` has it too, with half a second of import.
    """
    from scipy.special import bdtr

    up_to = bdtr(np.arange(sessions + 1), sessions, 1 / bars)
    low, high = np.searchsorted(up_to, ((1 - CHANCE) / 2, (1 + CHANCE) / 2))
    return int(low), int(high)


def _histogram(axes: "Axes", panel: Panel) -> None:
    counts = pit_counts(panel.evaluations)
    sessions, bars = round(float(counts.sum())), len(counts)
    low, high = chance_band(sessions, bars)
    style(axes, "")
    axes.axhspan(low, high, color=BARS, alpha=0.35, linewidth=0)
    axes.bar((np.arange(bars) + 0.5) / bars, counts, 0.86 / bars, color=panel.colour)
    for bound in (low, high):
        axes.axhline(bound, color=QUIET, linewidth=0.7)
    axes.axhline(sessions / bars, color=ACTUAL, linewidth=0.9, linestyle="--")
    axes.set_xlim(0, 1)
    # The scale is common to all panels.
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.05 * high, 1.05 * float(counts.max())))
    plain_ticks(axes, integer=True)
    outside = int(((counts < low) | (counts > high)).sum())
    panel_title(axes, panel.heading(f"{outside} of {bars} bars outside the grey"))


def reliability_figure(panels: Sequence[Panel], title: str) -> "Figure":
    """Draw for each probability how often the price was at or below the quantile that was forecast for it.

    With several seeds, the curve is the mean over them.
    """
    figure = new_figure(title, "grey: what chance allows   ·   on the line: as it should be", height=6.0)
    axes = figure.subplots()
    style(axes, "prices at or below the quantile (%)")
    sessions = min(int(given(each.quantiles).sum()) for panel in panels for each in panel.evaluations)
    meant = 100 * np.array(PROBABILITIES)
    bounds = np.array([chance_band(sessions, 1 / p) for p in PROBABILITIES]) * 100 / sessions
    axes.fill_between(meant, bounds[:, 0], bounds[:, 1], color=BARS, alpha=0.35, linewidth=0)
    axes.plot([0, 100], [0, 100], color=ACTUAL, linewidth=0.9, linestyle="--", label="as it should be")
    for panel in panels:
        name = panel.name or "forecast"
        axes.plot(meant, 100 * reliability(panel.evaluations), ".-", color=panel.colour, linewidth=1.4, label=name)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("probability of the quantile (%)", fontsize=11)
    legend_above(axes)
    return figure


def reliability(evaluations: Sequence[Evaluation]) -> Values:
    """(len(PROBABILITIES),) the share of prices at or below each quantile, the mean over the seeds."""
    shares = []
    for each in evaluations:
        found = given(each.quantiles)
        shares.append((each.actual[found, np.newaxis] <= each.quantiles[found]).mean(axis=0))
    return np.asarray(np.mean(shares, axis=0))


def crps_figure(panels: Sequence[Panel], title: str) -> "Figure":
    """Draw the CRPS saved beside the best naive distribution, and beside GARCH where it is there, summed up."""
    from matplotlib.lines import Line2D

    several = len(panels[0].evaluations) > 1
    figure = new_figure(
        title,
        "CRPS of the others less that of the forecast, summed up: above 0 the forecast is better so far"
        + ("   ·   mean of the seeds" if several else ""),
        max(5.0, 1.5 + 2.6 * len(panels)),
    )
    figure.subplots_adjust(hspace=0.35)
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    others = beside(panels[0].evaluations[0])
    for axes, panel in zip(rows, panels, strict=True):
        _saved_lines(axes, panel, others)
        if axes is not rows[-1]:
            axes.set_xlabel("")
    colour = panels[0].colour if len(panels) == 1 else QUIET
    few = len(panels[0].evaluations[0].sessions) <= MARKED_SESSIONS
    lines = [Line2D([], [], color=colour, **_look(line, few)) for line, _ in zip(LINES, others, strict=False)]
    legend_of_all(figure, lines, [f"beside {label}" for label in others])
    return figure


def beside(evaluation: Evaluation) -> dict[str, Values]:
    """The distributions drawn beside the forecast, by label: the best naive one and GARCH, where they exist."""
    others = {}
    if (naive := evaluation.best_naive_distribution) is not None:
        others[naive_label(naive)] = evaluation.naive_quantiles[naive]
    if PEER in evaluation.statistical_quantiles:
        others[STATISTICAL_LABELS[PEER]] = evaluation.statistical_quantiles[PEER]
    return others


def saved_crps(evaluations: Sequence[Evaluation], theirs: Values) -> Values:
    """(n,) up to each session, the mean over the seeds; a session that lacks a distribution adds nothing."""
    ours, others = _both(evaluations, theirs)
    return np.cumsum(others - ours)


def crps_ratio(evaluations: Sequence[Evaluation], theirs: Values) -> float:
    """Our mean CRPS as a share of theirs, on the sessions that have both; NaN where there is none."""
    ours, others = _both(evaluations, theirs)
    return float(ours.sum() / others.sum()) if others.any() else math.nan


def _both(evaluations: Sequence[Evaluation], theirs: Values) -> tuple[Values, Values]:
    """The CRPS of ours, the mean over the seeds, and of theirs, each (n,), 0 on a session that lacks either."""
    ours = np.mean([each.crps_of(each.quantiles) for each in evaluations], axis=0)
    others = evaluations[0].crps_of(theirs)
    found = ~np.isnan(ours + others)
    return np.where(found, ours, 0.0), np.where(found, others, 0.0)


def _saved_lines(axes: "Axes", panel: Panel, others: dict[str, Values]) -> None:
    sessions = panel.evaluations[0].sessions
    style(axes, panel.evaluations[0].money.in_words or "prices", sessions)
    plain_ticks(axes)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    few = len(sessions) <= MARKED_SESSIONS
    ratios = []
    for (label, theirs), line in zip(others.items(), LINES, strict=False):
        saved = saved_crps(panel.evaluations, theirs)
        axes.plot(places(sessions), saved, color=panel.colour, label=label, **_look(line, few))
        ratios.append(f"{100 * crps_ratio(panel.evaluations, theirs):.1f} % of that of {label}")
    panel_title(axes, panel.heading(f"CRPS {', '.join(ratios)}"))


def _look(line: str, few: bool) -> dict[str, Any]:
    """Two lines in one colour differ in their markers, too: of a single session there is nothing else."""
    filled = "full" if line == LINES[0] else "none"
    return {
        "linestyle": line,
        "marker": "o" if few else "",
        "markersize": 3.5 if line == LINES[0] else 5.0,
        "fillstyle": filled,
    }
