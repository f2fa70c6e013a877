"""How every figure looks: size, title, axes and colours.

Neither pyplot nor its global state is used, so that figures can be made on any thread and without a display.
"""

from typing import TYPE_CHECKING

import numpy as np

from model.market.prices import Days, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTUAL = "black"
FORECAST = "#135485"
NAIVE = "#8c8c8c"
QUIET = "#5f6368"

MINUS = "\N{MINUS SIGN}"
DOLLARS = "price (US dollars)"


def new_figure(title: str, subtitle: str, height: float = 5.0) -> "Figure":
    """Make an empty figure, 10 inches wide and `height` inches high, with a title and a subtitle for the numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), dpi=100, facecolor="white")
    figure.subplots_adjust(left=0.085, right=0.975, top=1 - 0.85 / height, bottom=0.625 / height, wspace=0.12)
    # Otherwise two dollar signs in one line would enclose a formula.
    figure.text(0.085, 1 - 0.325 / height, title, fontsize=14, fontweight="bold", parse_math=False)
    figure.text(0.085, 1 - 0.625 / height, subtitle, fontsize=10.5, color=QUIET, parse_math=False)
    return figure


def style(axes: "Axes", ylabel: str, sessions: Days | None = None) -> None:
    """Quiet axes with a grid behind what is drawn; with sessions, over their dates."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=10)
    if sessions is not None:
        _date_axis(axes, sessions)


def _date_axis(axes: "Axes", sessions: Days) -> None:
    """Make a date axis that spans the sessions, at least some days, so that no hours are shown."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    first, last = date_numbers(sessions[[0, -1]])
    margin = max(0.02 * (last - first), 2.5 if last - first < 4 else 0.8)
    axes.set_xlim(first - margin, last + margin)
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("session", fontsize=11)


def legend(axes: "Axes", *first: str) -> None:
    """Add a legend that names these first, in whatever order they were drawn."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda at: first.index(labels[at]) if labels[at] in first else len(first))
    axes.legend([handles[at] for at in order], [labels[at] for at in order], frameon=False)


def panel_title(axes: "Axes", text: str) -> None:
    """Give one of several axes a quiet title of its own."""
    axes.set_title(text, fontsize=10, color=QUIET, loc="left", parse_math=False)


def date_numbers(sessions: Days) -> Values:
    """Give the places of sessions on a date axis: days since 1970."""
    return sessions.astype("datetime64[D]").astype(np.float64)


def signed(value: float, unit: str = "") -> str:
    """Give a number with its sign, to the cent."""
    return f"{MINUS if round(value, 2) < 0 else '+'}{unit}{abs(value):,.2f}"
