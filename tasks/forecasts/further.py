"""The rows of the horizons beyond the next session, beside the row of the next one."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.baselines import best_naive_distribution, naive_distributions, naive_forecasts
from model.forecaster.forecasts import Forecasts
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices, Values
from tasks.ledger.forecasts import RecordedForecast

logger = logging.getLogger(__name__)


def further_forecasts(
    first: RecordedForecast,
    further: Mapping[int, Values],
    prices: Prices,
    calendar: ExchangeCalendar,
    no_skill: Collection[int] = (),
) -> tuple[RecordedForecast, ...]:
    """A row for each further horizon that has a distribution, by the same version and from the same prices.

    first:   the forecast of the next session; what was made too late for it is late for the others, too
    further: sessions ahead -> (n, len(PROBABILITIES)) prices, the newest last
    no_skill: the horizons at which the version has no skill: the best naive distribution stands there, of no version

    Beside each stand the naive forecasts for as many sessions ahead, and the distributions of changes over as many.
    """
    rows = []
    for horizon, quantiles in sorted(further.items()):
        if horizon in no_skill:
            quantiles = best_naive_distribution(prices, first.column, horizon)[1][np.newaxis]
        made = Forecasts(values=np.array([np.nan]), quantiles=quantiles[-1:])
        distribution, intervals = made.distribution(), made.intervals()
        if not distribution:
            logger.warning(
                "%s %s: no forecast %d sessions ahead: a width needs a year of prices, and some more",
                first.model,
                first.named,
                horizon,
            )
            continue
        widest = max(intervals)
        by = replace(first, version=None, run_id="", without=None) if horizon in no_skill else first
        rows.append(
            replace(
                by,
                horizon=horizon,
                session=session_ahead(calendar, first.session, horizon),
                forecast=distribution[0.5],
                quantiles=distribution,
                intervals=intervals,
                level=widest / 100,
                lower=intervals[widest][0],
                upper=intervals[widest][1],
                naives={
                    name: float(values[0]) for name, values in naive_forecasts(prices, first.column, 1, horizon).items()
                },
                naive_quantiles=naive_quantiles_ahead(prices, first.column, horizon),
                explanation=None,
            )
        )
    return tuple(rows)


def session_ahead(calendar: ExchangeCalendar, session: date, horizon: int) -> date:
    """The session that is `horizon` sessions ahead where `session` is the next one."""
    for _ in range(horizon - 1):
        session = calendar.next_session(session)
    return session


def naive_quantiles_ahead(prices: Prices, column: str, horizon: int) -> dict[str, dict[float, float]]:
    """The naive distributions so many sessions ahead, by name, probability -> price, where prices are enough."""
    made = naive_distributions(prices, column, 1, horizon)
    return {
        name: dict(zip(PROBABILITIES, quantiles[0].tolist(), strict=True))
        for name, quantiles in made.items()
        if np.isfinite(quantiles[0]).all()
    }
