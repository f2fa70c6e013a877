"""Rows of further horizons: which session each is of, and what stands beside it."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from model.artifact.distribution import PROBABILITIES
from model.evaluation.baselines import best_naive_distribution, naive_distributions, naive_forecasts
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices, Values
from tasks.forecasts.further import further_forecasts, session_ahead
from tests.distributions import around
from tests.market import zigzag
from tests.tasks.forecasts.recorded import distributed, forecast

NEW_YORK = ExchangeCalendar("XNYS")
# As of Tuesday, 31 December 2019; the market is closed on New Year's Day and on Martin Luther King's, 20 January.
PRICES = zigzag(400, date(2018, 6, 1)).until(date(2019, 12, 31))
FIRST = replace(
    distributed(forecast(30)), as_of=PRICES.last, session=date(2020, 1, 2), column="Close", version=3, run_id="a run"
)


def at(price: float) -> Values:
    """Distributions of two origins, the newest around a price."""
    return around(np.array([1.0, price]), 2.0, 3.0)


def quantiles_of(prices: Prices, horizon: int, name: str) -> dict[float, float]:
    return dict(zip(PROBABILITIES, naive_distributions(prices, "Close", 1, horizon)[name][0].tolist(), strict=True))


def test_the_sessions_ahead_are_those_of_the_exchange() -> None:
    assert session_ahead(NEW_YORK, date(2020, 1, 2), 1) == date(2020, 1, 2)
    assert session_ahead(NEW_YORK, date(2020, 1, 2), 5) == date(2020, 1, 8)
    assert session_ahead(NEW_YORK, date(2020, 1, 2), 13) == date(2020, 1, 21)


def test_each_horizon_has_a_row_with_its_own_session_distribution_and_naive_ones() -> None:
    week, month = further_forecasts(FIRST, {21: at(104.0), 5: at(103.0)}, PRICES, NEW_YORK)
    assert (week.horizon, week.session) == (5, date(2020, 1, 8))
    assert (month.horizon, month.session) == (21, date(2020, 1, 31))
    assert (week.forecast, week.level, week.lower, week.upper) == (103.0, 0.95, 100.0, 106.0)
    assert week.intervals == {80: (101.0, 105.0), 95: (100.0, 106.0)}
    assert month.quantiles[0.5] == 104.0
    for row in (week, month):
        assert (row.model, row.version, row.run_id, row.as_of) == (FIRST.model, 3, "a run", FIRST.as_of)
        assert (row.naive, row.late, row.explanation) == (FIRST.naive, FIRST.late, None)
        assert row.naives == {
            name: values[0] for name, values in naive_forecasts(PRICES, "Close", 1, row.horizon).items()
        }
        assert list(row.naive_quantiles) == ["constant_250", "constant_500", "constant_1000"]
        assert row.naive_quantiles["constant_250"] == quantiles_of(PRICES, row.horizon, "constant_250")


def test_a_horizon_without_a_distribution_has_no_row_which_is_said_and_few_prices_no_naive_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nothing = np.full((1, len(PROBABILITIES)), np.nan)
    assert further_forecasts(FIRST, {}, PRICES, NEW_YORK) == ()
    (row,) = further_forecasts(FIRST, {5: nothing, 21: at(104.0)}, PRICES.rows(len(PRICES) - 40, len(PRICES)), NEW_YORK)
    assert row.horizon == 21
    assert row.naive_quantiles == {}
    assert [record.getMessage() for record in caplog.records] == [
        "TEST-Open version 3: no forecast 5 sessions ahead: a width needs a year of prices, and some more"
    ]


def test_without_skill_the_best_naive_distribution_of_that_horizon_stands_there_of_no_version() -> None:
    first = replace(FIRST, without="^VIX")
    week, month = further_forecasts(first, {5: at(103.0), 21: at(104.0)}, PRICES, NEW_YORK, {21})
    assert (week.version, week.run_id, week.without, week.forecast) == (3, "a run", "^VIX", 103.0)
    _, naive = best_naive_distribution(PRICES, "Close", 21)
    assert (month.version, month.run_id, month.without, month.explanation) == (None, "", None, None)
    assert list(month.quantiles.values()) == naive.tolist()
    assert month.quantiles in month.naive_quantiles.values()
    assert (month.horizon, month.session, month.level) == (21, date(2020, 1, 31), 0.95)
    assert month.forecast == month.quantiles[0.5]
