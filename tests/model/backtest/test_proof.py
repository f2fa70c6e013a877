"""A proof is made of fits a year apart, each on what was known, and grows by a session a day."""

import itertools
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from model.backtest.proof import (
    NOTHING,
    Fitted,
    Period,
    PeriodForecasts,
    assemble_proof,
    configuration_of,
    first_row,
    fit_period,
    forecast_period,
    is_preset,
    periods,
)
from model.config import PRESETS, ForecasterConfig, NetworkConfig, TrainingConfig
from model.evaluation.baselines import naive_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import ALONE, Proof, ProofConfig
from model.market.prices import Prices
from tests.market import changed_from, make_prices

PRICES = make_prices(200)
WANTED = ProofConfig(sessions=40, history=100, refit_every=15)
LEVEL = ForecasterConfig(lookback=3, network=NetworkConfig(units=(2,)), training=TrainingConfig(epochs=1))
ANCHORED = PRESETS["anchored"]
# As wide as the preset's network, and fitted in a second.
LIGHT = ANCHORED.model_copy(
    update={"training": ANCHORED.training.model_copy(update={"epochs": 1, "members": 2, "patience": None})}
)


def with_training(config: ForecasterConfig, **changes: object) -> ForecasterConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def test_a_proof_belongs_to_the_configuration_without_name_seed_and_start() -> None:
    ours = configuration_of(ANCHORED)
    assert configuration_of(PRESETS["daily"]) == ours
    assert configuration_of(with_training(ANCHORED, seed=7, warm_start=True, cold_start_every=3)) == ours
    assert configuration_of(ANCHORED.model_copy(update={"preset": "mine"})) == ours
    assert configuration_of(ANCHORED.model_copy(update={"horizon": (1, 5)})) == ours
    assert configuration_of(ours) == ours
    assert (ours.training.seed, ours.training.warm_start, ours.network) == (0, False, ANCHORED.network)


@pytest.mark.parametrize(
    "other",
    [
        PRESETS["tutorial"],
        ANCHORED.model_copy(update={"column": "Close"}),
        ANCHORED.model_copy(update={"lookback": 21}),
        ANCHORED.model_copy(update={"shrinkage": 0.25}),
        with_training(ANCHORED, epochs=17),
        with_training(ANCHORED, members=4),
    ],
)
def test_another_configuration_has_another_proof(other: ForecasterConfig) -> None:
    assert configuration_of(other) != configuration_of(ANCHORED)


def test_the_built_in_presets_are_known_whatever_their_column_and_seed() -> None:
    for config in PRESETS.values():
        assert is_preset(config)
        assert is_preset(with_training(config, seed=3).model_copy(update={"column": "Close", "preset": "mine"}))
    assert not is_preset(ANCHORED.model_copy(update={"lookback": 21}))
    assert not is_preset(with_training(PRESETS["tutorial"], epochs=99))


def test_a_proof_begins_with_as_many_sessions_as_are_wanted_and_prices_allow() -> None:
    assert first_row(PRICES, LEVEL, WANTED) == 160
    assert first_row(PRICES, LEVEL, ProofConfig(sessions=1250, history=100, refit_every=15)) == 100
    assert first_row(make_prices(101), LEVEL, WANTED) == 100
    assert first_row(make_prices(100), LEVEL, WANTED) is None
    # The recipe needs more history than was asked for: 20 sessions to look back on, and 40 to know the market by.
    little = ProofConfig(sessions=1250, history=1)
    assert first_row(PRICES, LIGHT, little) == first_row(PRICES, LIGHT, ProofConfig(sessions=1250, history=10))
    assert first_row(PRICES, LIGHT, little) > LIGHT.lookback  # type: ignore[operator]


def test_the_first_session_of_a_proof_stays_where_it_was() -> None:
    before = date.fromisoformat(str(PRICES.sessions[150]))
    assert first_row(PRICES, LEVEL, WANTED, before) == 150
    assert first_row(PRICES.rows(0, 170), LEVEL, WANTED, before) == 150
    # These prices begin later: the session lacks its history, and no other session will do.
    assert first_row(PRICES.rows(60, 200), LEVEL, WANTED, before) is None
    # It is not known yet.
    assert first_row(PRICES.rows(0, 150), LEVEL, WANTED, before) is None


def test_the_periods_cover_every_session_once() -> None:
    assert periods(PRICES, 160, WANTED) == (
        Period(start=160, stop=175),
        Period(start=175, stop=190),
        Period(start=190, stop=200),
    )
    assert periods(PRICES.rows(0, 190), 160, WANTED)[-1] == Period(start=175, stop=190)
    assert periods(PRICES.rows(0, 191), 160, WANTED)[-1] == Period(start=190, stop=191)


@cache
def fit_on(rows: int) -> Fitted:
    return fit_period(PRICES, Period(start=rows, stop=rows + 1), LIGHT)


