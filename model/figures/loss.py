"""The loss while a forecaster was fitted: a line for each network, and the loss on the windows held back."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from model.figures.style import COLOURS, QUIET, legend_above, new_figure, style
from model.forecaster.forecaster import LossCourse
from model.market.prices import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Losses that differ by less than such a factor are easier to read on a linear scale.
LOGARITHMIC_FROM = 3.0
# With more networks the legend would be wider than the figure.
MOST_NAMED = 4


def loss_figure(courses: Sequence[LossCourse], subject: str) -> "Figure":
    """Draw each network's loss by epoch, dashed that on the windows held back; a ring marks the weights kept."""
    from matplotlib.ticker import MaxNLocator

    several = len(courses) > 1
    epochs = [len(course.training) for course in courses]
    kept = ", ".join(str(course.kept) for course in courses[:MOST_NAMED]) + ("..." if len(courses) > MOST_NAMED else "")
    figure = new_figure(
        f"{subject}: loss while training",
        f"{f'{len(courses)} networks, ' if several else ''}{max(epochs):,} epochs{' at most' if several else ''}   ·   "
        f"weights kept of epoch {kept}{' (0: the start)' if any(not course.kept for course in courses) else ''}",
    )
    figure.subplots_adjust(left=0.105)  # room for losses such as 0.12475
    axes = figure.subplots()
    for number, (course, colour) in enumerate(zip(courses, cycle(COLOURS), strict=False), start=1):
        name = f"network {number}" if several else "training"
        _line(axes, course.training, colour, name if number <= MOST_NAMED else "", "-")
        _line(axes, course.held_back, colour, "", "--")
        _ring(axes, course, colour)
    if any(course.held_back for course in courses):
        axes.plot([], [], color=QUIET, linestyle="--", label="on windows held back")
        axes.plot([], [], "o", markersize=9, color=QUIET, fillstyle="none", label="weights kept")
    style(axes, f"loss{' (log scale)' if _logarithmic(axes, courses) else ''}")
    axes.set_xlabel("epoch", fontsize=11)
    axes.set_xlim(0.5, max(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_above(axes)
    return figure


def _line(axes: "Axes", losses: Sequence[float], colour: str, label: str, linestyle: Any) -> None:
    marker = "." if len(losses) < 30 else ""
    look: dict[str, Any] = {"linewidth": 1.6, "linestyle": linestyle, "marker": marker, "label": label or None}
    if losses:
        axes.plot(np.arange(1, len(losses) + 1), _shown(losses), color=colour, **look)


def _ring(axes: "Axes", course: LossCourse, colour: str) -> None:
    """At the held-back loss of the weights that were kept; those of the start have no epoch to mark."""
    if course.held_back and course.kept:
        at = _shown(course.held_back)[course.kept - 1]
        axes.plot([course.kept], [at], "o", markersize=9, markeredgewidth=1.6, color=colour, fillstyle="none")


def _shown(losses: Sequence[float]) -> Values:
    """Without losses of zero, infinity or NaN, which have no place on a logarithmic scale."""
    values = np.asarray(losses, dtype=np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _logarithmic(axes: "Axes", courses: Sequence[LossCourse]) -> bool:
    """Make the scale logarithmic where losses differ much, with plain numbers: 0.002 is easier than a power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    every = _shown([loss for course in courses for loss in (*course.training, *course.held_back)])
    found = every[~np.isnan(every)]
    if not len(found) or found.max() < LOGARITHMIC_FROM * found.min():
        return False
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=15))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    return True
