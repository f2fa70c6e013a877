"""What made a forecast wide or narrow, as a small picture: its geometry, which a template draws as SVG.

A row for each factor: its bar, its value, and its words. Bars to the right of the middle made the forecast wider, those
to the left narrower. The scale is logarithmic and the same in every picture, so that models can be compared.
"""

import math
from dataclasses import dataclass

from model.forecaster.explanation import Explanation

# In units of the picture: its width, the middle and the length of the longest bar, a row's height and a bar's, where
# the values end and the words begin.
WIDTH, MIDDLE, LONGEST = 300, 46, 38
ROW, BAR, VALUE, WORDS = 15, 8, 115, 120
# The longest bar: twice as wide, or half.
MOST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorBar:
    """A row: what is written in it, its top, and its bar; `cut` where the bar goes on beyond the picture."""

    value: str
    words: str
    wider: bool
    top: int
    x: float
    width: float
    cut: bool

    @property
    def text_y(self) -> int:
        """The base line of its text."""
        return self.top + 11

    @property
    def bar_y(self) -> int:
        """The top of its bar."""
        return self.top + 3

    @property
    def tip(self) -> str:
        """The arrow at the end of a bar that is cut, as a path."""
        end, point = (MIDDLE + LONGEST, 7) if self.wider else (MIDDLE - LONGEST, -7)
        return f"M{end} {self.bar_y - 2} L{end + point} {self.bar_y + BAR // 2} L{end} {self.bar_y + BAR + 2} Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorBars:
    """The rows, the factor that changes most first.

    times:    how many times its usual width the forecast is wide, as it is written
    sentence: the same in words, also for people who do not see the bars
    """

    rows: tuple[FactorBar, ...]
    times: str
    sentence: str
    width: int = WIDTH
    middle: int = MIDDLE
    bar: int = BAR
    value: int = VALUE
    words: int = WORDS

    @property
    def height(self) -> int:
        """Of the picture."""
        return ROW * len(self.rows)


def factor_bars(why: Explanation | None) -> FactorBars | None:
    """The picture of an explanation, without factors that are written as 1.00; None without one."""
    if why is None:
        return None
    rows = tuple(_row(factor.value, factor.words, ROW * at) for at, factor in enumerate(why.shown))
    return FactorBars(rows=rows, times=f"{why.times:.2f}", sentence=why.sentence)


def _row(value: float, words: str, top: int) -> FactorBar:
    share = math.log(value) / math.log(MOST)
    length = round(LONGEST * min(1.0, abs(share)), 1)
    return FactorBar(
        value=f"{value:.2f}",
        words=words,
        wider=value > 1,
        top=top,
        x=MIDDLE if value > 1 else round(MIDDLE - length, 1),
        width=length,
        cut=abs(share) > 1,
    )
