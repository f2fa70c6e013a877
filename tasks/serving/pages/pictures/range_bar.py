"""A forecast's ranges as a small bar on the scale of recent moves: its geometry, which a template draws as SVG.

The middle of every bar is the naive forecast. A quarter of its length to either side is how far prices have moved
lately: the naive distribution's 95 % range. So bars of different prices and currencies can be compared: a range wider
than the band of recent moves expects more than usual.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.serving.board import ForecastRow

# In units of the picture; EDGE keeps marks at the ends within it.
WIDTH, HEIGHT, EDGE = 200, 28, 4
# How many times the recent moves a bar shows to either side of the naive forecast.
MOVES = 2.0
OUTER, INNER = 95, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the bar: its left end and width; `cut_left` and `cut_right` where it goes on beyond the bar."""

    x: float
    width: float
    cut_left: bool
    cut_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeBar:
    """A bar: the places of what it shows, in units of a picture of WIDTH by HEIGHT.

    recent:       the 95 % range of recent moves; None where the forecast has no naive distribution beside it
    outer, inner: the 95 and the 80 % range; None where the version gave no distribution
    naive, median: the two forecasts
    words:        the same for people who do not see it
    """

    recent: Span | None
    outer: Span | None
    inner: Span | None
    naive: float
    median: float
    words: str
    width: int = WIDTH
    height: int = HEIGHT


def range_bar(made: ForecastRow) -> RangeBar | None:
    """The bar of a forecast; None where it has no ranges to show."""
    recent, own = made.naive_ranges.get(OUTER), made.ranges.get(OUTER) or made.ranges.get(INNER)
    scale = recent or own
    if scale is None:
        return None
    reach = MOVES * max(abs(bound - made.naive) for bound in scale) or made.money.half_a_digit

    def at(price: float) -> float:
        share = max(-1.0, min(1.0, (price - made.naive) / reach))
        return round(WIDTH / 2 + share * (WIDTH / 2 - EDGE), 1)

    def span(ranges: Mapping[int, tuple[float, float]], level: int) -> Span | None:
        if level not in ranges:
            return None
        low, high = ranges[level]
        return Span(
            x=at(low),
            width=round(at(high) - at(low), 1),
            cut_left=low < made.naive - reach,
            cut_right=high > made.naive + reach,
        )

    return RangeBar(
        recent=span(made.naive_ranges, OUTER),
        outer=span(made.ranges, OUTER),
        inner=span(made.ranges, INNER),
        naive=at(made.naive),
        median=at(made.median),
        words=_words(made),
    )


def _words(made: ForecastRow) -> str:
    money = made.money
    parts = [f"median {money.price(made.median)}, naive {money.price(made.naive)}"]
    parts += [f"{level} %: {money.span(*bounds)}" for level, bounds in sorted(made.ranges.items())]
    if OUTER in made.ranges and OUTER in made.naive_ranges:
        (low, high), (least, most) = made.ranges[OUTER], made.naive_ranges[OUTER]
        if most > least:
            parts.append(f"{(high - low) / (most - least):.0%} as wide as recent moves".replace("%", " %"))
    return "; ".join(parts)
