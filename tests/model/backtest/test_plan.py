"""Origins, what is fitted at them, and what may be known there."""

import sys
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.backtest.fit import assignment, period_split, run_fit, training_part
from model.backtest.plan import BacktestConfig, Key, Plan, plan_backtest
from model.config import PRESETS, ForecasterConfig, NetworkConfig, TrainingConfig
from model.errors import TooFewPrices, UsageError
from model.evaluation.evaluation import join
from model.evaluation.statistical import statistical_forecasts
from model.evaluation.volatility import volatility_forecasts
from model.market.prices import Prices
from tests.market import changed_from, make_prices

# Weekdays from 2019-01-01 to 2021-04-02.
PRICES = make_prices(590)
SMALL = ForecasterConfig(lookback=3, network=NetworkConfig(units=(2,)), training=TrainingConfig(epochs=1))


def plan(prices: Prices = PRICES, forecasters: tuple[ForecasterConfig, ...] = (SMALL,), **options: Any) -> Plan:
    return plan_backtest(prices, BacktestConfig.model_validate(options), forecasters)


def days(prices: Prices, start: int, stop: int) -> tuple[date, date]:
    return prices.day(start), prices.day(stop - 1)


def test_a_shared_network_is_refused_since_it_is_not_fitted_at_each_origin() -> None:
    shared = PRESETS["anchored"].model_dump()
    shared["training"]["shared"] = "both"
    with pytest.raises(UsageError, match="fitted once a year, and not at each origin"):
        plan(forecasters=(ForecasterConfig.model_validate(shared),), first="2020-01", last="2020-03")


def test_an_origin_a_month_and_a_fit_on_all_that_came_before_it() -> None:
    made = plan(first="2020-01", last="2020-03")
    assert [origin.name for origin in made.origins] == ["2020-01", "2020-02", "2020-03"]
    assert [days(PRICES, origin.start, origin.stop) for origin in made.origins] == [
        (date(2020, 1, 1), date(2020, 1, 31)),
        (date(2020, 2, 3), date(2020, 2, 28)),
        (date(2020, 3, 2), date(2020, 3, 31)),
    ]
    fits = sorted(made.fits, key=lambda fit: fit.stop)
    assert [days(PRICES, fit.first, fit.stop) for fit in fits] == [
        (date(2019, 1, 1), date(2019, 12, 31)),
        (date(2019, 1, 1), date(2020, 1, 31)),
        (date(2019, 1, 1), date(2020, 2, 28)),
    ]
    assert made.prices.last == date(2020, 3, 31)


def test_the_longest_fits_come_first() -> None:
    stops = [fit.stop for fit in plan(first="2020-01", last="2020-06").fits]
    assert stops == sorted(stops, reverse=True)


def test_between_two_fits_the_last_one_goes_on_forecasting() -> None:
    fits = sorted(plan(first="2020-01", last="2021-03", refit=12).fits, key=lambda fit: fit.stop)
    assert [(len(fit.origins), fit.origins[0].name, fit.origins[-1].name) for fit in fits] == [
        (12, "2020-01", "2020-12"),
        (3, "2021-01", "2021-03"),
    ]
    (only,) = plan(first="2020-01", last="2021-03", refit="never").fits
    assert len(only.origins) == 15


def test_a_sliding_window_forgets_what_is_older() -> None:
    (fit,) = plan(first="2021-02", last="2021-02", window="sliding:2").fits
    assert days(PRICES, fit.first, fit.stop) == (date(2019, 2, 1), date(2021, 1, 29))
    assert training_part(PRICES, fit).first == date(2019, 2, 1)


def test_quarters_end_with_the_last_month_that_is_wanted() -> None:
    made = plan(first="2020-01", last="2020-05", every="quarter")
    assert [(origin.name, PRICES.day(origin.stop - 1)) for origin in made.origins] == [
        ("2020-01", date(2020, 3, 31)),
        ("2020-04", date(2020, 5, 29)),
    ]


def test_without_months_it_is_the_newest_year_up_to_the_newest_session() -> None:
    made = plan()
    assert (made.config.first, made.config.last) == ("2020-05", "2021-04")
    assert len(made.origins) == 12
    assert made.prices.last == PRICES.last


def test_every_preset_and_seed_has_fits_of_its_own() -> None:
    other = SMALL.model_copy(update={"preset": "other"})
    made = plan(forecasters=(SMALL, other), first="2020-01", last="2020-02", seeds=3)
    assert sorted((fit.names[0], fit.seed, fit.origins[0].name) for fit in made.fits) == [
        (name, seed, month) for name in ("other", "tutorial") for seed in range(3) for month in ("2020-01", "2020-02")
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first": "2020-01", "last": "2021-06"}, "no completed session in 2021-05, 2021-06"),
        ({"first": "2017-01", "last": "2020-01"}, r"no completed session in 2017-01, 2017-02, \.\.\. 2018-12"),
        ({"first": "2020-02", "last": "2020-01"}, "the first month is after the last one"),
    ],
)
def test_months_that_cannot_be_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(**options)


def test_a_history_too_short_to_fit_on_is_refused_before_anything_is_fitted() -> None:
    with pytest.raises(TooFewPrices, match="0 sessions to train on before 2019-01"):
        plan(first="2019-01", last="2019-03")


