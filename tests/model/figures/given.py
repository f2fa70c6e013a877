"""Evaluations with distributions whose figures are known beforehand."""

from typing import TYPE_CHECKING

import numpy as np

from model.artifact.distribution import Calibration
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

CLOSE = 100.0


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