def made_at_once(prices: Prices) -> Proof:
    found = [forecast_period(fit_on(period.start), prices, period) for period in periods(prices, 160, WANTED)]
    return assemble_proof(prices, 160, found, LIGHT, tried=1)


def made_day_by_day() -> Iterator[tuple[Prices, Proof]]:
    """Each day only what is missing is forecast; what was there stays."""
    kept: dict[int, PeriodForecasts] = {}
    for known in range(161, 201):
        prices = PRICES.rows(0, known)
        for period in periods(prices, 160, WANTED):
            done = kept.get(period.start, NOTHING)
            kept[period.start] = forecast_period(fit_on(period.start), prices, period, done)
        yield prices, assemble_proof(prices, 160, list(kept.values()), LIGHT, tried=1)


def same(one: Evaluation, two: Evaluation) -> None:
    for field in fields(Evaluation):
        mine, other = getattr(one, field.name), getattr(two, field.name)
        for name in mine if isinstance(mine, dict) else [None]:
            np.testing.assert_array_equal(*((part if name is None else part[name]) for part in (mine, other)))


@pytest.mark.slow
def test_a_proof_made_at_once_is_bit_for_bit_one_made_day_by_day() -> None:
    days = list(made_day_by_day())
    assert [proof.sessions for _, proof in days] == list(range(1, 41))
    for prices, proof in days[::9] + days[-1:]:
        same(proof.judged, made_at_once(prices).judged)
        assert proof.odds == made_at_once(prices).odds
    # And each is the beginning of the next: what was shown one day is not changed on another.
    for (_, proof), (_, after) in itertools.pairwise(days):
        same(proof.judged, after.judged.part(slice(0, proof.sessions)))


@pytest.mark.slow
def test_the_proof_stands_beside_what_happened_and_what_was_naive_then() -> None:
    proof = made_at_once(PRICES)
    assert (proof.first, proof.last) == (PRICES.day(160), PRICES.last)
    np.testing.assert_array_equal(proof.judged.actual, PRICES.column("Open")[160:])
    np.testing.assert_array_equal(proof.judged.naive["newest_Close"], PRICES.column("Close")[159:199])
    naive = naive_distributions(PRICES.rows(0, 199), "Open", 40)
    assert proof.judged.naive_quantiles.keys() == naive.keys()
    for name, quantiles in naive.items():
        np.testing.assert_array_equal(proof.judged.naive_quantiles[name], quantiles)
    assert proof.judged.statistical_quantiles.keys() == {ALONE}
    # The network's output is drawn from zero by one epoch: it is near the scale's alone, and is not it.
    assert 0.9 < proof.of_scale_alone < 1.1
    assert proof.of_scale_alone != 1


@pytest.mark.slow
def test_a_period_is_fitted_on_what_came_before_it_and_on_nothing_else() -> None:
    first = Period(start=160, stop=175)
    usual, other = (fit_period(prices, first, LIGHT) for prices in (PRICES, changed_from(PRICES, 160)))
    same_origin = PRICES.rows(0, 161)  # forecasts session 160 from what is known at the close of 159
    one, two = (forecast_period(fitted, same_origin, Period(start=160, stop=161)) for fitted in (usual, other))
    np.testing.assert_array_equal(one.made.quantiles, two.made.quantiles)
    np.testing.assert_array_equal(one.alone.quantiles, two.alone.quantiles)
    before = fit_period(changed_from(PRICES, 159), first, LIGHT)
    moved = forecast_period(before, same_origin, Period(start=160, stop=161))
    assert not np.array_equal(one.made.quantiles, moved.made.quantiles)


@pytest.mark.slow
def test_a_configuration_without_a_scale_has_none_alone() -> None:
    period = Period(start=185, stop=200)
    found = forecast_period(fit_period(PRICES, period, LEVEL), PRICES, period)
    assert len(found) == 15
    proof = assemble_proof(PRICES, 185, [found], LEVEL, tried=4)
    assert (proof.tried, proof.sessions, proof.judged.statistical_quantiles) == (4, 15, {})
    assert np.isnan(proof.of_scale_alone)


def test_what_is_done_is_not_made_again() -> None:
    period = Period(start=198, stop=200)
    done = replace(NOTHING, made=NOTHING.made, alone=NOTHING.alone)
    nothing = Fitted(network=None, recipe=None, alone=None)  # type: ignore[arg-type] # it is not asked
    whole = PeriodForecasts(
        made=replace(done.made, values=np.ones(2), quantiles=np.full((2, done.made.quantiles.shape[1]), np.nan)),
        alone=replace(done.alone, values=np.ones(2), quantiles=np.full((2, done.made.quantiles.shape[1]), np.nan)),
    )
    assert forecast_period(nothing, PRICES, period, whole) is whole
