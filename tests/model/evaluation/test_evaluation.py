"""Evaluations: the best naive forecast, and every figure by name."""

import math

import numpy as np
import pytest

from model.config import EvaluationConfig
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.metrics import training_scales
from model.evaluation.split import split_prices
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
        "intervals": {0.8: (np.array([9.0, 15.0]), np.array([12.0, 19.0]))},
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
    assert metrics["crps"] > 0


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
        {"intervals": {0.8: (np.array([1.0]), np.array([2.0]))}},
        {"scales": {"absolute": np.array([1.0])}},
    ],
)
def test_an_evaluation_wants_the_same_sessions_throughout(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="same sessions"):
        full(**changes)


def test_an_evaluation_wants_its_sessions_in_order() -> None:
    with pytest.raises(ValueError, match="increasing"):
        full(sessions=weekdays(2)[::-1])


@pytest.mark.parametrize(("level", "lower"), [(80, 9.0), (0.8, 13.0)])
def test_intervals_want_a_share_and_their_bounds_in_order(level: float, lower: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1, and lower <= upper"):
        full(intervals={level: (np.array([lower, 15.0]), np.array([12.0, 19.0]))})
