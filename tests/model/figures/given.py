"""Evaluations with distributions whose figures are known beforehand."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student_t

from model.artifact.distribution import PROBABILITIES, Calibration
from model.artifact.recipes import LevelRecipe
from model.evaluation.evaluation import Evaluation
from model.forecaster.forecaster import LossCourse
from model.market.prices import Values
from tests.distributions import around
from tests.market import weekdays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox

CLOSE = 100.0
# Boxes have paddings: so many pixels of them may lie on each other.
SLACK = 4.0


def distributed(errors: list[float] | Values, half_80: float = 1.0, half_95: float = 2.0) -> Evaluation:
    """Distributions around the newest Close, always 100 dollars, which the price misses by so much.

    The naive distributions are twice as wide, GARCH's three times.
    """
    middle = np.full(len(errors), CLOSE)
    return Evaluation(
        sessions=weekdays(len(errors)),
        actual=middle + errors,
        forecast=middle,
        naive={"newest_Open": middle - 5.0, "newest_Close": middle},
        quantiles=around(middle, half_80, half_95),
        naive_quantiles={"constant_250": around(middle, 2 * half_80, 2 * half_95)},
        statistical_quantiles={"garch_t": around(middle, 3 * half_80, 3 * half_95)},
        unit="USD",
    )


def market_like(n: int, *, too_narrow: bool = False) -> Evaluation:
    """Distributions as a market has them, whose volatility changes; with `too_narrow` they are half as wide as that."""
    rng = np.random.default_rng(3)
    volatility = np.clip(0.015 * np.exp(np.cumsum(rng.normal(0, 0.08, n))), 0.006, 0.05)
    close = 200 * np.exp(np.cumsum(rng.standard_t(4, n) * volatility))
    moves = rng.standard_t(4, n) * volatility / 1.4
    shape = student_t.ppf(np.array(PROBABILITIES), 4)
    quantiles = close[:, np.newaxis] * np.exp(np.outer(volatility / (2.8 if too_narrow else 1.4), shape))
    naive = {f"constant_{days}": close[:, np.newaxis] * np.exp(sd * shape) for days, sd in ((250, 0.013), (500, 0.016))}
    return Evaluation(
        sessions=weekdays(n),
        actual=close * np.exp(moves),
        forecast=quantiles[:, PROBABILITIES.index(0.5)],
        naive={"newest_Open": close * 1.01, "newest_Close": close},
        quantiles=quantiles,
        naive_quantiles=naive,
        unit="USD",
    )


def overlaps(figure: "Figure") -> list[str]:
    """What lies on something else, or outside the figure: a legend on what is drawn or written, a label cut off."""
    figure.draw_without_rendering()
    legends = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()) is not None)]
    named: dict[str, Bbox | None] = {f"axes {axes.get_ylabel()}": axes.get_tightbbox() for axes in figure.axes}
    named |= {text.get_text(): text.get_window_extent() for text in figure.texts}
    named |= {f"legend {legend.get_texts()[0].get_text()}": legend.get_window_extent() for legend in legends}
    found = [f"cut off: {name}" for name, box in named.items() if box is not None and not _within(figure, box)]
    titles = [axes._left_title for axes in figure.axes]  # type: ignore[attr-defined]
    beneath = {f"axes {axes.get_ylabel()}": axes.bbox for axes in figure.axes}
    beneath |= {text.get_text(): text.get_window_extent() for text in (*figure.texts, *titles) if text.get_text()}
    for legend in legends:
        box, name = legend.get_window_extent(), legend.get_texts()[0].get_text()
        found += [f"legend {name} on {what}" for what, other in beneath.items() if _shared(box, other) > SLACK]
    return found


def _within(figure: "Figure", box: "Bbox") -> bool:
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1)


def _shared(one: "Bbox", other: "Bbox") -> float:
    """How many pixels high two boxes lie on each other; 0 where they are apart."""
    if min(one.x1, other.x1) <= max(one.x0, other.x0):
        return 0.0
    return max(0.0, float(min(one.y1, other.y1) - max(one.y0, other.y0)))


def course(*training: float, held_back: tuple[float, ...] = (), kept: int | None = None) -> LossCourse:
    """A network's losses; the last epoch's weights are kept where nothing else is said."""
    return LossCourse(training=training, held_back=held_back, kept=len(training) if kept is None else kept)


LEVEL = LevelRecipe(
    column="Open",
    lookback=40,
    calibration=Calibration(windows=(250,), symmetric=True),
    minimum=90.0,
    maximum=110.0,
)


def line(axes: "Axes", label: str) -> "Line2D":
    return next(line for line in axes.get_lines() if line.get_label() == label)


def texts(figure: "Figure") -> str:
    return "\n".join(text.get_text() for text in figure.texts)
