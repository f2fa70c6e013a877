"""The forecasts of every horizon as a cone: its geometry, which a template draws as SVG.

From left to right are sessions, the newest known one at the left edge, all equally far apart; up and down are prices.
Each horizon is an upright bar: thick the 80 % range, thin the 95 % range, a tick at the median. Between them the cone
is drawn straight, which is no forecast of the sessions between. Where the naive distribution stands in for a version
without skill, the bar and the part of the cone that leads to it are grey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from model.market.money import Money
from tasks.serving.board import ForecastRow, FurtherRow

# In units of the picture: its size, the room at its edges, and that for the line of numbers below.
WIDTH, HEIGHT, EDGE, BELOW = 300, 130, 10, 18
OUTER, INNER = 95, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A horizon of the cone: where it stands, and its bars from top to bottom; None where it has no such range.

    naive:   whether the naive distribution stands there, in grey
    label:   how many sessions ahead
    words:   its figures
    outline: the part of the cone that leads to it, of each level, as the points of a polygon
    """

    x: float
    median: float
    outer: tuple[float, float] | None
    inner: tuple[float, float] | None
    naive: bool
    label: str
    words: str
    outline: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Its class in the picture, for its colour."""
        return "stand-in" if self.naive else "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cone:
    """The picture: its horizons, the height of the naive forecast, and the same for people who do not see it."""

    steps: tuple[Step, ...]
    naive: float
    words: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = EDGE
    base: int = HEIGHT - 4


@dataclass(frozen=True, slots=True)
class _Given:
    horizon: int
    session: date
    median: float
    ranges: Mapping[int, tuple[float, float]]
    version: int | None
    verdict: str


def cone_picture(made: ForecastRow, further: Sequence[FurtherRow]) -> Cone | None:
    """The cone of a forecast; None where there is only the next session, or a horizon without ranges."""
    first = _Given(1, made.session, made.median, made.ranges, made.version, "")
    given = [first, *(_Given(f.horizon, f.session, f.median, f.ranges, f.version, f.verdict) for f in further)]
    if not further or not all(one.ranges for one in given):
        return None
    prices = [made.naive, *(bound for one in given for pair in one.ranges.values() for bound in pair)]
    low, high = min(prices), max(prices)
    if low == high:
        low, high = low - made.money.half_a_digit, high + made.money.half_a_digit
    last = given[-1].horizon

    def x(horizon: int) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * horizon / last, 1)

    def y(price: float) -> float:
        return round(EDGE + (HEIGHT - BELOW - 2 * EDGE) * (high - price) / (high - low), 1)

    def bar(one: _Given, level: int) -> tuple[float, float] | None:
        return (y(one.ranges[level][1]), y(one.ranges[level][0])) if level in one.ranges else None

    steps, before = [], None
    for one in given:
        outline = []
        for level in (OUTER, INNER):
            there = bar(one, level)
            start = (y(made.naive), y(made.naive)) if before is None else bar(before, level)
            if there is not None and start is not None:
                begin, end = x(0 if before is None else before.horizon), x(one.horizon)
                points = ((begin, start[0]), (end, there[0]), (end, there[1]), (begin, start[1]))
                outline.append(" ".join(f"{across},{down}" for across, down in points))
        steps.append(
            Step(
                x=x(one.horizon),
                median=y(one.median),
                outer=bar(one, OUTER),
                inner=bar(one, INNER),
                naive=one.version is None,
                label=str(one.horizon),
                words=_words(one, made.money),
                outline=tuple(outline),
            )
        )
        before = one
    return Cone(steps=tuple(steps), naive=y(made.naive), words="; ".join(step.words for step in steps))


def _words(one: _Given, money: Money) -> str:
    when = "next session" if one.horizon == 1 else f"{one.horizon} sessions ahead"
    ranges = ", ".join(f"{level} %: {money.span(*bounds)}" for level, bounds in sorted(one.ranges.items()))
    by = ", the naive distribution" if one.version is None else ""
    known = f", {one.verdict}" if one.verdict and one.verdict != "naive" else ""
    return f"{when}, {one.session:%a %Y-%m-%d}: median {money.price(one.median)}, {ranges}{by}{known}"
