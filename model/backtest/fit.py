"""One fit of a backtest and the forecasts made with it: the work of one process."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from model.backtest.plan import Fit, Key, Origin, Plan
from model.evaluation.distribution import given, median
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.split import Split
from model.evaluation.statistical import AUTO_LABELS, statistical_forecasts
from model.evaluation.volatility import VOLATILITY_LABELS, volatility_forecasts
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices
from model.training.fit import train_forecaster


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """A fit and the prices that it may use: `prices` end with its last period."""

    fit: Fit
    prices: Prices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The result of a fit: an evaluation for each place that it fills.

    losses:      of each epoch; empty for the statistical forecasts
    fit_seconds: the wall time of fitting network and recipe, and the intervals at each origin
    """

    evaluations: Mapping[Key, Evaluation]
    losses: tuple[float, ...]
    fit_seconds: float


def assignment(plan: Plan, fit: Fit) -> Assignment:
    """A fit of the plan with the prices that it may use."""
    return Assignment(fit=fit, prices=plan.prices.rows(0, fit.origins[-1].stop))


def training_part(prices: Prices, fit: Fit) -> Prices:
    """The prices that are fitted on: the sessions of the fit's window, all before its first origin's period."""
    return prices.rows(fit.first, fit.stop)


def period_split(prices: Prices, origin: Origin) -> Split:
    """An origin's period as test period, with all earlier sessions as training part."""
    return Split(
        prices=prices.rows(0, origin.stop), train=prices.rows(0, origin.start), n_test=origin.stop - origin.start
    )


def run_fit(given: Assignment) -> Fitted:
    """Fit once, and forecast every session of the origins' periods, each with what was known on the day before.

    The intervals are calibrated again at every origin, on the sessions before it.
    """
    fit, prices = given.fit, given.prices
    if fit.config is None:
        return _statistical(fit, prices)
    start = time.perf_counter()
    forecaster = train_forecaster(training_part(prices, fit), fit.config)
    splits = [period_split(prices, origin) for origin in fit.origins]
    calibrated = [forecaster.calibrated(split.train) for split in splits]
    seconds = time.perf_counter() - start
    return Fitted(
        evaluations={
            key: evaluate(ready.predict, split, fit.column)
            for key, split, ready in zip(fit.keys, splits, calibrated, strict=True)
        },
        losses=forecaster.losses,
        fit_seconds=seconds,
    )


def _statistical(fit: Fit, prices: Prices) -> Fitted:
    """The same for the statistical forecasts, whose models are chosen and fitted at the fit's origin."""
    start = time.perf_counter()
    stop = fit.origins[-1].stop
    made = _statistical_forecasts(fit, prices.rows(fit.first, stop - 1), stop - fit.stop)
    evaluations = {}
    for key, origin in zip(fit.keys, (origin for origin in fit.origins for _ in fit.names), strict=True):
        rows = slice(origin.start - fit.stop, origin.stop - fit.stop)
        whole = made[key.forecaster]
        forecasts = Forecasts(values=whole.values[rows], quantiles=whole.quantiles[rows])
        evaluations[key] = evaluate(_ready_made(forecasts), period_split(prices, origin), fit.column)
    return Fitted(evaluations=evaluations, losses=(), fit_seconds=time.perf_counter() - start)


def _statistical_forecasts(fit: Fit, known: Prices, origins: int) -> dict[str, Forecasts]:
    """By name. A volatility forecast's point is its median; the newest Close where it has no distribution."""
    made: dict[str, Forecasts] = {}
    if AUTO_LABELS.keys() & fit.names:
        points = statistical_forecasts(known, fit.column, origins, refit_every=origins)
        made |= {name: Forecasts.points(values) for name, values in points.items()}
    if VOLATILITY_LABELS.keys() & fit.names:
        for name, found in volatility_forecasts(known, fit.column, origins, refit_every=origins).items():
            values = np.where(given(found.quantiles), median(found.quantiles), found.close)
            made[name] = Forecasts(values=values, quantiles=found.quantiles)
    return made


def _ready_made(forecasts: Forecasts) -> Callable[[Prices, int], Forecasts]:
    """A forecaster that returns these forecasts."""
    return lambda _prices, _origins: forecasts
