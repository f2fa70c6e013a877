"""The backtest behind the proof of a further horizon: its width fitted again and again, on what was known then.

Without a network a fit takes a moment, so that the whole proof is made anew each time. Its periods are cut by origins,
not by the sessions that are forecast: a fit is used from its own day on, and knows no price after an origin.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from model.artifact.horizon import SPANS
from model.evaluation.baselines import naive_distributions, naive_forecasts
from model.evaluation.distribution import given, median
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof
from model.forecaster.scaling import CHANGES
from model.market.prices import Prices, Values
from model.training.fit import fit_further
from model.training.objective import HORIZON_RIDGE


def further_proof(prices: Prices, start: int, column: str, horizon: int, refit_every: int, tried: int = 1) -> Proof:
    """The proof of the forecasts made `horizon` sessions before each session from row `start` on.

    refit_every: origins between two fits

    ValueError where no session from that row on has an origin.
    """
    if not horizon <= start < len(prices):
        raise ValueError(f"row {start} of {len(prices)} sessions, {horizon} sessions ahead")
    known, n = prices.rows(0, len(prices) - horizon), len(prices) - start
    made = np.concatenate(list(_periods(known, start - horizon, column, horizon, refit_every)))
    quantiles = np.where(given(made)[:, np.newaxis], made, np.nan)
    naive = naive_forecasts(known, column, n)
    reference = naive["newest_Close"] if "newest_Close" in naive else naive[f"newest_{column}"]
    judged = Evaluation(
        sessions=prices.sessions[start:],
        actual=np.array(prices.column(column)[start:]),
        forecast=np.where(given(quantiles), median(quantiles), reference),
        naive=naive,
        quantiles=quantiles,
        naive_quantiles=naive_distributions(known, column, n, horizon),
        unit=prices.security.unit,
    )
    return Proof(judged=judged, tried=tried, horizon=horizon)


def what_is_proven(column: str, horizon: int) -> dict[str, Any]:
    """What such a proof belongs to, by which the tried ones are counted: no network is a part of it, and no preset."""
    fitted = {"spans": SPANS, "ridge": HORIZON_RIDGE, "windows": CHANGES.windows, "largest": CHANGES.largest}
    return {"column": column, "horizon": horizon, **fitted}


def _periods(known: Prices, first: int, column: str, horizon: int, refit_every: int) -> Iterator[Values]:
    """(n, len(PROBABILITIES)) the distributions made at the origins of each period, from row `first` on."""
    for origin in range(first, len(known), refit_every):
        stop = min(origin + refit_every, len(known))
        fitted = fit_further(known.rows(0, origin + 1), column, horizon)
        yield fitted.quantiles(column, known.rows(0, stop).table(), stop - origin)
