"""How every figure looks: size, title, axes and colours.

Neither pyplot nor its global state is used, so that figures can be made on any thread and without a display.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model.figures.axis import session_axis
from model.market.money import Money
from model.market.prices import Days

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTUAL = "black"
FORECAST = "#135485"
NAIVE = "#8c8c8c"
QUIET = "#5f6368"
MISS = "#b3261e"
BARS = "#b5b5b5"
# For presets that are compared, in their order.
COLOURS = (FORECAST, "#c0562a", "#4c7a34", "#7b4a9e")

# In longer periods, markers and pairs of bars would cover each other.
MARKED_SESSIONS = 70

MINUS = "\N{MINUS SIGN}"


def new_figure(title: str, subtitle: str, height: float = 5.0) -> "Figure":
    """Make an empty figure, 10 inches wide and `height` inches high, with a title and a subtitle for the numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), dpi=100, facecolor="white")
    figure.subplots_adjust(left=0.085, right=0.975, top=1 - 0.85 / height, bottom=0.8 / height, wspace=0.12)
    # Otherwise two dollar signs in one line would enclose a formula.
    _line_of_text(figure, 1 - 0.325 / height, title, fontsize=14, fontweight="bold")
    _line_of_text(figure, 1 - 0.625 / height, subtitle, fontsize=10.5, color=QUIET)
    return figure


def _line_of_text(figure: "Figure", y: float, text: str, *, fontsize: float, **look: Any) -> None:
    """Write one line above the axes, smaller where it would leave the figure."""
    written = figure.text(0.085, y, text, fontsize=fontsize, parse_math=False, **look)
    room = (0.975 - 0.085) * figure.bbox.width
    while written.get_window_extent().width > room:  # widths do not follow sizes exactly
        fontsize *= 0.96
        written.set_fontsize(fontsize)


def style(axes: "Axes", ylabel: str, sessions: Days | None = None) -> None:
    """Quiet axes with a grid behind what is drawn; with sessions, over these, without weekends."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=10)
    if sessions is not None:
        session_axis(axes, sessions)


def legend(axes: "Axes", *first: str) -> None:
    """Add a legend that names these first, in whatever order they were drawn."""
    axes.legend(*_ordered(axes, first), frameon=False)


def legend_above(axes: "Axes", *first: str) -> None:
    """Add such a legend as one row between subtitle and axes, where nothing drawn lies behind it."""
    handles, labels = _ordered(axes, first)
    axes.figure.subplots_adjust(top=0.79)
    where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 0.995)}
    axes.legend(handles, labels, ncols=len(labels), frameon=False, **where)


def _ordered(axes: "Axes", first: Sequence[str]) -> "tuple[list[Artist], list[str]]":
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda at: first.index(labels[at]) if labels[at] in first else len(first))
    return [handles[at] for at in order], [labels[at] for at in order]


def panel_title(axes: "Axes", text: str) -> None:
    """Give one of several axes a quiet title of its own."""
    axes.set_title(text, fontsize=10, color=QUIET, loc="left", parse_math=False)


def plain_ticks(axes: "Axes", *, integer: bool = False) -> None:
    """Few values on the vertical axis, without zeros at their ends: 0.05, not 0.050."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=integer))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", MINUS)))


def period(sessions: Days) -> str:
    """`January 2020` where the sessions lie in one month, else the first and the last of them."""
    months = np.unique(sessions.astype("datetime64[M]"))
    if len(months) > 1:
        return f"{sessions[0]} to {sessions[-1]}"
    return str(months[0].item().strftime("%B %Y"))


def signed(value: float, digits: int = 2) -> str:
    """Give a number with its sign."""
    return f"{_sign(value, digits)}{abs(value):,.{digits}f}"


def signed_price(value: float, money: Money) -> str:
    """Give a difference of prices with its sign, to the last digit that a price is written with."""
    return f"{_sign(value, money.digits)}{money.price(abs(value))}"


def _sign(value: float, digits: int) -> str:
    return MINUS if round(value, digits) < 0 else "+"
