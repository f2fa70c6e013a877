"""Forecasts as the ledger holds them, of a made-up market."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import numpy as np

from model.artifact.distribution import LEVELS, PROBABILITIES
from model.evaluation.baselines import naive_distributions, naive_forecasts
from model.forecaster.forecasts import interval_of
from model.market.prices import Prices, Values
from tasks.ledger.forecasts import RecordedForecast
from tests.distributions import around
from tests.market import make_prices

PRICES = make_prices(60)


def forecast(row: int, version: int = 1) -> RecordedForecast:
    """A forecast of the session in that row of the prices, made from what was known before."""
    known = PRICES.until(PRICES.day(row - 1))
    naives = {name: float(values[0]) for name, values in naive_forecasts(known, "Open", 1).items()}
    return RecordedForecast(
        model="TEST-Open",
        version=version,
        ticker="TEST",
        column="Open",
        as_of=known.last,
        session=PRICES.day(row),
        forecast=100.0 + row,
        naive=naives["newest_Close"],
        naive_name="newest_Close",
        source="csv",
        stale=False,
        run_id="",
        fingerprint="",
        made_at=datetime.combine(known.last, time(22), UTC),
        naives=naives,
        naive_quantiles=naive_quantiles(known),
        late=False,
        currency="USD",
    )


def distributed(row: RecordedForecast, half_80: float = 1.0, half_95: float = 2.0) -> RecordedForecast:
    """The same forecast as the median of a distribution, whose intervals reach so far to both sides."""
    quantiles = by_probability(around(np.array([row.forecast]), half_80, half_95)[0])
    intervals = {level: interval_of(quantiles, level) for level in LEVELS}
    lower, upper = intervals[max(LEVELS)]
    level = max(LEVELS) / 100
    return replace(row, quantiles=quantiles, intervals=intervals, lower=lower, upper=upper, level=level)


def naive_quantiles(known: Prices) -> dict[str, dict[float, float]]:
    """The naive distributions of the next Open."""
    return {name: by_probability(made[0]) for name, made in naive_distributions(known, "Open", 1).items()}


def by_probability(quantiles: Values) -> dict[float, float]:
    """Quantiles as the ledger keeps them."""
    return dict(zip(PROBABILITIES, quantiles.tolist(), strict=True))


def crps_by_hand(quantiles: Mapping[float, float], observed: float) -> float:
    """What docs/measures.md says of the CRPS, in a loop: twice the losses, each with the width of its cell."""
    levels = sorted(quantiles)
    edges = [0.0, *((low + high) / 2 for low, high in pairwise(levels)), 1.0]
    return sum(
        2 * (high - low) * max(p * (observed - quantiles[p]), (p - 1) * (observed - quantiles[p]))
        for p, low, high in zip(levels, edges, edges[1:], strict=False)
    )


def ahead(row: RecordedForecast, horizon: int = 5, price: float | None = None) -> RecordedForecast:
    """The forecast of a later session that was made with this one; `price`: what has happened then."""
    place = int(np.searchsorted(PRICES.sessions, np.datetime64(row.session, "D"))) + horizon - 1
    session = PRICES.day(place) if place < len(PRICES) else row.session + timedelta(days=2 * horizon)
    at = None if price is None else row.made_at + timedelta(days=2 * horizon)
    # A drift is of as many sessions, which this one is not.
    naives = {name: naive for name, naive in row.naives.items() if name != "drift"}
    return replace(row, horizon=horizon, session=session, naives=naives, observed=price, observed_at=at)