def test_a_window_that_reaches_beyond_the_history_is_refused() -> None:
    with pytest.raises(TooFewPrices, match="2 years before 2020-12, for --window sliding:2"):
        plan(first="2020-12", last="2020-12", window="sliding:2")


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(300, 589),
    factor=st.floats(0.5, 2.0),
    refit=st.sampled_from(["each", 2, 5, "never"]),
    window=st.sampled_from(["expanding", "sliding:1"]),
)
def test_later_prices_change_nothing_that_an_origin_may_know(
    row: int, factor: float, refit: object, window: str
) -> None:
    options: dict[str, Any] = {"first": "2020-03", "last": "2021-03", "refit": refit, "window": window}
    before, after = plan(**options), plan(changed_from(PRICES, row, factor), **options)
    assert before.fits == after.fits
    for fit in before.fits:
        if fit.stop <= row:
            parts = [training_part(made.prices, fit).fingerprint for made in (before, after)]
            assert parts[0] == parts[1]
        for origin in fit.origins:
            assert fit.stop <= origin.start
            if origin.start <= row:
                known = [period_split(made.prices, origin).train.fingerprint for made in (before, after)]
                assert known[0] == known[1]


def test_whoever_fits_is_given_nothing_after_the_last_period() -> None:
    made = plan(first="2020-01", last="2020-06", refit=3)
    for fit in made.fits:
        given_ = assignment(made, fit)
        assert given_.prices.last == PRICES.day(fit.origins[-1].stop - 1)


def test_forecasts_and_distributions_stay_bit_for_bit_when_later_prices_change() -> None:
    made = plan(first="2020-06", last="2020-08", refit="never")
    (fit,) = made.fits
    changed = made.origins[1].start + 7
    other = replace(made, prices=changed_from(made.prices, changed))
    once, again = (run_fit(assignment(which, fit)) for which in (made, other))
    assert once.losses == again.losses
    for origin, one, two in zip(fit.origins, once.evaluations.values(), again.evaluations.values(), strict=True):
        # The forecast for the session whose price changed was made the day before.
        same = max(0, min(origin.stop, changed + 1) - origin.start)
        assert np.array_equal(one.forecast[:same], two.forecast[:same])
        assert np.isfinite(one.quantiles[:same]).all()
        assert np.array_equal(one.quantiles[:same], two.quantiles[:same])
        for name, quantiles in one.naive_quantiles.items():
            assert np.array_equal(quantiles[:same], two.naive_quantiles[name][:same])
    # Later on it is seen.
    last = made.origins[2].name
    seen, changed_then = (
        next(evaluation for key, evaluation in which.evaluations.items() if key.origin == last)
        for which in (once, again)
    )
    assert not np.array_equal(seen.forecast, changed_then.forecast)


def test_the_statistical_forecasts_are_fitted_where_the_presets_are() -> None:
    pytest.importorskip("statsforecast", reason="the extra `statistics` is not installed")
    made = plan(prices=make_prices(330), first="2020-02", last="2020-03", refit="never", statistical=True)
    fit = made.fits[0]
    assert (fit.config, [origin.name for origin in fit.origins]) == (None, ["2020-02", "2020-03"])
    n = made.n_sessions
    known = made.prices.until(made.prices.day(-2))
    points = statistical_forecasts(known, "Open", n, refit_every=n)
    distributions = volatility_forecasts(known, "Open", n, refit_every=n)
    done = run_fit(assignment(made, fit)).evaluations
    whole = {name: join([done[Key(name, 0, origin.name)] for origin in made.origins]) for name in made.statistical}
    assert whole.keys() == {*points, *distributions}
    for name, values in points.items():
        assert np.array_equal(whole[name].forecast, values)
        assert not whole[name].intervals
    for name, found in distributions.items():
        assert np.array_equal(whole[name].quantiles, found.quantiles)
        assert np.array_equal(whole[name].forecast, found.quantiles[:, 12])
    # Half of it again, as after a kill, is still fitted at the same origin.
    half = run_fit(assignment(made, replace(fit, origins=made.origins[1:]))).evaluations
    for name in whole:
        key = Key(name, 0, made.origins[1].name)
        assert np.array_equal(half[key].forecast, done[key].forecast)
        assert np.array_equal(half[key].quantiles, done[key].quantiles, equal_nan=True)


def test_the_forecasts_of_volatility_need_no_other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("arch", reason="the extra `statistics` is not installed")
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    made = plan(prices=make_prices(330), first="2020-03", statistical=True)
    assert made.statistical == ("garch_t", "egarch_t", "log_har")
    assert [key.forecaster for key in run_fit(assignment(made, made.fits[0])).evaluations] == list(made.statistical)
    with pytest.raises(TooFewPrices, match="more than 126"):
        plan(first="2019-05", last="2019-05", statistical=True)
    assert plan(first="2019-05", last="2019-05").statistical == ()


def test_prices_that_do_not_move_are_forecast_by_the_newest_close() -> None:
    pytest.importorskip("arch", reason="the extra `statistics` is not installed")
    flat = replace(make_prices(330), values=np.full((330, 6), 50.0))
    made = plan(prices=flat, first="2020-03", statistical=True)
    fit = replace(made.fits[0], statistical=("garch_t",))
    (evaluation,) = run_fit(assignment(made, fit)).evaluations.values()
    assert not evaluation.intervals
    assert (evaluation.forecast == 50.0).all()
