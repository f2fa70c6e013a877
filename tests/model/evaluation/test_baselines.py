"""Naive forecasts: known answers, and nothing of what came after."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifact.distribution import PROBABILITIES
from model.evaluation.baselines import (
    COMPARED,
    best_naive_distribution,
    naive_distributions,
    naive_forecast,
    naive_forecasts,
    naive_label,
)
from model.evaluation.distribution import crps
from model.evaluation.metrics import rmse
from tests.market import changed_from, make_prices, read_csv


def test_the_open_has_the_newest_close_as_well() -> None:
    prices = make_prices(10)
    opens = naive_forecasts(prices, "Open", 3)
    assert list(opens) == ["newest_Open", "newest_Close", "drift", "moving_average"]
    np.testing.assert_array_equal(opens["newest_Open"], prices.column("Open")[-3:])
    np.testing.assert_array_equal(opens["newest_Close"], prices.column("Close")[-3:])
    assert list(naive_forecasts(prices, "Close", 3)) == ["newest_Close", "drift", "moving_average"]


def test_drift_and_average_of_a_worked_example() -> None:
    prices = make_prices(opens=np.array([10.0, 12.0, 11.0, 13.0, 14.0, 20.0]))
    found = naive_forecasts(prices, "Open", 6)
    # 20 + (20 - 10) / 5 after the sixth session, nothing to go by after the first
    assert found["drift"] == pytest.approx([10, 14, 11.5, 14, 15, 22])
    assert found["moving_average"] == pytest.approx([10, 11, 11, 11.5, 12, 14])


def test_further_ahead_the_drift_has_as_many_changes_and_the_others_stay() -> None:
    prices = make_prices(opens=np.array([10.0, 12.0, 11.0, 13.0, 14.0, 20.0]))
    next_one, fifth = (naive_forecasts(prices, "Open", 6, horizon) for horizon in (1, 5))
    # 20 + 5 * (20 - 10) / 5 after the sixth session
    assert fifth["drift"] == pytest.approx([10, 12 + 10, 11 + 2.5, 13 + 5, 14 + 5, 20 + 10])
    for name in ("newest_Open", "newest_Close", "moving_average"):
        np.testing.assert_array_equal(next_one[name], fifth[name])
    with pytest.raises(ValueError, match="0 sessions ahead"):
        naive_forecasts(prices, "Open", 6, 0)


def test_constant_prices_are_forecast_as_they_are() -> None:
    for name, made in naive_forecasts(make_prices(opens=np.full(8, 50.0)), "Open", 8).items():
        assert name == "newest_Close" or (made == 50.0).all()


@given(row=st.integers(1, 29), factor=st.floats(0.1, 10))
def test_later_prices_change_no_earlier_forecast(row: int, factor: float) -> None:
    prices = make_prices(30)
    before, after = (naive_forecasts(p, "Open", 30) for p in (prices, changed_from(prices, row, factor)))
    shorter = naive_forecasts(prices.until(prices.day(row - 1)), "Open", row)
    for name in before:
        np.testing.assert_array_equal(before[name][:row], after[name][:row])
        np.testing.assert_array_equal(before[name][:row], shorter[name])


def test_january_2020_of_facebook(real_prices: Path) -> None:
    prices = read_csv(real_prices / "FB_2012_2020.csv")
    actual = prices.until(date(2020, 1, 31)).column("Open")[-21:]
    made = naive_forecasts(prices.until(date(2020, 1, 30)), "Open", 21)
    errors = {name: rmse(actual, forecasts) for name, forecasts in made.items()}
    assert errors["newest_Open"] == pytest.approx(4.382, abs=5e-4)
    assert errors["newest_Close"] == pytest.approx(4.062, abs=5e-4)
    assert min(errors, key=lambda name: errors[name]) == "newest_Close"


def test_the_naive_forecast_of_tomorrow_is_the_newest_price() -> None:
    prices = make_prices(10)
    assert naive_forecast(prices, "Open") == ("newest_Close", prices.column("Close")[-1])
    assert naive_forecast(prices, "High") == ("newest_High", prices.column("High")[-1])


@pytest.mark.parametrize("origins", [0, 11])
def test_there_are_no_more_origins_than_sessions(origins: int) -> None:
    for made in (naive_forecasts, naive_distributions):
        with pytest.raises(ValueError, match="origins in 10 sessions"):
            made(make_prices(10), "Open", origins)


@pytest.mark.parametrize("column", ["Open", "High", "Close"])
def test_naive_distributions_are_the_newest_close_with_the_quantiles_of_past_changes(column: str) -> None:
    prices = make_prices(1300)
    found = naive_distributions(prices, column, 60)
    assert list(found) == ["constant_250", "constant_500", "constant_1000"]
    changes, closes = np.log(prices.column(column)[1:] / prices.column("Close")[:-1]), prices.column("Close")
    for name, quantiles in found.items():
        most = int(name.removeprefix("constant_"))
        for row in (0, 31, 59):
            session = 1240 + row  # the newest that is known
            expected = closes[session] * np.exp(np.quantile(changes[session - most : session], PROBABILITIES))
            np.testing.assert_allclose(quantiles[row], expected, rtol=1e-12)


def test_with_few_changes_naive_distributions_are_made_of_those_there_are_and_of_twenty_at_least() -> None:
    prices = make_prices(300)
    found = naive_distributions(prices, "Close", 300)
    changes, closes = np.diff(np.log(prices.column("Close"))), prices.column("Close")
    for quantiles in found.values():
        assert np.isnan(quantiles).all(axis=1).tolist() == [True] * 20 + [False] * 280
        expected = closes[20] * np.exp(np.quantile(changes[:20], PROBABILITIES))
        np.testing.assert_allclose(quantiles[20], expected, rtol=1e-12)
    np.testing.assert_array_equal(found["constant_250"][:251], found["constant_1000"][:251])
    assert not np.array_equal(found["constant_250"][251], found["constant_1000"][251])
    assert np.isnan(naive_distributions(make_prices(5), "Open", 2)["constant_500"]).all()


@given(row=st.integers(1, 39), factor=st.floats(0.1, 10))
def test_later_prices_change_no_earlier_distribution(row: int, factor: float) -> None:
    prices = make_prices(280)
    before, after = (naive_distributions(p, "Open", 40) for p in (prices, changed_from(prices, 240 + row, factor)))
    shorter = naive_distributions(prices.until(prices.day(239 + row)), "Open", row)
    for name, quantiles in before.items():
        np.testing.assert_array_equal(quantiles[:row], after[name][:row])
        np.testing.assert_array_equal(quantiles[:row], shorter[name])


@pytest.mark.parametrize(("column", "seed"), [("Open", 0), ("Open", 1), ("Close", 2)])
def test_the_best_naive_distribution_is_chosen_by_what_was_known_before_each_session(column: str, seed: int) -> None:
    prices = make_prices(1600, seed)
    scores = dict.fromkeys(naive_distributions(prices, column, 1), 0.0)
    for row in range(len(prices) - COMPARED, len(prices)):
        came = prices.column(column)[row : row + 1]
        for name, quantiles in naive_distributions(prices.rows(0, row), column, 1).items():
            scores[name] += float(crps(came, quantiles)[0])
    name, quantiles = best_naive_distribution(prices, column)
    assert len(set(scores.values())) == len(scores)
    assert name == min(scores, key=lambda name: scores[name])
    np.testing.assert_array_equal(quantiles, naive_distributions(prices, column, 1)[name][0])


def test_in_a_market_that_has_become_calm_the_shortest_memory_is_the_best() -> None:
    prices, rng = make_prices(1900), np.random.default_rng(0)
    closes = 100 * np.exp(np.cumsum(np.concatenate([rng.normal(0, 0.03, 1200), rng.normal(0, 0.003, 700)])))
    calm = replace(prices, values=np.column_stack([closes] * 5 + [prices.values[:, 5]]))
    assert best_naive_distribution(calm, "Close")[0] == "constant_250"
    assert best_naive_distribution(calm.rows(0, 1200), "Close")[0] != "constant_250"


def test_prices_before_the_oldest_that_count_change_nothing() -> None:
    prices = make_prices(2000)
    name, quantiles = best_naive_distribution(prices, "Open")
    shorter, others = best_naive_distribution(prices.rows(len(prices) - COMPARED - 1001, len(prices)), "Open")
    assert name == shorter
    np.testing.assert_array_equal(quantiles, others)


def test_equal_distributions_give_the_first_and_too_few_changes_give_none() -> None:
    for sessions in (200, 21):
        name, quantiles = best_naive_distribution(make_prices(sessions), "Open")
        assert name == "constant_250"
        np.testing.assert_array_equal(quantiles, naive_distributions(make_prices(sessions), "Open", 1)[name][0])
        assert np.isfinite(quantiles).all()
    assert np.isnan(best_naive_distribution(make_prices(20), "Open")[1]).all()
    assert np.isnan(best_naive_distribution(make_prices(1), "Open")[1]).all()


@pytest.mark.parametrize(("column", "horizon"), [("Open", 2), ("Close", 5), ("Close", 21)])
def test_several_sessions_ahead_the_changes_are_over_as_many(column: str, horizon: int) -> None:
    prices = make_prices(1300)
    found, closes, values = (
        naive_distributions(prices, column, 60, horizon),
        prices.column("Close"),
        prices.column(column),
    )
    for name, quantiles in found.items():
        most = int(name.removeprefix("constant_"))
        for row in (0, 31, 59):
            session = 1240 + row  # the newest that is known: the newest change ends there
            ends = range(session - most + 1, session + 1)
            changes = [math.log(values[end] / closes[end - horizon]) for end in ends]
            expected = closes[session] * np.exp(np.quantile(changes, PROBABILITIES))
            np.testing.assert_allclose(quantiles[row], expected, rtol=1e-12)


def test_prices_that_always_rise_alike_are_known_for_every_horizon() -> None:
    closes = 100 * np.exp(0.01 * np.arange(60))
    rising = replace(make_prices(60), values=np.column_stack([closes] * 5 + [np.ones(60)]))
    for horizon in (1, 5, 21):
        for quantiles in naive_distributions(rising, "Close", 60, horizon).values():
            enough = np.arange(60) >= horizon + 19
            assert np.isfinite(quantiles).all(axis=1).tolist() == enough.tolist()
            ahead = closes[enough] * np.exp(0.01 * horizon)
            np.testing.assert_allclose(quantiles[enough], np.tile(ahead[:, np.newaxis], 25))


@given(row=st.integers(1, 39), horizon=st.integers(1, 21), factor=st.floats(0.1, 10))
def test_later_prices_change_no_earlier_distribution_of_any_horizon(row: int, horizon: int, factor: float) -> None:
    prices = make_prices(280)
    other = changed_from(prices, 240 + row, factor)
    before, after = (naive_distributions(some, "Close", 40, horizon) for some in (prices, other))
    shorter = naive_distributions(prices.until(prices.day(239 + row)), "Close", row, horizon)
    for name, quantiles in before.items():
        np.testing.assert_array_equal(quantiles[:row], after[name][:row])
        np.testing.assert_array_equal(quantiles[:row], shorter[name])


def test_the_best_of_a_horizon_is_chosen_by_forecasts_as_far_ahead() -> None:
    prices, horizon = make_prices(1600, 4), 5
    scores = dict.fromkeys(naive_distributions(prices, "Close", 1), 0.0)
    for row in range(len(prices) - COMPARED, len(prices)):
        came = prices.column("Close")[row : row + 1]
        for name, quantiles in naive_distributions(prices.rows(0, row - horizon + 1), "Close", 1, horizon).items():
            scores[name] += float(crps(came, quantiles)[0])
    name, quantiles = best_naive_distribution(prices, "Close", horizon)
    assert len(set(scores.values())) == len(scores)
    assert name == min(scores, key=lambda name: scores[name])
    np.testing.assert_array_equal(quantiles, naive_distributions(prices, "Close", 1, horizon)[name][0])
    assert np.isnan(best_naive_distribution(make_prices(20), "Close", 21)[1]).all()
    with pytest.raises(ValueError, match="0 sessions ahead"):
        naive_distributions(prices, "Close", 1, 0)


def test_names_for_people() -> None:
    assert naive_label("newest_Close") == "the newest Close"
    assert naive_label("moving_average") == "the average of the newest 5"
    assert naive_label("constant_1000") == "the newest Close with its last 1,000 changes"
    assert naive_label("drift") == "the drift of all sessions before"
