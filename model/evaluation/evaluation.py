"""Forecasts and their distributions beside actual prices and naive forecasts of the same sessions, in their unit."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from model.artifact.distribution import LEVELS
from model.evaluation import distribution, metrics
from model.evaluation.baselines import Naive, naive_distributions, naive_forecasts
from model.evaluation.metrics import DieboldMariano, Share, training_scales
from model.evaluation.split import Split
from model.forecaster.forecasts import Forecasts
from model.market.money import Money
from model.market.prices import COLUMNS, Days, Prices, Values

# From a level, such as 0.8, to the lower and the upper bounds.
Intervals = dict[float, tuple[Values, Values]]
Combine = Callable[[Sequence[npt.NDArray[Any]]], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One forecast a session, made with what was known at the close of the session before, or of `horizon` before.

    sessions:    (n,) datetime64[D], the days that were forecast, strictly increasing
    actual:      (n,) the actual prices
    forecast:    (n,) prices, the point forecasts
    naive:       name -> (n,) prices, point forecasts made at the same moment with the same knowledge
    statistical: likewise, if there are any; they are reported, but never count as the best naive forecast
    quantiles:   (n, len(PROBABILITIES)) prices, ascending, the predictive distribution of each session; a row is NaN
                 throughout where there is none
    naive_quantiles, statistical_quantiles: name -> the same of the naive and the statistical distributions
    scales:      the scales of MASE and RMSSE, each (n,), from `training_scales` of each forecast's training part
    unit:        of the prices and of all that is in them, such as RMSE and CRPS; as Money takes it
    horizon:     how many sessions ahead all of them were made
    """

    sessions: Days
    actual: Values
    forecast: Values
    naive: Naive
    statistical: Naive = field(default_factory=dict)
    quantiles: Values = field(default_factory=lambda: distribution.no_distributions(0))
    naive_quantiles: Naive = field(default_factory=dict)
    statistical_quantiles: Naive = field(default_factory=dict)
    scales: dict[str, Values] = field(default_factory=dict)
    unit: str | None = None
    horizon: int = 1

    def __post_init__(self) -> None:
        if not len(self.quantiles):
            object.__setattr__(self, "quantiles", distribution.no_distributions(len(self.sessions)))
        every = (self.quantiles, *self.naive_quantiles.values(), *self.statistical_quantiles.values())
        others = (*self.naive.values(), *self.statistical.values(), *self.scales.values(), *every)
        lengths = {len(self.sessions), *(len(values) for values in (self.actual, self.forecast, *others))}
        if len(lengths) != 1 or 0 in lengths or not self.naive:
            raise ValueError(f"an evaluation needs the same sessions throughout, got lengths {sorted(lengths)}")
        if not bool((np.diff(self.sessions) > np.timedelta64(0, "D")).all()):
            raise ValueError("sessions must be strictly increasing")
        for quantiles in every:
            distribution.check(quantiles)

    @property
    def money(self) -> Money:
        """How its prices and scores are written: with the digits that the newest actual price needs."""
        return Money.at(self.unit, float(self.actual[-1]))

    @property
    def intervals(self) -> Intervals:
        """Level, such as 0.8 -> the lower and the upper bounds, each (n,); empty where no session has any."""
        if not distribution.given(self.quantiles).any():
            return {}
        return {level / 100: distribution.interval(self.quantiles, level) for level in LEVELS}

    @property
    def rmse(self) -> float:
        """Root mean squared error."""
        return metrics.rmse(self.actual, self.forecast)

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return metrics.mae(self.actual, self.forecast)

    @property
    def bias(self) -> float:
        """Mean of forecast minus actual."""
        return metrics.bias(self.actual, self.forecast)

    @property
    def best_naive(self) -> str:
        """The naive forecast with the smallest RMSE on these sessions: the hardest to beat."""
        return min(self.naive, key=lambda name: metrics.rmse(self.actual, self.naive[name]))

    @property
    def naive_rmse(self) -> float:
        """RMSE of the best naive forecast."""
        return metrics.rmse(self.actual, self.naive[self.best_naive])

    @property
    def naive_mae(self) -> float:
        """MAE of the naive forecast that has the best RMSE."""
        return metrics.mae(self.actual, self.naive[self.best_naive])

    @property
    def skill(self) -> float:
        """1 - RMSE / RMSE of the best naive forecast: above 0 is better than naive."""
        return metrics.skill(self.rmse, self.naive_rmse)

    @property
    def has_skill(self) -> bool:
        """Whether it beats every naive forecast."""
        return self.skill > 0

    def crps_of(self, quantiles: Values) -> Values:
        """The CRPS of other distributions of these sessions, (n,), NaN where there is none."""
        return distribution.crps(self.actual, quantiles)

    @property
    def best_naive_distribution(self) -> str | None:
        """The naive distribution with the smallest CRPS on the sessions that are compared; None where there is none."""
        scores = self._naive_scores()
        return min(scores, key=lambda name: scores[name]) if scores else None

    @property
    def crps(self) -> float:
        """The mean CRPS; NaN without distributions.

        Where there are naive distributions: over the sessions that have all of them and ours.
        """
        return metrics.mean_given(self.crps_of(self.quantiles)[self._compared()])

    @property
    def naive_crps(self) -> float:
        """The mean CRPS of the best naive distribution on the same sessions."""
        return min(self._naive_scores().values(), default=math.nan)

    @property
    def crps_skill(self) -> float:
        """1 - CRPS / CRPS of the best naive distribution: above 0 is better than naive."""
        return metrics.skill(self.crps, self.naive_crps)

    @property
    def log_score(self) -> float:
        """The mean logarithm of the forecast density at the actual log price: higher is better."""
        return metrics.mean_given(distribution.log_density(self.actual, self.quantiles))

    @property
    def pit(self) -> Values:
        """(n,) the forecast probability of prices up to the actual one; NaN where there is no distribution."""
        return distribution.pit(self.actual, self.quantiles)

    def against_distribution(self, other: Values) -> DieboldMariano:
        """The Diebold-Mariano test of the CRPS against other distributions of the same sessions."""
        return metrics.diebold_mariano(self.crps_of(self.quantiles), self.crps_of(other), self.horizon)

    def _compared(self) -> npt.NDArray[np.bool_]:
        """(n,) the sessions that have every naive distribution, and ours if there are any of ours."""
        every = [distribution.given(quantiles) for quantiles in (self.quantiles, *self.naive_quantiles.values())]
        return np.asarray(np.logical_and.reduce([found for found in every if found.any()] or every))

    def _naive_scores(self) -> dict[str, float]:
        """The mean CRPS of each naive distribution on the sessions that are compared, where there are any."""
        rows = self._compared()
        scores = {name: self.crps_of(made)[rows] for name, made in self.naive_quantiles.items()}
        means = {name: metrics.mean_given(found) for name, found in scores.items()}
        return {name: mean for name, mean in means.items() if not math.isnan(mean)}

    @property
    def direction(self) -> Share:
        """How often the price moved from the newest Close in the direction of the forecast.

        Where the newest Close is not among the column's naive forecasts, from the column's own newest price.
        """
        reference = "newest_Close" if "newest_Close" in self.naive else next(iter(self.naive))
        return metrics.directional_accuracy(self.actual, self.forecast, self.naive[reference])

    def part(self, rows: slice | npt.NDArray[np.bool_]) -> "Evaluation":
        """The evaluation of some of the sessions."""
        return _rebuilt([self], lambda arrays: arrays[0][rows])

    def against(self, other: Values) -> DieboldMariano:
        """The Diebold-Mariano test against another forecast of the same sessions, (n,) prices."""
        losses, others = (np.square(made - self.actual) for made in (self.forecast, other))
        return metrics.diebold_mariano(losses, others, self.horizon)

    def coverage(self, level: float, tolerance: float = 0.0) -> Share:
        """How many prices lay within the intervals at a level, or outside by at most `tolerance`."""
        lower, upper = self.intervals[level]
        return metrics.coverage(self.actual, lower - tolerance, upper + tolerance)

    def coverage_as_quoted(self, level: float) -> Share:
        """The same, where a price outside by at most half a cent, or half the last digit, counts as within."""
        return self.coverage(level, self.money.half_a_digit)

    def metrics(self) -> dict[str, float]:
        """Every metric by name, those of the other forecasts included.

        The first six are always there, even if infinite or NaN; of the others, undefined ones are left out.
        """
        figures = {name: getattr(self, name) for name in ("rmse", "mae", "bias", "naive_rmse", "naive_mae", "skill")}
        for name, values in {**self.naive, **self.statistical}.items():
            figures[f"{name}_rmse"] = metrics.rmse(self.actual, values)
            figures[f"{name}_mae"] = metrics.mae(self.actual, values)
        finer = (*self._scaled(), *self._tested(), *self._within(), *self._distributions())
        return figures | {name: value for name, value in finer if math.isfinite(value)}

    def _scaled(self) -> Iterator[tuple[str, float]]:
        if self.scales:
            yield "mase", metrics.mase(self.actual, self.forecast, self.scales["absolute"])
            yield "rmsse", metrics.rmsse(self.actual, self.forecast, self.scales["squared"])

    def _tested(self) -> Iterator[tuple[str, float]]:
        if self.direction.n:
            yield "direction", self.direction.value
            if self.horizon == 1:  # further ahead forecasts overlap, and the interval would be too narrow
                yield from zip(("direction_lower", "direction_upper"), self.direction.bounds, strict=True)
        yield "dm_naive_p", self.against(self.naive[self.best_naive]).p_value

    def _within(self) -> Iterator[tuple[str, float]]:
        for level, (lower, upper) in sorted(self.intervals.items()):
            yield f"coverage_{100 * level:g}", self.coverage(level).value
            yield f"winkler_{100 * level:g}", metrics.winkler(self.actual, lower, upper, level)

    def _distributions(self) -> Iterator[tuple[str, float]]:
        naive, best = self._naive_scores(), self.best_naive_distribution
        yield from ((f"{name}_crps", score) for name, score in naive.items())
        for name, made in self.statistical_quantiles.items():
            yield f"{name}_crps", metrics.mean_given(self.crps_of(made)[self._compared()])
        if best is not None:
            yield "naive_crps", naive[best]
        if distribution.given(self.quantiles).any():
            yield from (("crps", self.crps), ("crps_skill", self.crps_skill), ("log_score", self.log_score))
            values = self.pit
            yield "pit_ks", metrics.uniform_distance(values[~np.isnan(values)])
        if best is not None:
            yield "dm_naive_crps_p", self.against_distribution(self.naive_quantiles[best]).p_value


