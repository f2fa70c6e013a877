"""The further horizons of a backtest: cut by origins, fitted where it fits again, the same for every preset."""

from dataclasses import replace

import numpy as np
import pytest

from model.backtest.further_result import further_evaluations, further_rows, verdict_ahead
from model.backtest.plan import BacktestConfig, Plan, plan_backtest
from model.config import PRESETS
from model.evaluation.baselines import naive_distributions
from model.training.fit import fit_further
from tests.market import changed_from, make_prices

PRICES = make_prices(700)
AHEAD = PRESETS["anchored"].model_copy(update={"horizon": (1, 5)})


def planned(window: str = "expanding") -> Plan:
    other = PRESETS["anchored"].model_copy(update={"preset": "other"})
    config = BacktestConfig(first="2021-01", last="2021-06", refit=3, window=window, seeds=2)
    return plan_backtest(PRICES, config, (other, AHEAD))


@pytest.mark.parametrize("window", ["expanding", "sliding:2"])
def test_each_session_is_forecast_so_many_sessions_before_by_the_fit_of_its_origin(window: str) -> None:
    plan = planned(window)
    (judged,) = further_evaluations(plan).values()
    begins = [origin.start for origin in plan.origins]
    assert judged.sessions[0] == PRICES.sessions[begins[0]]
    assert len(judged.sessions) == plan.n_sessions
    first = {"expanding": (0, 0), "sliding:2": (0, int(np.searchsorted(PRICES.sessions, np.datetime64("2019-04-01"))))}
    for fitted_at, oldest in zip((begins[0], begins[3]), first[window], strict=True):
        fitted = fit_further(PRICES.rows(oldest, fitted_at - 4), "Open", 5)
        for row in (fitted_at, fitted_at + 30):
            known = PRICES.rows(0, row - 4)
            place = row - begins[0]
            np.testing.assert_array_equal(judged.quantiles[place], fitted.quantiles("Open", known.table())[0])
            for name, made in naive_distributions(known, "Open", 1, 5).items():
                np.testing.assert_array_equal(judged.naive_quantiles[name][place], made[0])


def test_no_forecast_knows_a_price_after_its_origin() -> None:
    plan = planned()
    row = plan.origins[2].start
    changed = replace(plan, prices=changed_from(plan.prices, row))
    one, two = (further_evaluations(each)[5].quantiles for each in (plan, changed))
    said = row + 5 - plan.origins[0].start
    np.testing.assert_array_equal(one[:said], two[:said])
    assert (one[said] != two[said]).all()


def test_networks_are_fitted_for_the_next_session_alone_and_presets_without_horizons_have_none() -> None:
    plan = planned()
    assert {fit.config.horizon for fit in plan.fits if fit.config is not None} == {(1,)}
    assert further_evaluations(replace(plan, forecasters=plan.forecasters[:1])) == {}


def test_a_horizon_has_the_rows_of_its_table_and_a_sentence() -> None:
    judged = further_evaluations(planned())[5]
    rows = further_rows(judged)
    assert len(rows) == 1 + len(judged.naive) + len(judged.naive_quantiles)
    assert next(iter(rows.values()))["crps"] == judged.crps
    assert rows["naive: the newest Close with its last 250 changes"]["crps"] > 0
    beats = "beats" if judged.crps_skill > 0 else "does not beat"
    assert verdict_ahead(5, judged).startswith(f"5 sessions ahead it {beats} the best naive distribution: CRPS $")
    nothing = replace(judged, quantiles=np.full_like(judged.quantiles, np.nan), naive_quantiles={})
    assert "no distribution" in verdict_ahead(5, nothing)
