"""Origins put together: by seed, by month, beside the naive forecasts; every figure known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from model.backtest.fit import period_split
from model.backtest.plan import BacktestConfig, Key, Plan, plan_backtest
from model.backtest.result import BacktestResult, assemble, by_month, comparison_rows
from model.config import ForecasterConfig
from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.metrics import rmse
from tests.distributions import around
from tests.market import make_prices

PRICES = make_prices(400)


def plan(seeds: int = 2, statistical: bool = False, every: str = "month") -> Plan:
    config = BacktestConfig.model_validate(
        {"first": "2020-01", "last": "2020-03", "seeds": seeds, "statistical": statistical, "every": every}
    )
    made = plan_backtest(PRICES, config, (ForecasterConfig(preset="offset"),))
    # Whatever is installed here.
    fits = (replace(fit, statistical=("auto_ets", "auto_arima")) if fit.config is None else fit for fit in made.fits)
    return replace(made, fits=tuple(fits))


def offset_by(made: Plan, origin_name: str, dollars: float, shift: float = 0.0) -> Evaluation:
    """An evaluation whose forecasts are all wrong by so many dollars, and its distributions by so many others."""
    origin = next(origin for origin in made.origins if origin.name == origin_name)
    split = period_split(made.prices, origin)
    actual = split.actual[:, 0]
    evaluation = evaluate(lambda _prices, _n: actual + dollars, split, "Open")
    return replace(evaluation, quantiles=around(actual + shift, 1.0, 2.0))


def result(made: Plan) -> BacktestResult:
    """Seed 0 is wrong by one dollar in every month, seed 1 by three, and in the last month by five."""
    done = {
        Key("offset", seed, origin.name): offset_by(
            made, origin.name, 1.0 if seed == 0 else 5.0 if origin.name == "2020-03" else 3.0
        )
        for seed in range(made.config.seeds)
        for origin in made.origins
    }
    if made.config.statistical:
        for name, dollars in (("auto_ets", 7.0), ("auto_arima", 8.0)):
            done |= {Key(name, 0, origin.name): offset_by(made, origin.name, dollars) for origin in made.origins}
    return assemble(made, done)


def test_a_presets_figures_are_the_means_over_its_seeds() -> None:
    (preset,) = result(plan()).presets
    assert preset.by_seed[0].rmse == pytest.approx(1.0)
    months = [23, 20, 22]  # weekdays of January, February and March 2020
    second = np.sqrt((3.0**2 * (months[0] + months[1]) + 5.0**2 * months[2]) / sum(months))
    assert preset.by_seed[1].rmse == pytest.approx(second)
    assert preset.metrics["rmse"] == pytest.approx((1 + second) / 2)
    assert len(preset.by_seed[0].sessions) == sum(months)
    naive = preset.by_seed[0].naive_rmse
    assert preset.metrics["naive_rmse"] == naive
    assert preset.metrics["skill"] == pytest.approx(1 - preset.metrics["rmse"] / naive)


def test_the_spread_reaches_from_seed_to_seed() -> None:
    (preset,) = result(plan()).presets
    spread = preset.spread["rmse"]
    assert (spread.minimum, spread.maximum) == (preset.by_seed[0].rmse, preset.by_seed[1].rmse)
    assert spread.sd == pytest.approx((spread.maximum - spread.minimum) / np.sqrt(2))
    assert result(plan(seeds=1)).presets[0].spread["rmse"].sd == 0.0


@pytest.mark.parametrize("every", ["month", "quarter"])
def test_months_stand_alone_however_far_apart_the_origins_are(every: str) -> None:
    (preset,) = result(plan(seeds=1, every=every)).presets
    assert [(month.month, month.sessions) for month in preset.months] == [
        ("2020-01", 23),
        ("2020-02", 20),
        ("2020-03", 22),
    ]
    assert [month.metrics["rmse"] for month in preset.months] == pytest.approx([1.0, 1.0, 1.0])


def test_a_months_figures_are_the_means_over_the_seeds_with_each_ones_skill() -> None:
    (preset,) = result(plan()).presets
    assert [month.metrics["rmse"] for month in preset.months] == pytest.approx([2.0, 2.0, 3.0])
    last = preset.months[-1]
    # The naive forecast that is best over all months, whichever is best in this one.
    best = by_month(preset.by_seed[0])["2020-03"].naive[preset.by_seed[0].best_naive]
    naive = rmse(by_month(preset.by_seed[0])["2020-03"].actual, best)
    assert last.metrics["naive_rmse"] == naive
    assert last.skills == pytest.approx((1 - 1 / naive, 1 - 5 / naive))


def test_the_seeds_averaged_are_one_forecast() -> None:
    (preset,) = result(plan()).presets
    assert by_month(preset.ensemble)["2020-03"].rmse == pytest.approx(3.0)
    np.testing.assert_allclose(preset.ensemble.quantiles, preset.by_seed[0].quantiles)


def test_the_distribution_of_the_seeds_averaged_has_the_means_of_their_quantiles() -> None:
    made = plan()
    done = {
        Key("offset", seed, origin.name): offset_by(made, origin.name, 0.0, shift=2.0 * seed)
        for seed in (0, 1)
        for origin in made.origins
    }
    (preset,) = assemble(made, done).presets
    actual = preset.by_seed[0].actual
    np.testing.assert_allclose(preset.ensemble.quantiles, around(actual + 1.0, 1.0, 2.0))
    assert preset.ensemble.crps > preset.by_seed[0].crps
    none = {key: replace(one, quantiles=no_distributions(len(one.sessions))) for key, one in done.items() if key.seed}
    assert assemble(made, {**done, **none}).presets[0].ensemble.intervals == {}


def test_intervals_are_joined_level_by_level() -> None:
    (preset,) = result(plan()).presets
    assert preset.by_seed[0].intervals.keys() == {0.8, 0.95}
    assert preset.by_seed[0].coverage(0.8).value == 1.0


def test_every_forecast_stands_in_one_table() -> None:
    made = result(plan(statistical=True))
    table = comparison_rows(made)
    kinds = ["preset", "ensemble"] + ["naive"] * 4 + ["naive distribution"] * 3 + ["statistical"] * 2
    assert [row.kind for row in table] == kinds
    rmse = {row.name: row.metrics["rmse"] for row in table if row.kind == "statistical"}
    assert rmse == pytest.approx({"auto_ets": 7.0, "auto_arima": 8.0})
    best = max(row.metrics["skill"] for row in table if row.kind == "naive")
    assert best == 0.0


def test_distributions_are_compared_beside_the_errors_of_their_medians() -> None:
    made = result(plan(statistical=True))
    table = {row.name: row for row in comparison_rows(made)}
    reference = made.reference
    naive = {name: table[name].metrics for name in reference.naive_quantiles}
    for name, metrics in naive.items():
        assert {"log_score", "winkler_80", "winkler_95", "coverage_80", "coverage_95", "pit_ks"} <= metrics.keys()
        assert metrics["crps"] == metrics[f"{name}_crps"] == reference.metrics()[f"{name}_crps"]
        assert metrics["rmse"] == rmse(reference.actual, reference.naive_quantiles[name][:, 12])
    assert max(metrics["crps_skill"] for metrics in naive.values()) == 0.0
    assert table["auto_ets"].metrics["crps"] == reference.metrics()["auto_ets_crps"] < reference.naive_crps
    assert "crps" not in table["newest_Close"].metrics
    alone = replace(
        reference, statistical={}, statistical_quantiles={"garch_t": reference.naive_quantiles["constant_500"]}
    )
    preset = replace(made.presets[0], by_seed={0: alone})
    row = comparison_rows(replace(made, presets=(preset,)))[-1]
    assert (row.name, row.label, row.kind) == ("garch_t", "GARCH(1,1), Student t", "statistical")
    assert row.metrics["rmse"] == naive["constant_500"]["rmse"]


def test_what_is_not_installed_is_said_to_be_missing() -> None:
    assert result(plan()).remarks == ()
    (missing,) = result(plan(statistical=True)).remarks
    assert missing.startswith("GARCH(1,1), Student t, EGARCH, Student t, log-HAR on the Garman-Klass range: not made")
    assert "arch is not installed" in missing


def test_the_months_are_beside_the_distribution_that_is_best_over_all_of_them() -> None:
    (preset,) = result(plan()).presets
    whole = preset.by_seed[0]
    last = by_month(whole)["2020-03"]
    best = whole.best_naive_distribution
    assert best is not None
    assert preset.months[-1].metrics["naive_crps"] == pytest.approx(
        last.crps_of(whole.naive_quantiles[best][-22:]).mean()
    )


def test_nothing_is_put_together_with_an_origin_missing() -> None:
    made = plan(seeds=1)
    with pytest.raises(KeyError):
        assemble(made, {Key("offset", 0, "2020-01"): offset_by(made, "2020-01", 1.0)})
