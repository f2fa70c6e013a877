"""Constant widths, the GARCH family of the package arch, and the conformal predictive system of crepes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from arch import arch_model
from crepes import ConformalPredictiveSystem

from benchmarks.peers.market import LEVELS, Market, Quantiles, Series, judged, trailing, yearly
from model.market.prices import Values

NEWEST, MONTH = 500, 22


def constant(market: Market, years: Sequence[int]) -> Quantiles:
    """The empirical quantiles of the newest changes, each session anew."""
    return {series.name: _newest(series, judged(series, years)) for series in market}


def _newest(series: Series, rows: slice) -> Values:
    known = (series.change[max(1, row - NEWEST) : row] for row in range(rows.start, rows.stop))
    return np.array([np.quantile(changes, LEVELS) for changes in known])


def garch(market: Market, years: Sequence[int]) -> Quantiles:
    """GARCH(1,1) with Student's t."""
    return yearly(market, years, lambda series, rows: _arch(series, rows, vol="GARCH", o=0, dist="t"))


def aparch(market: Market, years: Sequence[int]) -> Quantiles:
    """APARCH(1,1,1) with Hansen's skewed t."""
    return yearly(market, years, lambda series, rows: _arch(series, rows, vol="APARCH", o=1, dist="skewt"))


def _arch(series: Series, rows: slice, **model: Any) -> Values:
    """Fitted on the changes before the year, and applied to its sessions with the same parameters."""
    percent = 100 * series.change[1 : rows.stop]
    first = rows.start - 1  # the year's first session among `percent`
    made = arch_model(percent, mean="Constant", p=1, q=1, **model)
    fitted = made.fit(last_obs=first, disp="off", show_warning=False)
    ahead = fitted.forecast(horizon=1, start=first - 1, reindex=False)
    mean, variance = (np.asarray(table)[:-1] for table in (ahead.mean, ahead.variance))
    shape = np.asarray(fitted.params)[-made.distribution.num_params :]
    return np.asarray(mean + np.sqrt(variance) * made.distribution.ppf(LEVELS, shape)) / 100


def conformal(market: Market, years: Sequence[int]) -> Quantiles:
    """The forecast change is 0; the width is conformal, normalised by the month's mean movement."""
    return yearly(market, years, _conformal)


def _conformal(series: Series, rows: slice) -> Values:
    width = trailing(series.movement, MONTH)[:-1]  # known the session before each change from row 1 on
    change = series.change[1:]
    past = slice(MONTH, rows.start - 1)
    system = ConformalPredictiveSystem().fit(change[past], sigmas=width[past])
    ahead = width[rows.start - 1 : rows.stop - 1]
    percentiles = list(100 * LEVELS)
    return np.asarray(system.predict_percentiles(np.zeros(len(ahead)), sigmas=ahead, higher_percentiles=percentiles))
