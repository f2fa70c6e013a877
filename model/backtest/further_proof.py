"""The backtest behind the proof of a further horizon: its width fitted again and again, on what was known then.

Without a network a fit takes a moment, so that the whole proof is made anew each time. Its periods are cut by origins,
not by the sessions that are forecast: a fit is used from its own day on, and knows no price after an origin.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from model.artifact.horizon import SPANS
from model.evaluation.baselines import naive_distributions, naive_forecasts
from model.evaluation.distribution import given, median
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof
from model.forecaster.scaling import FURTHER
from model.market.prices import Prices, Values
from model.training.fit import fit_further
from model.training.objective import HORIZON_RIDGE


class Period(NamedTuple):
    """The rows of some sessions that are forecast by one fit, and the row of the first session that it may know."""

    first: int
    start: int
    stop: int


def further_proof(prices: Prices, start: int, column: str, horizon: int, refit_every: int, tried: int = 1) -> Proof:
    """The proof of the forecasts made `horizon` sessions before each session from row `start` on.

    refit_every: origins between two fits

    ValueError where no session from that row on has an origin.
    """
    if not horizon <= start < len(prices):
        raise ValueError(f"row {start} of {len(prices)} sessions, {horizon} sessions ahead")
    rows = range(start, len(prices), refit_every)
    periods = [Period(0, row, min(row + refit_every, len(prices))) for row in rows]
    return Proof(judged=judged_ahead(prices, periods, column, horizon), tried=tried, horizon=horizon)


def judged_ahead(prices: Prices, periods: Sequence[Period], column: str, horizon: int) -> Evaluation:
    """The forecasts made `horizon` sessions before each session of some periods, of which each follows the one before.

    ValueError where one of these sessions has no origin.
    """
    start, stop = periods[0].start, periods[-1].stop
    if not horizon <= start:
        raise ValueError(f"row {start} of {len(prices)} sessions, {horizon} sessions ahead")
    prices = prices.rows(0, stop)
    known, n = prices.rows(0, stop - horizon), stop - start
    made = np.concatenate([_made(known, period, column, horizon) for period in periods])
    quantiles = np.where(given(made)[:, np.newaxis], made, np.nan)
    naive = naive_forecasts(known, column, n, horizon)
    reference = naive["newest_Close"] if "newest_Close" in naive else naive[f"newest_{column}"]
    return Evaluation(
        sessions=prices.sessions[start:],
        actual=np.array(prices.column(column)[start:]),
        forecast=np.where(given(quantiles), median(quantiles), reference),
        naive=naive,
        quantiles=quantiles,
        naive_quantiles=naive_distributions(known, column, n, horizon),
        unit=prices.security.unit,
        horizon=horizon,
    )


def what_is_proven(column: str, horizon: int) -> dict[str, Any]:
    """What such a proof belongs to, by which the tried ones are counted: no network is a part of it, and no preset."""
    # The width is the mean of the fits of these horizons.
    fitted = {"spans": SPANS, "ridge": HORIZON_RIDGE, "fits": (1, horizon)}
    errors = {"windows": FURTHER.windows, "largest": FURTHER.largest}
    return {"column": column, "horizon": horizon, **fitted, **errors}


def _made(known: Prices, period: Period, column: str, horizon: int) -> Values:
    """(n, len(PROBABILITIES)) the distributions made for a period's sessions, by one fit at its first origin."""
    origin, stop = period.start - horizon, period.stop - horizon
    fitted = fit_further(known.rows(period.first, origin + 1), column, horizon)
    return fitted.quantiles(column, known.rows(0, stop).table(), stop - origin)
