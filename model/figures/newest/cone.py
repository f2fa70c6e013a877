"""The forecasts of several sessions that were made at once, as a cone: each horizon's median, 80 and 95 % range.

It begins at the naive forecast, which is the newest price. Between the horizons it is drawn straight, which is no
forecast of the sessions between. Where the naive distribution stands in for a version without skill, it is grey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from model.figures.style import ACTUAL, FORECAST, MISS, NAIVE, QUIET, legend_of_all, new_figure, panel_title, style
from model.market.money import Money

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = (95, 80)
OPACITY = {95: 0.16, 80: 0.36}
# In units of the small picture: its size, and the room around what is drawn.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 640, 250, 100, 110, 28, 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The forecast of one session.

    horizon:   how many sessions ahead
    intervals: level in per cent (80, 95) -> the lowest and the highest price within it
    naive:     whether it is the naive distribution
    came:      the price that came; None where it is not known
    """

    horizon: int
    session: date
    median: float
    intervals: Mapping[int, tuple[float, float]]
    naive: bool
    came: float | None = None

    @property
    def colour(self) -> str:
        """Grey for the naive distribution."""
        return NAIVE if self.naive else FORECAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Cone:
    """Forecasts as of one day.

    start: the naive forecast of the next session, called `started`
    steps: by horizon, that of the next session first
    """

    as_of: date
    start: float
    started: str
    steps: tuple[Step, ...]
    money: Money

    @property
    def is_over(self) -> bool:
        """Whether every price came."""
        return all(step.came is not None for step in self.steps)

    def ends(self, level: int) -> list[tuple[int, float, float]]:
        """Sessions ahead, lower and upper bound, from the start on; without the horizons that lack such an interval."""
        there = ((step.horizon, *step.intervals[level]) for step in self.steps if level in step.intervals)
        return [(0, self.start, self.start), *there]


def cone_figure(cones: Sequence[Cone], title: str) -> "Figure":
    """Draw cones beside each other, with the prices that came; one outside the 95 % range has a mark."""
    figure = new_figure(title, "straight between the horizons, which says nothing of the sessions between")
    figure.subplots_adjust(wspace=0.18)
    panels = figure.subplots(1, len(cones), squeeze=False)[0]
    for axes, cone in zip(panels, cones, strict=True):
        _draw(axes, cone)
    panels[0].set_ylabel(cones[0].money.label("price"), fontsize=11)
    named = {text: handle for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    legend_of_all(figure, list(named.values()), list(named))
    return figure


def _draw(axes: "Axes", cone: Cone) -> None:
    style(axes, "")
    for level in LEVELS:
        ends = cone.ends(level)
        colours = {step.horizon: step.colour for step in cone.steps}
        for before, after in pairwise(ends):
            across, low, high = zip(before, after, strict=True)
            name = f"_naive {level} %" if colours[after[0]] == NAIVE else f"{level} %"
            look: dict[str, Any] = {"color": colours[after[0]], "alpha": OPACITY[level], "linewidth": 0, "label": name}
            axes.fill_between(across, low, high, **look)
    for step in cone.steps:
        for level, width in zip(LEVELS, (1.4, 5.0), strict=True):
            if level in step.intervals:
                axes.vlines(step.horizon, *step.intervals[level], color=step.colour, linewidth=width)
        look = {"color": step.colour, "markeredgecolor": "white", "markersize": 8, "linestyle": ""}
        axes.plot([step.horizon], [step.median], marker="o", label="naive" if step.naive else "median", **look)
    axes.plot([0], [cone.start], marker="s", color=QUIET, markersize=6, linestyle="", label=cone.started)
    for step in cone.steps:
        if step.came is not None:
            missed = _is_missed(step)
            look = {"color": MISS if missed else ACTUAL, "linestyle": "", "markersize": 8, "markeredgewidth": 1.8}
            axes.plot([step.horizon], [step.came], marker="x", label="outside 95 %" if missed else "came", **look)
    axes.set_xlim(-0.04 * cone.steps[-1].horizon, 1.06 * cone.steps[-1].horizon)
    axes.set_xticks([0, *(step.horizon for step in cone.steps)])
    axes.set_xlabel("sessions ahead", fontsize=11)
    panel_title(axes, f"as of {cone.as_of}, to {cone.steps[-1].session}")


def _is_missed(step: Step) -> bool:
    low, high = step.intervals.get(95, (step.median, step.median))
    return step.came is not None and 95 in step.intervals and not low <= step.came <= high


def cone_svg(cone: Cone, what: str) -> str:
    """Draw a cone as SVG of some two kilobytes, without matplotlib.

    what: what was forecast, such as `META Open`, for people who cannot see the picture
    """
    ends = [end for level in LEVELS for _, *pair in cone.ends(level) for end in pair]
    prices = [cone.start, *ends, *(step.median for step in cone.steps)]
    low, high = min(prices), max(prices)
    if low == high:
        low, high = low - cone.money.half_a_digit, high + cone.money.half_a_digit
    last = cone.steps[-1].horizon

    def x(horizon: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * horizon / last, 1)

    def y(price: float) -> float:
        return round(TOP + (HEIGHT - TOP - BELOW) * (high - price) / (high - low), 1)

    colours = {step.horizon: step.colour for step in cone.steps}
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for level in LEVELS:
        for (begin, *first), (end, *then) in pairwise(cone.ends(level)):
            corners = ((begin, first[0]), (end, then[0]), (end, then[1]), (begin, first[1]))
            points = " ".join(f"{x(horizon)},{y(price)}" for horizon, price in corners)
            parts.append(f'<polygon points="{points}" fill="{colours[end]}" fill-opacity="{OPACITY[level]}"/>')
    parts.append(_text(x(0) - 6, y(cone.start) + 5, cone.money.price(cone.start), QUIET, "end"))
    for step in cone.steps:
        for level in LEVELS:
            if level in step.intervals:
                lower, upper = step.intervals[level]
                parts.append(_bar(x(step.horizon), y(upper), y(lower), step.colour, 6 if level == min(LEVELS) else 2))
        parts.append(
            f'<circle cx="{x(step.horizon)}" cy="{y(step.median)}" r="4.5" fill="{step.colour}" stroke="white"/>'
        )
        parts.append(_text(x(step.horizon), HEIGHT - 26, str(step.horizon), QUIET, "middle"))
    edge = cone.steps[-1]
    named = (*edge.intervals.get(95, ()), edge.median)
    parts += [_text(x(last) + 9, y(price) + 5, cone.money.price(price), edge.colour, "start") for price in named]
    said = "sessions ahead; the 80 and 95 % intervals" + (", naive in grey" if any(s.naive for s in cone.steps) else "")
    parts.append(_text(x(0), HEIGHT - 7, said, QUIET, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13"><title>{escape(what)}</title>{"".join(parts)}</svg>'
    )


def _bar(x: float, top: float, bottom: float, colour: str, width: int) -> str:
    return f'<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    return f'<text x="{round(x, 1)}" y="{round(y, 1)}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