def evaluate(forecast: Callable[[Prices, int], Forecasts | Values], split: Split, column: str) -> Evaluation:
    """Forecast each session of the test period with what was known at the close of the one before.

    forecast: a function of prices and a number of origins that returns prices, such as Forecaster.forecast, or whole
              distributions, such as Forecaster.predict; a distribution that lacks a quantile does not count
    """
    known = split.prices.rows(0, len(split.prices) - 1)
    made = forecast(known, split.n_test)
    if not isinstance(made, Forecasts):
        made = Forecasts.points(made)
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=split.actual[:, COLUMNS.index(column)],
        forecast=made.values,
        naive=naive_forecasts(known, column, split.n_test),
        quantiles=np.where(distribution.given(made.quantiles)[:, np.newaxis], made.quantiles, np.nan),
        naive_quantiles=naive_distributions(known, column, split.n_test),
        scales=training_scales(split.train.column(column), split.n_test),
        unit=split.prices.security.unit,
    )


def join(parts: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of consecutive periods, with the forecasts and distributions that all of them have."""
    return _rebuilt(parts, np.concatenate)


def _rebuilt(parts: Sequence[Evaluation], combine: Combine) -> Evaluation:
    """An evaluation whose arrays are combined from those in the same place of the parts."""
    names = [each.name for each in fields(Evaluation)]
    return Evaluation(**{name: _combined([getattr(part, name) for part in parts], combine) for name in names})


def _combined(values: Sequence[Any], combine: Combine) -> Any:
    first = values[0]
    if isinstance(first, str | int | None):
        return first
    if isinstance(first, Mapping):
        common = [name for name in first if all(name in value for value in values)]
        return {name: _combined([value[name] for value in values], combine) for name in common}
    return combine(values)
