"""Forecasts compared with actual prices and with naive forecasts of the same sessions, in dollars."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from model.evaluation import metrics
from model.evaluation.baselines import Naive, naive_forecasts
from model.evaluation.metrics import DieboldMariano, Share, training_scales
from model.evaluation.split import Split
from model.forecaster.forecasts import Forecasts
from model.market.prices import COLUMNS, Days, Prices, Values

# From a level, such as 0.8, to the lower and the upper bounds.
Intervals = dict[float, tuple[Values, Values]]
Combine = Callable[[Sequence[npt.NDArray[Any]]], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One forecast a session, made with what was known at the close of the session before.

    sessions:    (n,) datetime64[D], the days that were forecast, strictly increasing
    actual:      (n,) dollars, what happened
    forecast:    (n,) dollars
    naive:       name -> (n,) dollars, made at the same moment with the same knowledge
    statistical: likewise, if there are any; they are reported, but never count as the best naive forecast
    intervals:   level, such as 0.8 -> lower and upper bounds, each (n,) dollars, made at the same moment
    scales:      the scales of MASE and RMSSE, each (n,), from `training_scales` of each forecast's training part
    """

    sessions: Days
    actual: Values
    forecast: Values
    naive: Naive
    statistical: Naive = field(default_factory=dict)
    intervals: Intervals = field(default_factory=dict)
    scales: dict[str, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bounds = [values for pair in self.intervals.values() for values in pair]
        others = (*self.naive.values(), *self.statistical.values(), *self.scales.values(), *bounds)
        lengths = {len(self.sessions), *(len(values) for values in (self.actual, self.forecast, *others))}
        if len(lengths) != 1 or 0 in lengths or not self.naive:
            raise ValueError(f"an evaluation needs the same sessions throughout, got lengths {sorted(lengths)}")
        if not bool((np.diff(self.sessions) > np.timedelta64(0, "D")).all()):
            raise ValueError("sessions must be strictly increasing")
        for level, (lower, upper) in self.intervals.items():
            if not 0 < level < 1 or bool((lower > upper).any()):
                raise ValueError(f"intervals at level {level} need a level between 0 and 1, and lower <= upper")

    @property
    def rmse(self) -> float:
        """Root mean squared error in dollars."""
        return metrics.rmse(self.actual, self.forecast)

    @property
    def mae(self) -> float:
        """Mean absolute error in dollars."""
        return metrics.mae(self.actual, self.forecast)

    @property
    def bias(self) -> float:
        """Mean of forecast minus actual, in dollars."""
        return metrics.bias(self.actual, self.forecast)

    @property
    def best_naive(self) -> str:
        """The naive forecast with the smallest RMSE on these sessions: the hardest to beat."""
        return min(self.naive, key=lambda name: metrics.rmse(self.actual, self.naive[name]))

    @property
    def naive_rmse(self) -> float:
        """RMSE of the best naive forecast, in dollars."""
        return metrics.rmse(self.actual, self.naive[self.best_naive])

    @property
    def naive_mae(self) -> float:
        """MAE of the naive forecast that has the best RMSE, in dollars."""
        return metrics.mae(self.actual, self.naive[self.best_naive])

    @property
    def skill(self) -> float:
        """1 - RMSE / RMSE of the best naive forecast: above 0 is better than naive."""
        return metrics.skill(self.rmse, self.naive_rmse)

    @property
    def has_skill(self) -> bool:
        """Whether it beats every naive forecast."""
        return self.skill > 0

    @property
    def direction(self) -> Share:
        """How often the price moved from the newest Close in the direction of the forecast.

        Where the newest Close is no naive forecast of the column: from the column's own newest price.
        """
        reference = "newest_Close" if "newest_Close" in self.naive else next(iter(self.naive))
        return metrics.directional_accuracy(self.actual, self.forecast, self.naive[reference])

    def part(self, rows: slice | npt.NDArray[np.bool_]) -> "Evaluation":
        """The evaluation of some of the sessions."""
        return _rebuilt([self], lambda arrays: arrays[0][rows])

    def against(self, other: Values) -> DieboldMariano:
        """The Diebold-Mariano test against another forecast of the same sessions, (n,) dollars."""
        return metrics.diebold_mariano(self.actual, self.forecast, other)

    def coverage(self, level: float, tolerance: float = 0.0) -> Share:
        """How many prices lay within the intervals at a level, or outside by at most `tolerance` dollars."""
        lower, upper = self.intervals[level]
        return metrics.coverage(self.actual, lower - tolerance, upper + tolerance)

    def metrics(self) -> dict[str, float]:
        """Every metric by name, those of the other forecasts included.

        The first six are always there, even if infinite or NaN; of the others, undefined ones are left out.
        """
        figures = {name: getattr(self, name) for name in ("rmse", "mae", "bias", "naive_rmse", "naive_mae", "skill")}
        for name, values in {**self.naive, **self.statistical}.items():
            figures[f"{name}_rmse"] = metrics.rmse(self.actual, values)
            figures[f"{name}_mae"] = metrics.mae(self.actual, values)
        finer = (*self._scaled(), *self._tested(), *self._within())
        return figures | {name: value for name, value in finer if math.isfinite(value)}

    def _scaled(self) -> Iterator[tuple[str, float]]:
        if self.scales:
            yield "mase", metrics.mase(self.actual, self.forecast, self.scales["absolute"])
            yield "rmsse", metrics.rmsse(self.actual, self.forecast, self.scales["squared"])

    def _tested(self) -> Iterator[tuple[str, float]]:
        if self.direction.n:
            lowest, highest = self.direction.bounds
            yield from (("direction", self.direction.value), ("direction_lower", lowest), ("direction_upper", highest))
        yield "dm_naive_p", self.against(self.naive[self.best_naive]).p_value

    def _within(self) -> Iterator[tuple[str, float]]:
        quantiles = {0.5: self.forecast}
        for level, (lower, upper) in sorted(self.intervals.items()):
            yield f"coverage_{100 * level:g}", self.coverage(level).value
            yield f"winkler_{100 * level:g}", metrics.winkler(self.actual, lower, upper, level)
            quantiles |= {(1 - level) / 2: lower, (1 + level) / 2: upper}
        if self.intervals:
            yield "crps", metrics.crps(self.actual, quantiles)


def evaluate(forecast: Callable[[Prices, int], Forecasts | Values], split: Split, column: str) -> Evaluation:
    """Forecast each session of the test period with what was known at the close of the one before.

    forecast: a function of prices and a number of origins that returns dollars, such as Forecaster.forecast, or
              dollars with intervals, such as Forecaster.predict; levels without bounds on some session are left out
    """
    known = split.prices.rows(0, len(split.prices) - 1)
    made = forecast(known, split.n_test)
    if not isinstance(made, Forecasts):
        made = Forecasts(values=made, lower={}, upper={})
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=split.actual[:, COLUMNS.index(column)],
        forecast=made.values,
        naive=naive_forecasts(known, column, split.n_test),
        intervals=made.complete(),
        scales=training_scales(split.train.column(column), split.n_test),
    )


def join(parts: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of consecutive periods, with the forecasts and levels that all of them have."""
    return _rebuilt(parts, np.concatenate)


def _rebuilt(parts: Sequence[Evaluation], combine: Combine) -> Evaluation:
    """An evaluation whose arrays are combined from those in the same place of the parts."""
    names = [each.name for each in fields(Evaluation)]
    return Evaluation(**{name: _combined([getattr(part, name) for part in parts], combine) for name in names})


def _combined(values: Sequence[Any], combine: Combine) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        common = [name for name in first if all(name in value for value in values)]
        return {name: _combined([value[name] for value in values], combine) for name in common}
    if isinstance(first, tuple):
        return tuple(_combined(inner, combine) for inner in zip(*values, strict=True))
    return combine(values)
