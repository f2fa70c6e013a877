"""One forecast as a small picture: its median, its intervals as bands, and the naive forecast beside them.

It is SVG of a few hundred bytes, made without matplotlib, so that a quick forecast need not wait for a library to load.
"""

from collections.abc import Mapping
from html import escape

from model.figures.style import FORECAST, MISS, QUIET
from model.market.money import Money

WIDTH, HEIGHT = 640, 128
MARGIN = 70
TOP, BOTTOM = 44, 84


def interval_svg(
    forecast: float, naive: float, intervals: Mapping[int, tuple[float, float]], money: Money, what: str
) -> str:
    """Draw one forecast on an axis of prices.

    intervals: level in per cent -> lower and upper bound
    what:      what was forecast, such as `META Open on 2020-02-03`, for people who cannot see the picture
    """
    prices = [forecast, naive, *(bound for pair in intervals.values() for bound in pair)]
    low, high = min(prices), max(prices)
    if low == high:
        low, high = low - money.half_a_digit, high + money.half_a_digit

    def at(price: float) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (price - low) / (high - low), 1)

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for level, (lower, upper) in sorted(intervals.items(), reverse=True):
        left, right, opacity = at(lower), at(upper), 0.18 if level > 90 else 0.4
        parts.append(
            f'<rect x="{left}" y="{TOP}" width="{round(right - left, 1)}" height="{BOTTOM - TOP}" fill="{FORECAST}" '
            f'fill-opacity="{opacity}"><title>{level} %: {escape(money.span(lower, upper))}</title></rect>'
        )
    for price, colour, dash in ((naive, MISS, ' stroke-dasharray="4 3"'), (forecast, FORECAST, "")):
        place = at(price)
        parts.append(
            f'<line x1="{place}" x2="{place}" y1="{TOP - 6}" y2="{BOTTOM + 6}" stroke="{colour}" '
            f'stroke-width="2.5"{dash}/>'
        )
    parts.append(_text(at(forecast), TOP - 13, f"forecast {money.price(forecast)}", FORECAST, bold=True))
    parts.append(_text(at(naive), BOTTOM + 22, f"naive {money.price(naive)}", MISS))
    if intervals:
        widest = max(intervals)
        lower, upper = intervals[widest]
        parts.append(_text(at(lower) - 4, (TOP + BOTTOM) / 2 + 5, money.price(lower), QUIET, anchor="end"))
        parts.append(_text(at(upper) + 4, (TOP + BOTTOM) / 2 + 5, money.price(upper), QUIET, anchor="start"))
        levels = " and ".join(f"{level} %" for level in sorted(intervals))
        parts.append(_text(WIDTH - 6, HEIGHT - 7, f"bands: the {levels} intervals", QUIET, anchor="end"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13"><title>{escape(what)}</title>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, colour: str, *, anchor: str = "", bold: bool = False) -> str:
    """A line of text at a place of the axis; at the picture's edges it begins or ends there, so that nothing is cut."""
    if not anchor:
        anchor = "start" if x < 2 * MARGIN else "end" if x > WIDTH - 2 * MARGIN else "middle"
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{round(x, 1)}" y="{y:g}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
