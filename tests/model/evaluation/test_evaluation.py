"""Evaluations: the best naive forecast, and every figure by name."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from model.config import EvaluationConfig
from model.evaluation.baselines import naive_distributions
from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation, evaluate, join
from model.evaluation.metrics import diebold_mariano, training_scales
from model.evaluation.split import split_prices
from model.forecaster.forecasts import Forecasts
from model.market.money import Money
from tests.distributions import around
from tests.market import make_prices, weekdays


def evaluation(actual: list[float], forecast: list[float], **naive: list[float]) -> Evaluation:
    return Evaluation(
        sessions=weekdays(len(actual)),
        actual=np.array(actual),
        forecast=np.array(forecast),
        naive={name: np.array(values) for name, values in naive.items()},
    )


def full(**changes: object) -> Evaluation:
    """Two sessions with everything that an evaluation may hold."""
    parts: dict[str, object] = {
        "sessions": weekdays(2),
        "actual": np.array([10.0, 20.0]),
        "forecast": np.array([11.0, 18.0]),
        "naive": {"newest_Open": np.array([6.0, 16.0]), "newest_Close": np.array([8.0, 21.0])},
        "statistical": {"auto_ets": np.array([10.0, 21.0])},
        "quantiles": around(np.array([10.5, 17.0]), np.array([1.5, 2.0]), np.array([2.0, 4.0])),
        "naive_quantiles": {"constant_250": around(np.array([8.0, 21.0]), 4.0, 6.0)},
        "statistical_quantiles": {"garch_t": around(np.array([10.0, 20.0]), 2.0, 3.0)},
        "scales": training_scales(np.array([1.0, 3.0, 2.0, 5.0]), 2),
    }
    return Evaluation(**{**parts, **changes})  # type: ignore[arg-type]


def test_the_figures_of_a_worked_example() -> None:
    # errors 3, -4: RMSE sqrt(25/2), MAE 3.5, bias -0.5; naive errors 1, -1: RMSE 1
    judged = evaluation([10, 20], [13, 16], newest_Open=[11, 19], newest_Close=[15, 20])
    assert judged.rmse == pytest.approx(math.sqrt(12.5))
    assert (judged.mae, judged.bias) == (3.5, -0.5)
    assert judged.best_naive == "newest_Open"
    assert (judged.naive_rmse, judged.naive_mae) == (1, 1)
    assert judged.skill == pytest.approx(1 - math.sqrt(12.5))
    assert judged.metrics()["newest_Close_rmse"] == pytest.approx(math.sqrt(12.5))


def test_everything_that_there_is_has_its_figure() -> None:
    metrics = full().metrics()
    # errors 1, -2; training changes 2, -1, 3
    assert metrics["mase"] == pytest.approx(1.5 / 2)
    assert metrics["rmsse"] == pytest.approx(math.sqrt(2.5 / (14 / 3)))
    assert metrics["auto_ets_rmse"] == pytest.approx(math.sqrt(0.5))
    # from the newest Close, 8 and 21, up to 10 and down to 20: forecast so both times
    assert metrics["direction"] == 1.0
    assert (metrics["direction_lower"], metrics["direction_upper"]) == pytest.approx((0.342, 1.0), abs=5e-4)
    # squared errors 1, 4 against 4, 1 of the newest Close: they do not differ on average
    assert metrics["dm_naive_p"] == 1.0
    assert metrics["coverage_80"] == 0.5
    assert metrics["winkler_80"] == pytest.approx((3 + 4 + 10 * 1) / 2)
    assert metrics["coverage_95"] == 1.0
    assert metrics["winkler_95"] == pytest.approx((4 + 8) / 2)
    assert metrics["crps_skill"] == 1 - metrics["crps"] / metrics["naive_crps"]
    assert metrics["naive_crps"] == metrics["constant_250_crps"] > metrics["garch_t_crps"]
    assert {"log_score", "pit_ks", "dm_naive_crps_p"} <= metrics.keys()


def test_errors_are_scaled_by_the_training_part_alone() -> None:
    split = split_prices(make_prices(60), EvaluationConfig(test_sessions=10), lookback=5)
    metrics = evaluate(lambda known, origins: known.column("Close")[-origins:], split, "Close").metrics()
    changes = np.diff(split.prices.column("Close")[:50])
    assert metrics["mase"] == pytest.approx(metrics["newest_Close_mae"] / np.mean(np.abs(changes)))
    assert metrics["rmsse"] == pytest.approx(metrics["newest_Close_rmse"] / np.sqrt(np.mean(changes**2)))


def test_statistical_forecasts_are_no_part_of_the_best_naive_one() -> None:
    judged = full()
    assert judged.best_naive == "newest_Close"
    assert judged.naive_rmse == pytest.approx(math.sqrt(2.5))


def test_what_there_is_not_has_no_figure() -> None:
    judged = evaluation([10, 20], [13, 16], newest_Open=[11, 19])
    assert set(judged.metrics()) == {
        *("rmse", "mae", "bias", "naive_rmse", "naive_mae", "skill", "newest_Open_rmse", "newest_Open_mae"),
        *("direction", "direction_lower", "direction_upper", "dm_naive_p"),
    }


def test_what_is_undefined_has_no_figure() -> None:
    constant = evaluation([5], [5], newest_Close=[5])
    assert set(constant.metrics()) == {
        *("rmse", "mae", "bias", "naive_rmse", "naive_mae", "skill", "newest_Close_rmse", "newest_Close_mae"),
    }
    assert full(scales=training_scales(np.array([4.0, 4.0]), 2)).metrics().keys().isdisjoint({"mase", "rmsse"})


def test_half_the_error_of_the_best_naive_forecast_is_a_skill_of_a_half() -> None:
    judged = evaluation([10, 10], [11, 9], newest_Open=[12, 8], newest_Close=[50, 50])
    assert (judged.skill, judged.has_skill) == (0.5, True)


def test_what_only_equals_the_naive_forecast_or_is_no_number_has_no_skill() -> None:
    assert not evaluation([10, 10], [11, 9], newest_Open=[9, 11]).has_skill
    assert not evaluation([10, 10], [11, math.nan], newest_Open=[9, 11]).has_skill
    assert not evaluation([1, 1], [1, 1], newest_Open=[1, 1]).has_skill


def test_nothing_beats_a_naive_forecast_without_error() -> None:
    assert evaluation([1, 1], [1, 1], newest_Open=[1, 1]).skill == 0
    assert evaluation([1, 1], [1, 2], newest_Open=[1, 1]).skill == -math.inf


def test_without_a_close_the_direction_is_that_of_the_column_itself() -> None:
    judged = evaluation([10, 20], [11, 19], newest_High=[9, 21], drift=[50, 0])
    assert (judged.direction.hits, judged.direction.n) == (2, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"forecast": np.array([1.0])},
        {"naive": {}},
        {"naive": {"newest_Open": np.array([1.0])}},
        {"statistical": {"auto_ets": np.array([1.0])}},
        {"quantiles": around(np.array([1.0]), 1.0, 2.0)},
        {"naive_quantiles": {"constant_250": around(np.array([1.0]), 1.0, 2.0)}},
        {"statistical_quantiles": {"garch_t": around(np.array([1.0]), 1.0, 2.0)}},
        {"scales": {"absolute": np.array([1.0])}},
    ],
)
def test_an_evaluation_wants_the_same_sessions_throughout(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="same sessions"):
        full(**changes)


def test_an_evaluation_wants_its_sessions_in_order() -> None:
    with pytest.raises(ValueError, match="increasing"):
        full(sessions=weekdays(2)[::-1])


@pytest.mark.parametrize("where", ["quantiles", "naive_quantiles", "statistical_quantiles"])
def test_an_evaluation_wants_quantiles_in_order(where: str) -> None:
    falling = around(np.array([1.0, 2.0]), -1.0, -2.0)
    with pytest.raises(ValueError, match="ascending"):
        full(**{where: falling if where == "quantiles" else {"any": falling}})


def test_intervals_are_read_from_the_quantiles() -> None:
    intervals = full().intervals
    assert list(intervals) == [0.8, 0.95]
    for level, lower, upper in ((0.8, [9, 15], [12, 19]), (0.95, [8.5, 13], [12.5, 21])):
        assert intervals[level][0] == pytest.approx(lower)
        assert intervals[level][1] == pytest.approx(upper)
    assert full(quantiles=no_distributions(2)).intervals == {}
    half = np.vstack([no_distributions(1), full().quantiles[1:]])
    assert full(quantiles=half).coverage(0.8).n == 1


def test_the_best_naive_distribution_is_the_one_with_the_smallest_crps_on_these_sessions() -> None:
    near, far = around(np.array([10.0, 20.0]), 1.0, 2.0), around(np.array([13.0, 20.0]), 1.0, 2.0)
    judged = full(naive_quantiles={"constant_500": far, "constant_250": near})
    assert judged.best_naive_distribution == "constant_250"
    assert judged.naive_crps == pytest.approx(judged.crps_of(near).mean())
    assert judged.crps_skill == pytest.approx(1 - judged.crps_of(judged.quantiles).mean() / judged.naive_crps)
    later = judged.part(slice(1, 2))
    assert later.metrics()["constant_250_crps"] == later.metrics()["constant_500_crps"]


def test_distributions_are_compared_on_the_sessions_on_which_all_of_them_are_there() -> None:
    gone = np.vstack([no_distributions(1), full().naive_quantiles["constant_250"][1:]])
    judged = full(naive_quantiles={"constant_250": gone, "constant_500": full().naive_quantiles["constant_250"]})
    only = full().part(slice(1, 2))
    assert (judged.crps, judged.naive_crps) == pytest.approx((only.crps, only.naive_crps))
    assert judged.metrics()["garch_t_crps"] == pytest.approx(only.metrics()["garch_t_crps"])
    ours = full(quantiles=np.vstack([no_distributions(1), full().quantiles[1:]]))
    assert (ours.crps, ours.naive_crps) == pytest.approx((only.crps, only.naive_crps))


def test_without_distributions_of_its_own_there_are_still_the_naive_ones() -> None:
    judged = full(quantiles=no_distributions(2))
    assert math.isnan(judged.crps)
    assert judged.best_naive_distribution == "constant_250"
    assert judged.metrics()["naive_crps"] == pytest.approx(full().naive_crps)
    assert judged.metrics().keys().isdisjoint({"crps", "crps_skill", "log_score", "pit_ks", "coverage_80"})
    assert full(naive_quantiles={}).best_naive_distribution is None
    assert "crps" in full(naive_quantiles={}).metrics()
    assert full(naive_quantiles={}).metrics().keys().isdisjoint({"naive_crps", "crps_skill", "dm_naive_crps_p"})


def test_the_test_against_another_distribution_is_students_of_the_differences_in_crps() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(100, 2, 250)
    ours, theirs = around(np.full(250, 100.0), 2.6, 3.9), around(np.full(250, 100.0), 5.2, 7.8)
    judged = Evaluation(
        sessions=weekdays(250), actual=actual, forecast=actual, naive={"newest_Close": actual}, quantiles=ours
    )
    expected = stats.ttest_rel(judged.crps_of(ours), judged.crps_of(theirs))
    found = judged.against_distribution(theirs)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.p_better < 0.001


def test_further_ahead_the_tests_know_that_forecasts_overlap() -> None:
    rng = np.random.default_rng(0)
    actual, one, other = rng.normal(100, 2, 60), rng.normal(100, 1, 60), rng.normal(100, 1, 60)
    ours, theirs = around(one, 2.6, 3.9), around(other, 5.2, 7.8)
    ahead = Evaluation(
        sessions=weekdays(60),
        actual=actual,
        forecast=one,
        naive={"newest_Close": other},
        quantiles=ours,
        naive_quantiles={"constant_250": theirs},
        horizon=5,
    )
    errors, scores = (np.square(one - actual), np.square(other - actual)), (ahead.crps_of(ours), ahead.crps_of(theirs))
    found = ahead.metrics()
    assert found["dm_naive_p"] == diebold_mariano(*errors, 5).p_value != diebold_mariano(*errors).p_value
    assert found["dm_naive_crps_p"] == diebold_mariano(*scores, 5).p_value
    # Nor has the share of right directions an interval, which takes sessions for independent.
    assert "direction" in found
    assert found.keys().isdisjoint({"direction_lower", "direction_upper"})
    assert ahead.part(slice(3, 9)).horizon == join([ahead]).horizon == 5


def test_what_lacks_a_quantile_has_no_distribution() -> None:
    split = split_prices(make_prices(60), EvaluationConfig(test_sessions=3), lookback=5)
    values = split.actual[:, 3]
    quantiles = around(values, 1.0, 2.0)
    quantiles[1, 0] = -math.inf
    judged = evaluate(lambda _known, _n: Forecasts(values=values, quantiles=quantiles), split, "Close")
    assert np.isnan(judged.quantiles).all(axis=1).tolist() == [False, True, False]
    known = split.prices.rows(0, 59)
    for name, made in naive_distributions(known, "Close", 3).items():
        np.testing.assert_array_equal(judged.naive_quantiles[name], made)


def test_parts_joined_are_the_whole() -> None:
    whole = full()
    again = join([whole.part(slice(0, 1)), whole.part(slice(1, 2))])
    assert again.metrics() == whole.metrics()
    np.testing.assert_array_equal(again.naive_quantiles["constant_250"], whole.naive_quantiles["constant_250"])
    assert join([whole, replace(whole, sessions=weekdays(4)[2:], statistical_quantiles={})]).statistical_quantiles == {}


def test_an_interval_misses_by_more_than_half_the_last_digit_that_is_written() -> None:
    # Ten of the last digit outside, which is far less than half a cent where the price is a small part of one.
    for scale, unit in ((100.0, "USD"), (0.00001234, "USD"), (2845.0, "JPY")):
        digit = 2 * Money.at(unit, scale).half_a_digit
        prices = np.full(2, scale)
        bounds = around(prices + np.array([10.0, 1.4]) * digit, digit, digit)
        judged = Evaluation(
            sessions=weekdays(2), actual=prices, forecast=prices, naive={"a": prices}, quantiles=bounds, unit=unit
        )
        assert judged.coverage_as_quoted(0.8).hits == 1, unit
        assert judged.coverage(0.8).hits == 0, unit


def test_a_part_and_a_whole_have_the_unit_of_their_prices() -> None:
    whole = full(unit="GBp")
    assert whole.part(slice(0, 1)).unit == join([whole]).unit == "GBp"
