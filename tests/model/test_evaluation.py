"""Measures, against examples worked out by hand."""

import math

import numpy as np
import pytest

from model.baselines import naive_forecast, naive_forecasts
from model.evaluation import Evaluation
from tests.market import make_prices, weekdays


def evaluation(actual: list[float], forecast: list[float], **naive: list[float]) -> Evaluation:
    return Evaluation(
        sessions=weekdays(len(actual)),
        actual=np.array(actual),
        forecast=np.array(forecast),
        naive={name: np.array(values) for name, values in naive.items()},
    )


def test_the_measures_of_a_worked_example() -> None:
    # errors 3, -4: RMSE sqrt(25/2), MAE 3.5, bias -0.5; naive errors 1, -1: RMSE 1
    judged = evaluation([10, 20], [13, 16], newest_Open=[11, 19], newest_Close=[15, 20])
    assert judged.rmse == pytest.approx(math.sqrt(12.5))
    assert judged.mae == 3.5
    assert judged.bias == -0.5
    assert judged.best_naive == "newest_Open"
    assert (judged.naive_rmse, judged.naive_mae) == (1, 1)
    assert judged.skill == pytest.approx(1 - math.sqrt(12.5))
    assert judged.metrics()["newest_Close_rmse"] == pytest.approx(math.sqrt(12.5))


def test_half_the_error_of_the_best_naive_forecast_is_a_skill_of_a_half() -> None:
    assert evaluation([10, 10], [11, 9], newest_Open=[12, 8], newest_Close=[50, 50]).skill == 0.5


def test_nothing_beats_a_naive_forecast_without_error() -> None:
    assert evaluation([1, 1], [1, 1], newest_Open=[1, 1]).skill == 0
    assert evaluation([1, 1], [1, 2], newest_Open=[1, 1]).skill == -math.inf


def test_an_evaluation_wants_the_same_sessions_throughout() -> None:
    with pytest.raises(ValueError, match="same sessions"):
        evaluation([1, 2], [1], newest_Open=[1, 2])


def test_the_open_has_two_naive_forecasts_and_the_close_one() -> None:
    prices = make_prices(10)
    opens = naive_forecasts(prices, "Open", 3)
    assert list(opens) == ["newest_Open", "newest_Close"]
    np.testing.assert_array_equal(opens["newest_Close"], prices.column("Close")[-3:])
    assert list(naive_forecasts(prices, "Close", 3)) == ["newest_Close"]
    assert naive_forecast(prices, "Open") == ("newest_Close", prices.column("Close")[-1])
    assert naive_forecast(prices, "High") == ("newest_High", prices.column("High")[-1])
