"""The width of a further horizon: the answer known beforehand, and nothing learnt from what was not known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.horizon import SPANS, YEAR, YEARS_MEAN, LinearScale, changes_ahead, spans_state
from model.evaluation.baselines import naive_distributions
from model.evaluation.distribution import crps, interval
from model.forecaster.scaling import FURTHER
from model.market.prices import Prices, Values
from model.training import objective
from model.training.fit import fit_further
from model.training.objective import LEVELS, fit_linear_scale
from tests.market import changed_from, make_prices

N, PLACES = 2500, 2 * len(SPANS)


def simulated(decides: int, seed: int = 0) -> tuple[Values, Values]:
    """States, and changes whose width is one of their numbers."""
    rng = np.random.default_rng(seed)
    state = 0.01 * np.exp(rng.normal(0, 0.3, (N, PLACES)))
    return state, 2.5 * state[:, decides] * rng.normal(size=N)


def loss(weights: Values, state: Values, changes: Values, sessions: int) -> float:
    """What the fit minimises, written again."""
    usual = state[:, YEAR].sum(axis=1)
    inputs, units = state / usual[:, np.newaxis], changes / usual
    units = units / np.abs(units).mean()
    above = units[:, np.newaxis] - np.outer(inputs @ weights, np.quantile(units, LEVELS))
    moved = (weights - np.array(YEARS_MEAN.weights)) * inputs.std(axis=0)
    pinball = np.where(above > 0, LEVELS * above, (LEVELS - 1) * above).mean()
    return float(pinball + objective.HORIZON_RIDGE * sessions * np.square(moved).sum())


@pytest.mark.parametrize("decides", [1, 3, 6])
def test_the_number_that_decides_the_width_is_found(decides: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "HORIZON_RIDGE", 0.0)
    state, changes = simulated(decides)
    weights = np.array(fit_linear_scale(state, changes, 5).weights)
    assert (weights >= 0).all()
    # Up to a factor, which the quantiles of past errors take up, the width is that number alone.
    assert weights[decides] > 10 * np.delete(weights, decides).max()


def test_no_weight_can_be_nudged_to_a_smaller_penalised_loss() -> None:
    state, changes = simulated(3)
    weights = np.array(fit_linear_scale(state, changes, 5).weights)
    least = loss(weights, state, changes, 5)
    assert least < loss(np.array(YEARS_MEAN.weights), state, changes, 5)
    for place in range(PLACES):
        for by in (-0.02, 0.02):
            nudged = weights.copy()
            nudged[place] = max(0.0, nudged[place] + by)
            assert loss(nudged, state, changes, 5) >= least - 1e-6


def test_the_penalty_holds_the_width_near_the_years_mean_and_more_so_further_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, changes = simulated(3)

    def moved(sessions: int) -> float:
        return float(np.abs(np.array(fit_linear_scale(state, changes, sessions).weights) - YEARS_MEAN.weights).max())

    assert moved(1) > moved(5) > moved(21) > 0
    monkeypatch.setattr(objective, "HORIZON_RIDGE", 1e6)
    assert moved(5) < 1e-3


def test_the_size_of_the_market_does_not_matter() -> None:
    state, changes = simulated(3)
    one, ten = (fit_linear_scale(by * state, by * changes, 5) for by in (1, 10))
    np.testing.assert_allclose(one.weights, ten.weights, atol=1e-4)


def test_what_is_missing_does_not_count() -> None:
    state, changes = simulated(3)
    holes, gaps = state.copy(), changes.copy()
    holes[5, 2], gaps[7] = np.nan, np.inf
    there = np.ones(N, dtype=bool)
    there[[5, 7]] = False
    assert fit_linear_scale(holes, gaps, 5) == fit_linear_scale(state[there], changes[there], 5)


def test_without_anything_to_learn_from_the_width_is_the_years_mean() -> None:
    state, changes = simulated(3)
    assert fit_linear_scale(state[:0], changes[:0], 5) == YEARS_MEAN
    assert fit_linear_scale(state, 0 * changes, 5) == YEARS_MEAN
    assert fit_linear_scale(state, np.full(N, np.nan), 5) == YEARS_MEAN
    assert fit_further(make_prices(30), "Close", 21).scale == YEARS_MEAN


@settings(max_examples=4, deadline=None)
@given(sessions=st.sampled_from([1, 2, 5, 21]), stop=st.integers(300, 420))
def test_a_fit_uses_the_changes_that_have_ended_in_its_training_part_and_no_others(sessions: int, stop: int) -> None:
    prices = make_prices(440)
    found = fit_further(prices.rows(0, stop), "Close", sessions)
    # The last change that counts ends with the last session: it comes from the origin so many sessions before.
    table, state = prices.table(), spans_state(prices.table(), len(prices))
    last = stop - sessions
    by_hand = [
        fit_linear_scale(state[: stop - ahead], changes_ahead(table, "Close", ahead)[: stop - ahead], ahead).weights
        for ahead in (1, sessions)
    ]
    # The mean of the horizon's fit and of that of one session.
    assert found.scale.weights == tuple(np.mean(by_hand, axis=0).tolist())
    assert found.calibration.days[-1] == table["Date"][stop - 1]
    assert len(found.calibration.days) == last - 125
    for other in (changed_from(prices, stop), prices.rows(0, stop + 3)):
        assert fit_further(other.until(prices.day(stop - 1)), "Close", sessions) == found


def test_the_last_change_is_learnt_from() -> None:
    prices, sessions = make_prices(400), 5
    values = prices.values.copy()
    values[-1, 3:5] *= 1.004
    other = replace(prices, values=values)
    one, two = (fit_further(some, "Close", sessions) for some in (prices, other))
    assert one.calibration.errors[:-1] == pytest.approx(two.calibration.errors[:-1], rel=0.2)
    assert one.scale != two.scale
    assert one.calibration.errors[-1] != two.calibration.errors[-1]


def regimes(n: int, seed: int) -> Prices:
    """A walk whose width stays for some weeks, and then is another one: between a half and twice the usual."""
    rng = np.random.default_rng(seed)
    width = 0.01 * np.exp(rng.uniform(-0.7, 0.7, n // 60 + 1)).repeat(60)[:n]
    close = 100 * np.exp(np.cumsum(width * rng.normal(size=n)))
    before = np.append(100.0, close[:-1])
    open_ = before * np.exp(0.3 * width * rng.normal(size=n))
    spread = np.exp(0.5 * width * rng.uniform(0.5, 1.5, n))
    high, low = np.maximum(open_, close) * spread, np.minimum(open_, close) / spread
    return replace(make_prices(n), values=np.column_stack([open_, high, low, close, close, np.ones(n)]))


@pytest.mark.parametrize("sessions", [1, 5])
def test_widths_that_last_are_foreseen_and_the_intervals_hold_what_they_say(sessions: int) -> None:
    prices = regimes(4200, 1)
    start = 2200
    ahead = fit_further(prices.rows(0, start), "Close", sessions)
    known, n = prices.rows(0, len(prices) - sessions), len(prices) - start
    made = ahead.quantiles("Close", known.table(), n)
    actual = prices.column("Close")[start:]
    naive = naive_distributions(known, "Close", n, sessions)
    assert crps(actual, made).mean() < 0.985 * min(crps(actual, each).mean() for each in naive.values())
    for level, tolerance in ((80, 0.03), (95, 0.02)):
        lower, upper = interval(made, level)
        assert abs(((lower <= actual) & (actual <= upper)).mean() - level / 100) < tolerance
    assert ahead.calibration.windows == FURTHER.windows
    assert isinstance(ahead.scale, LinearScale)
