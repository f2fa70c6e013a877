"""Scaling and windows: the training range alone, the right target, no copy."""

import numpy as np
import pytest

from model.config import EvaluationConfig, ForecasterConfig
from model.errors import FaultyPrices
from model.inference import Recipe
from model.scaling import fit_scaling
from model.split import split_prices
from model.windows import make_windows
from tests.market import changed_from, make_prices

CONFIG = ForecasterConfig(lookback=3)


def test_the_range_is_that_of_the_training_part() -> None:
    prices = make_prices(opens=np.array([10.0, 30.0, 20.0, 15.0, 500.0, 1.0]))
    recipe = fit_scaling(prices.until(prices.day(3)), CONFIG)
    assert (recipe.minimum, recipe.maximum) == (10.0, 30.0)
    assert recipe.scaled(np.array([10.0, 20.0, 30.0, 40.0])).tolist() == [0, 0.5, 1, 1.5]


def test_dollars_undo_the_scaling() -> None:
    recipe = Recipe(column="Open", lookback=3, minimum=12.5, maximum=201.75)
    dollars = np.linspace(1, 300, 50)
    np.testing.assert_allclose(recipe.dollars(recipe.scaled(dollars)), dollars, rtol=1e-6)


def test_constant_prices_cannot_be_scaled() -> None:
    with pytest.raises(FaultyPrices, match=r"the same price, 7\.00, in all 50 sessions"):
        fit_scaling(make_prices(opens=np.full(50, 7.0)), CONFIG)


def test_each_window_is_followed_by_its_target() -> None:
    prices = make_prices(opens=np.arange(1.0, 8.0))
    windows = make_windows(prices, Recipe(column="Open", lookback=3, minimum=0.0, maximum=1.0))
    assert windows.inputs.shape == (4, 3, 1)
    np.testing.assert_array_equal(windows.inputs[0, :, 0], [1, 2, 3])
    np.testing.assert_array_equal(windows.targets, [4, 5, 6, 7])
    np.testing.assert_array_equal(windows.sessions, prices.sessions[3:])


def test_a_test_period_looks_back_into_the_training_part() -> None:
    prices = make_prices(opens=np.arange(1.0, 8.0))
    windows = make_windows(prices, Recipe(column="Open", lookback=3, minimum=0.0, maximum=1.0), n_targets=2)
    np.testing.assert_array_equal(windows.inputs[:, :, 0], [[3, 4, 5], [4, 5, 6]])
    np.testing.assert_array_equal(windows.targets, [6, 7])


def test_windows_are_views_of_the_series() -> None:
    recipe = Recipe(column="Open", lookback=40, minimum=0.0, maximum=1.0)
    inputs = recipe.inputs(np.arange(1.0, 100_001.0), origins=90_000)
    assert inputs.base is not None
    assert inputs.strides[0] == inputs.strides[1] == 4


@pytest.mark.parametrize("cut", [60, 75, 99])
def test_changing_later_prices_moves_nothing_before_them(cut: int) -> None:
    prices = make_prices(100)
    changed = changed_from(prices, cut)
    wanted = EvaluationConfig(test_sessions=100 - cut)
    recipes = [fit_scaling(split_prices(some, wanted, lookback=3).train, CONFIG) for some in (prices, changed)]
    windows = [make_windows(split_prices(some, wanted, lookback=3).train, recipes[0]) for some in (prices, changed)]
    assert recipes[0] == recipes[1]
    np.testing.assert_array_equal(windows[0].inputs, windows[1].inputs)
    np.testing.assert_array_equal(windows[0].targets, windows[1].targets)
