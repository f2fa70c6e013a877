"""Distributions by session: the fan and the actual prices, and their width and how far the price moved."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from model.evaluation.baselines import naive_label
from model.evaluation.distribution import given, median
from model.evaluation.evaluation import Evaluation
from model.evaluation.metrics import mean_given
from model.figures.axis import places
from model.figures.style import (
    ACTUAL,
    BARS,
    FORECAST,
    MARKED_SESSIONS,
    MISS,
    NAIVE,
    QUIET,
    legend_above,
    new_figure,
    style,
    wide_places,
)
from model.market.prices import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# How many sessions a fan shows so that each of them is seen: a quarter.
FAN_SESSIONS = 63
NARROW, WIDE = 0.8, 0.95
NEWEST = "newest_Close"
# At most this many moves are cut off, all above this many times the widest interval.
MOST_CUT, CUT = 3, 2.5
# The height of a line with such a move's name, as a share of the axis.
ROW = 0.055
# With fewer sessions there are no fifths to compare.
FEWEST_COMPARED = 20


def fan_figure(evaluation: Evaluation, title: str, colour: str = FORECAST) -> "Figure":
    """Draw the median, the 80 and 95 % intervals, the actual prices, and the best naive forecast.

    Each price outside the wider intervals has a mark.
    """
    shares = [evaluation.coverage(level) for level in (NARROW, WIDE)]
    held = "   ·   ".join(
        f"{100 * level:g} % interval: held {share.hits:,} of {share.n:,} prices, {_number(level * share.n)} expected"
        for level, share in zip((NARROW, WIDE), shares, strict=True)
    )
    figure = new_figure(title, held)
    axes = figure.subplots()
    style(axes, evaluation.money.label("price"), evaluation.sessions)
    axes.use_sticky_edges = False  # the bars of a single session would stand on the axis
    draw_intervals(axes, evaluation, colour)
    at = places(evaluation.sessions)
    few = len(at) <= FAN_SESSIONS / 2
    look: dict[str, Any] = {"linewidth": 1.4 if few else 1.0, "marker": "o", "markersize": 3.5 if few else 2.5}
    axes.plot(at, median(evaluation.quantiles), color=colour, label="median", **look)
    axes.plot(at, evaluation.actual, color=ACTUAL, label="actual", **look)
    naive, best = evaluation.naive[evaluation.best_naive], naive_label(evaluation.best_naive)
    # Of one session a line as wide as its bars, which a median at the same price leaves in sight.
    naive_at, naives = wide_places(evaluation.sessions), np.broadcast_to(naive, max(len(at), 2))
    axes.plot(naive_at, naives, color=NAIVE, linewidth=1.1, linestyle="--", label=f"naive: {best}", zorder=1.9)
    lower, upper = evaluation.intervals[WIDE]
    missed = (evaluation.actual < lower) | (evaluation.actual > upper)
    if missed.any():
        where, prices = at[missed], evaluation.actual[missed]
        label = f"outside {100 * WIDE:g} %: {missed.sum():,}"
        axes.plot(where, prices, "o", markersize=8, markeredgewidth=1.8, color=MISS, fillstyle="none", label=label)
    legend_above(axes, "actual", "median")
    return figure


def draw_intervals(axes: "Axes", evaluation: Evaluation, colour: str = FORECAST) -> None:
    """Draw the intervals of every level as shaded bands; a session without neighbours, as bars of its own."""
    days = places(evaluation.sessions)
    there = np.concatenate([[False], given(evaluation.quantiles), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    for level, (lower, upper) in sorted(evaluation.intervals.items(), reverse=True):
        look: dict[str, Any] = {"color": colour, "alpha": 0.12 if level > 0.9 else 0.25, "linewidth": 0}
        label = f"{100 * level:g} %"
        if not alone[there[1:-1]].all():
            axes.fill_between(days, lower, upper, label=label, **look)
            label = ""
        if alone.any():
            axes.bar(days[alone], (upper - lower)[alone], 0.8, bottom=lower[alone], label=label or None, **look)


def scale_figure(evaluation: Evaluation, title: str, colour: str = FORECAST) -> "Figure":
    """Draw half the width of the 80 % intervals over the absolute moves from the newest Close, in % of it."""
    widths, moves = half_widths(evaluation), realised_moves(evaluation)
    figure = new_figure(title, _width_in_words(widths, moves))
    axes = figure.subplots()
    start = "newest Close" if NEWEST in evaluation.naive else "median"
    style(axes, f"% of the {start}", evaluation.sessions)
    days = places(evaluation.sessions)
    few = len(days) <= MARKED_SESSIONS
    axes.bar(days, moves, 0.7 if few else 1.0, color=BARS, label=f"move from the {start}, up or down")
    label = "half the width of the 80 % interval"
    axes.plot(days, widths, color=colour, linewidth=1.5, marker="o" if few else "", markersize=3.5, label=label)
    _cut_off(axes, evaluation, widths, moves)
    legend_above(axes)
    return figure


def _cut_off(axes: "Axes", evaluation: Evaluation, widths: Values, moves: Values) -> None:
    """Set the vertical axis; cut off up to three moves that would flatten all others, and name them.

    Each name has a row of its own above nearly all other moves, in front of every bar.
    """
    known = np.sort(moves[~np.isnan(moves)])
    widest = float(np.nanmax(widths))
    usual = math.inf if len(known) < FEWEST_COMPARED else max(CUT * widest, float(known[-1 - MOST_CUT]))
    top = usual / (1 - ROW * (int((known > usual).sum()) + 0.5))
    if known[-1] <= top:
        axes.set_ylim(0, 1.05 * max(widest, float(known[-1])) or 1.0)
        return
    days, (first, last) = places(evaluation.sessions), axes.get_xlim()
    for place, row in enumerate(np.flatnonzero(moves > top)):
        side = "left" if days[row] < (first + last) / 2 else "right"
        note = f"{moves[row]:.1f} % on {evaluation.sessions[row]}"
        # In front of another bar that is cut off, too.
        look: dict[str, Any] = {"ha": side, "va": "top", "fontsize": 9, "color": QUIET, "textcoords": "offset points"}
        off, white = (6 if side == "left" else -6, -2), {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.annotate(note, (days[row], top * (1 - ROW * place)), off, bbox=white, **look)
    axes.set_ylim(0, top)


def half_widths(evaluation: Evaluation) -> Values:
    """(n,) half the widths of the 80 % intervals in % of where moves start; NaN where there is no distribution."""
    lower, upper = evaluation.intervals[NARROW]
    return np.asarray(100 * (upper - lower) / 2 / _start(evaluation))


def realised_moves(evaluation: Evaluation) -> Values:
    """(n,) the distance of the actual price from where moves start, up or down, in % of that."""
    start = _start(evaluation)
    return np.asarray(100 * np.abs(evaluation.actual - start) / start)


def _start(evaluation: Evaluation) -> Values:
    """(n,) the newest Close; the median for a column that does not start there, such as the High."""
    return evaluation.naive.get(NEWEST, median(evaluation.quantiles))


def _width_in_words(widths: Values, moves: Values) -> str:
    found = ~np.isnan(widths)
    widths, moves = widths[found], moves[found]
    above = int((moves > widths).sum())
    words = f"{above:,} of {len(moves):,} moves above the line, {_number((1 - NARROW) * len(moves))} expected"
    if len(moves) < FEWEST_COMPARED:
        return words
    order, fifth = np.argsort(widths, kind="stable"), len(moves) // 5
    narrow, wide = (mean_given(moves[part]) for part in (order[:fifth], order[-fifth:]))
    return f"{words}   ·   mean move {wide:.2f} % in its highest fifth, {narrow:.2f} % in its lowest"


def _number(value: float) -> str:
    """An expected number: with decimals where they say something."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
