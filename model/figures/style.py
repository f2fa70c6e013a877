"""How every figure looks: size, title, axes and colours.

Neither pyplot nor its global state is used, so that figures can be made on any thread and without a display.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model.figures.axis import places, session_axis
from model.market.money import Money
from model.market.prices import Days, Values

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

# The sides of the axes as shares of the width: there is room for prices with two decimals left of them.
LEFT, RIGHT = 0.095, 0.975
# Of one session, prices that hardly differ: their axis reaches over such a share of them at least.
LEAST_SPAN = 0.02

MINUS = "\N{MINUS SIGN}"


def new_figure(title: str, subtitle: str, height: float = 5.0) -> "Figure":
    """Make an empty figure, 10 inches wide and `height` inches high, with a title and a subtitle for the numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), dpi=100, facecolor="white")
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=1 - 0.85 / height, bottom=0.8 / height, wspace=0.12)
    # Otherwise two dollar signs in one line would enclose a formula.
    _line_of_text(figure, 1 - 0.325 / height, title, fontsize=14, fontweight="bold")
    _line_of_text(figure, 1 - 0.625 / height, subtitle, fontsize=10.5, color=QUIET)
    return figure


def _line_of_text(figure: "Figure", y: float, text: str, *, fontsize: float, **look: Any) -> None:
    """Write one line above the axes, smaller where it would leave the figure."""
    written = figure.text(LEFT, y, text, fontsize=fontsize, parse_math=False, **look)
    room = (RIGHT - LEFT) * figure.bbox.width
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


def legend_above(axes: "Axes", *first: str) -> None:
    """Add a legend as one row above the axes, where nothing drawn lies behind it; it names these first."""
    handles, labels = _ordered(axes, first)
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.subplots_adjust(top=1 - 1.05 / figure.get_figheight())
    where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 0.995), "borderpad": 0.2, "borderaxespad": 0.2}
    axes.legend(handles, labels, ncols=len(labels), frameon=False, **where)


def legend_of_all(figure: "Figure", handles: "Sequence[Artist]", labels: Sequence[str]) -> None:
    """Add a legend as one row below the subtitle, for axes that have titles of their own."""
    height = figure.get_figheight()
    figure.subplots_adjust(top=1 - 1.35 / height)
    where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (LEFT - 0.01, 1 - 0.68 / height)}
    figure.legend(handles, labels, ncols=len(labels), frameon=False, **where)


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


def room_around_one_session(axes: "Axes", sessions: Days) -> None:
    """Widen the vertical axis where a single session's values would fill it, however near to each other they are."""
    if len(sessions) > 1:
        return
    low, high = axes.get_ylim()
    lacks = LEAST_SPAN * max(abs(low), abs(high)) - (high - low)
    if lacks > 0:
        axes.set_ylim(low - lacks / 2, high + lacks / 2)


def wide_places(sessions: Days) -> Values:
    """The sessions' places, for a line; of a single session two, as far apart as a bar is wide."""
    at = places(sessions)
    return at if len(at) > 1 else np.array([-0.4, 0.4])


def period(sessions: Days) -> str:
    """`January 2020` where the sessions lie in one month, else the first and the last of them."""
    months = np.unique(sessions.astype("datetime64[M]"))
    if len(months) > 1:
        return f"{sessions[0]} to {sessions[-1]}"
    return str(months[0].item().strftime("%B %Y"))


def period_of_newest(sessions: Days, of: int) -> str:
    """The period; if these are only the newest of `of` sessions, their number instead: a title has no room for both."""
    return period(sessions) if len(sessions) == of else f"the newest {len(sessions):,} of {of:,} sessions"


def signed(value: float, digits: int = 2) -> str:
    """Give a number with its sign."""
    return f"{_sign(value, digits)}{abs(value):,.{digits}f}"


def signed_price(value: float, money: Money) -> str:
    """Give a difference of prices with its sign, to the last digit that a price is written with."""
    return f"{_sign(value, money.digits)}{money.price(abs(value))}"


def _sign(value: float, digits: int) -> str:
    return MINUS if round(value, digits) < 0 else "+"
