"""A forecast is recorded with its distribution, and with what is naive beside it, as both were known then."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from model.artifact.distribution import PROBABILITIES
from model.errors import ConfigurationError, TooFewPrices
from model.evaluation.baselines import best_naive_distribution, naive_distributions
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices
from tasks.forecasts import make
from tasks.forecasts.make import make_forecasts, make_naive_forecast
from tasks.ledger.forecasts import RecordedForecast
from tasks.ledger.kept_files import Trained
from tasks.registry.version import RegisteredVersion
from tasks.settings import read_settings
from tests.distributions import around
from tests.market import make_prices

KNOWN = make_prices(60)
VERSION = RegisteredVersion(model="TEST-Open", version=3, stage="Production", run_id="r", source="models:/m-1")
NOW = datetime(2019, 3, 25, 22, 0, tzinfo=UTC)


def made_with(forecasts: Forecasts, prices: Prices, monkeypatch: pytest.MonkeyPatch) -> RecordedForecast:
    """What is made of a version that forecasts this."""

    class Version:
        def predict(self, _: Prices) -> Forecasts:
            return forecasts

        def without(self, _: Prices) -> tuple[str, ...]:
            return ()

    trained = Trained(model="TEST-Open", run_id="r", key="", as_of=prices.last)
    monkeypatch.setattr(make, "trained_as", lambda *_: trained)
    monkeypatch.setattr(make, "load_forecaster", lambda *_: Version())
    row, *further = make_forecasts(VERSION, prices, "Open", read_settings({}), NOW)
    assert [each.horizon for each in further] == list(forecasts.further)
    return row


def test_the_forecast_is_the_median_and_the_intervals_are_read_from_the_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quantiles = around(np.array([101.0]), 1.5, 2.5)
    made = made_with(Forecasts(values=quantiles[:, 12], quantiles=quantiles), KNOWN, monkeypatch)
    assert made.quantiles == dict(zip(PROBABILITIES, quantiles[0].tolist(), strict=True))
    assert made.forecast == made.quantiles[0.5] == 101.0
    assert made.intervals == {80: (made.quantiles[0.1], made.quantiles[0.9]), 95: (98.5, 103.5)}
    assert (made.lower, made.upper, made.level) == (98.5, 103.5, 0.95)


def test_a_version_without_a_distribution_gives_a_point_beside_the_naive_distributions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = made_with(Forecasts.points(np.array([101.0])), KNOWN, monkeypatch)
    assert (made.forecast, made.quantiles, made.intervals, made.level) == (101.0, {}, {}, None)
    known = {name: rows[0].tolist() for name, rows in naive_distributions(KNOWN, "Open", 1).items()}
    assert {name: list(found.values()) for name, found in made.naive_quantiles.items()} == known
    assert all(tuple(found) == PROBABILITIES for found in made.naive_quantiles.values())


@pytest.mark.parametrize("share", [0.59, 1.41, 6800.0, -1.0, float("nan")])
def test_a_price_that_nobody_would_believe_is_refused(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = float(KNOWN.column("Close")[-1])
    with pytest.raises(ConfigurationError, match=r"TEST-Open version 3: .* of the newest Close") as refused:
        made_with(Forecasts.points(np.array([share * newest])), KNOWN, monkeypatch)
    assert refused.value.exit_code == 2
    assert "within 40 % of it (prices.largest_move)" in refused.value.need
    assert "tomorrow rollback TEST-Open" in refused.value.remedy


@pytest.mark.parametrize("share", [0.61, 1.39])
def test_a_large_move_may_be_forecast(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    forecast = share * float(KNOWN.column("Close")[-1])
    assert made_with(Forecasts.points(np.array([forecast])), KNOWN, monkeypatch).forecast == forecast


def test_naive_distributions_that_had_too_few_prices_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made_with(Forecasts.points(np.array([101.0])), KNOWN.rows(0, 20), monkeypatch).naive_quantiles == {}


def test_without_a_version_the_best_naive_distribution_is_the_forecast() -> None:
    prices = make_prices(1300)
    name, quantiles = best_naive_distribution(prices, "Open")
    evening = datetime.combine(prices.last, time(22), UTC)
    made = make_naive_forecast("TEST-Open", prices, "Open", read_settings({}), evening)
    assert (made.model, made.version, made.run_id, made.named) == ("TEST-Open", None, "", "naive")
    assert made.quantiles == made.naive_quantiles[name] == dict(zip(PROBABILITIES, quantiles.tolist(), strict=True))
    assert made.forecast == made.quantiles[0.5]
    assert made.intervals == {
        80: (made.quantiles[0.1], made.quantiles[0.9]),
        95: (made.quantiles[0.025], made.quantiles[0.975]),
    }
    assert (made.lower, made.upper, made.level) == (*made.intervals[95], 0.95)
    assert (made.naive, made.naive_name) == (prices.column("Close")[-1], "newest_Close")
    assert (made.as_of, made.fingerprint, made.late) == (prices.last, prices.fingerprint, False)
    assert make_naive_forecast("TEST-Open", prices, "Open", read_settings({}), evening + timedelta(days=5)).late


def test_too_few_prices_for_a_distribution_are_an_error() -> None:
    make_naive_forecast("TEST-Open", KNOWN.rows(0, 21), "Open", read_settings({}), NOW)
    with pytest.raises(TooFewPrices, match="20 sessions\n  needed: more than 20"):
        make_naive_forecast("TEST-Open", KNOWN.rows(0, 20), "Open", read_settings({}), NOW)


@pytest.mark.parametrize(
    ("exchange", "row_after", "session"),
    [
        ("observed", "2019-03-30", "2019-03-30"),  # a Saturday, on which the prices have a row
        ("observed", "2199-01-05", "2019-03-26"),  # a row with a wrong date, which was left out
        ("XBOM", "2019-03-30", "2019-03-26"),  # a Saturday of which Mumbai's calendar is sure
        ("XBOM", "2199-01-05", "2019-03-26"),
        ("XNYS", "2019-03-30", "2019-03-26"),
    ],
)
def test_a_row_after_the_newest_one_tells_the_session_only_where_it_can_be_one(
    exchange: str, row_after: str, session: str
) -> None:
    security = replace(KNOWN.security, exchange=exchange)
    prices = replace(KNOWN, security=security, following=date.fromisoformat(row_after))
    found = make_naive_forecast("TEST-Open", prices, "Open", read_settings({}), NOW)
    assert str(found.session) == session
