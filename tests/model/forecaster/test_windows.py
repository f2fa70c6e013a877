"""Scaling and windows: the training range alone, the right target, no copy."""

from dataclasses import replace

import numpy as np
import pytest

from model.artifact.market_state import StateBranch
from model.artifact.recipes import ChangeRecipe, LevelRecipe
from model.config import EvaluationConfig, ForecasterConfig, preset
from model.errors import FaultyPrices
from model.evaluation.split import split_prices
from model.forecaster.scaling import CHANGES, LEVELS, fit_recipe, sessions_needed
from model.forecaster.windows import make_windows
from tests.market import changed_from, make_prices

CONFIG = ForecasterConfig(lookback=3)
UNSCALED = LevelRecipe(column="Open", lookback=3, minimum=0.0, maximum=1.0, calibration=LEVELS)


def test_the_range_is_that_of_the_training_part() -> None:
    prices = make_prices(opens=np.array([10.0, 30.0, 20.0, 15.0, 500.0, 1.0]))
    recipe = fit_recipe(prices.until(prices.day(3)), CONFIG)
    assert isinstance(recipe, LevelRecipe)
    assert (recipe.minimum, recipe.maximum) == (10.0, 30.0)
    assert recipe.scaled(np.array([10.0, 20.0, 30.0, 40.0])).tolist() == [0, 0.5, 1, 1.5]


def test_dollars_undo_the_scaling() -> None:
    recipe = LevelRecipe(column="Open", lookback=3, minimum=12.5, maximum=201.75, calibration=LEVELS)
    dollars = np.linspace(1, 300, 50)
    outputs = recipe.scaled(dollars).astype(np.float64)[:, np.newaxis]
    placed = recipe.placed(outputs, {}, None)
    np.testing.assert_allclose(recipe.dollars(placed.centre), dollars, rtol=1e-6)


def test_constant_prices_cannot_be_scaled() -> None:
    with pytest.raises(FaultyPrices, match=r"the same price, \$7\.0000, in all 50 sessions"):
        fit_recipe(make_prices(opens=np.full(50, 7.0)), CONFIG)


def test_each_window_is_followed_by_its_target() -> None:
    prices = make_prices(opens=np.arange(1.0, 8.0))
    windows = make_windows(prices, UNSCALED)
    assert windows.inputs.shape == (4, 3, 1)
    np.testing.assert_array_equal(windows.inputs[0, :, 0], [1, 2, 3])
    np.testing.assert_array_equal(windows.targets, [4, 5, 6, 7])
    np.testing.assert_array_equal(windows.sessions, prices.sessions[3:])


def test_a_test_period_looks_back_into_the_training_part() -> None:
    prices = make_prices(opens=np.arange(1.0, 8.0))
    windows = make_windows(prices, UNSCALED, n_targets=2)
    np.testing.assert_array_equal(windows.inputs[:, :, 0], [[3, 4, 5], [4, 5, 6]])
    np.testing.assert_array_equal(windows.targets, [6, 7])


def test_windows_are_views_of_the_series() -> None:
    recipe = LevelRecipe(column="Open", lookback=40, minimum=0.0, maximum=1.0, calibration=LEVELS)
    inputs = recipe.inputs({"Open": np.arange(1.0, 100_001.0)}, origins=90_000)
    assert inputs.base is not None
    assert inputs.strides[0] == inputs.strides[1] == 4


@pytest.mark.parametrize("cut", [60, 75, 99])
def test_changing_later_prices_moves_nothing_before_them(cut: int) -> None:
    prices = make_prices(100)
    changed = changed_from(prices, cut)
    wanted = EvaluationConfig(test_sessions=100 - cut)
    recipes = [fit_recipe(split_prices(some, wanted, lookback=3).train, CONFIG) for some in (prices, changed)]
    windows = [make_windows(split_prices(some, wanted, lookback=3).train, recipes[0]) for some in (prices, changed)]
    assert recipes[0] == recipes[1]
    np.testing.assert_array_equal(windows[0].inputs, windows[1].inputs)
    np.testing.assert_array_equal(windows[0].targets, windows[1].targets)


def test_changes_are_measured_from_the_close_before_in_the_scale_of_the_day_before() -> None:
    prices = make_prices(80)
    recipe = ChangeRecipe(column="Open", lookback=3, shrinkage=1.0, calibration=CHANGES)
    windows = make_windows(prices, recipe)
    # Thirty-nine movements and the Close before them make a scale; three sessions follow, and the target.
    assert windows.inputs.shape == (80 - 43, 3, 5)
    assert windows.inputs.dtype == np.float32
    np.testing.assert_array_equal(windows.sessions, prices.sessions[43:])
    assert (windows.offsets == 0).all()
    high, close, volume = prices.column("High"), prices.column("Close"), prices.column("Volume")
    scale = recipe.scale.at({name: values[:79] for name, values in prices.table().items()}, 2)
    newest = windows.inputs[-1, -1]  # of row 78, for the target in row 79
    assert newest[1] == pytest.approx(1.5 * np.log(high[78] / close[77]) / scale[0], rel=1e-6)
    assert newest[3] == pytest.approx(1.5 * np.log(close[78] / close[77]) / scale[0], rel=1e-6)
    assert newest[4] == pytest.approx(np.log(volume[78] / volume[77]) / 0.3, rel=1e-6)
    assert windows.targets[-1] == pytest.approx(np.log(prices.column("Open")[79] / close[78]) / scale[1], rel=1e-6)


def test_inputs_too_large_to_learn_from_are_cut_off() -> None:
    prices = changed_from(make_prices(80), 79, factor=5.0)
    recipe = ChangeRecipe(column="Open", lookback=3, shrinkage=1.0, calibration=CHANGES)
    newest = recipe.inputs(prices.table())[0, -1]
    assert newest[:4].tolist() == [6, 6, 6, 6]


def test_the_answer_that_was_wanted_gives_back_the_price() -> None:
    prices = make_prices(80)
    recipe = ChangeRecipe(column="High", lookback=3, shrinkage=1.0, calibration=CHANGES)
    wanted = make_windows(prices, recipe, 10).targets.astype(np.float64)
    known = {name: values[:-1] for name, values in prices.table().items()}
    placed = recipe.placed(np.column_stack([np.zeros(10), wanted]), known, None)
    np.testing.assert_allclose(recipe.dollars(placed.centre), prices.column("High")[-10:], rtol=1e-6)
    np.testing.assert_allclose(recipe.dollars(recipe.measure(np.array([3.0, 70.0]))), [3, 70])


@pytest.mark.parametrize(("shrinkage", "moved"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_a_shift_is_worth_as_much_as_is_believed_of_it_and_nothing_leaves_the_newest_close(
    shrinkage: float, moved: float
) -> None:
    table = make_prices(80).table()
    recipe = ChangeRecipe(column="Open", lookback=3, shrinkage=shrinkage, calibration=CHANGES)
    shifts = np.array([5.0, -7.0])
    placed = recipe.placed(np.column_stack([np.zeros(2), shifts]), table, None)
    expected = table["Close"][-2:] * np.exp(moved * shifts * recipe.scale.at(table, 2))
    np.testing.assert_allclose(recipe.dollars(placed.centre), expected)


def test_shift_and_median_count_with_at_most_the_scale_of_an_ordinary_market_and_the_width_with_its_own() -> None:
    table = make_prices(80).table()
    calm, wild = (
        ChangeRecipe(column="Open", lookback=3, shrinkage=0.5, calibration=CHANGES, ordinary=ordinary)
        for ordinary in (1.0, 0.001)
    )
    outputs = np.array([[0.2, 2.0]])
    free, held = (recipe.placed(outputs, table, None) for recipe in (calm, wild))
    scale = calm.scale.at(table, 1)
    np.testing.assert_allclose(free.usual, scale)
    np.testing.assert_allclose(held.usual, 0.001)
    np.testing.assert_allclose(held.centre, np.log(table["Close"][-1]) + 0.001)
    np.testing.assert_allclose(held.width, scale * np.exp(0.2))
    np.testing.assert_array_equal(held.width, free.width)


def test_the_ordinary_market_is_the_training_parts_median() -> None:
    prices = make_prices(200)
    recipe = fit_recipe(prices, preset("anchored"))
    assert isinstance(recipe, ChangeRecipe)
    assert recipe.ordinary == np.median(recipe.scale.at(prices.table(), 161))


def test_offsets_are_the_branchs_correction_at_the_session_before_each_target() -> None:
    prices = make_prices(600)
    branch = StateBranch(constant=0.1, weights=(0.1,) * 19, means=(0.5,) * 19, deviations=(2.0,) * 19)
    recipe = ChangeRecipe(column="Open", lookback=3, shrinkage=1.0, calibration=CHANGES, branch=branch)
    windows = make_windows(prices, recipe, 20)
    for row in (-1, -7, -20):
        known = prices.rows(0, 600 + row)  # its following session is the target's
        alone = recipe.offsets(known.table(), 1, known.following_day)
        assert windows.offsets[row] == np.float32(alone[0])
    assert windows.offsets.dtype == np.float32
    assert np.ptp(windows.offsets) > 0


def test_parts_of_unequal_length_are_no_windows() -> None:
    windows = make_windows(make_prices(50), UNSCALED)
    with pytest.raises(ValueError, match="47 inputs, 46 targets, 47 offsets, 47 sessions"):
        replace(windows, targets=windows.targets[1:])


@pytest.mark.parametrize(("inputs", "loss", "rows"), [("level", "huber", 3), ("changes", "pinball", 43)])
def test_a_recipe_needs_as_many_sessions_as_is_said_before_it_is_there(inputs: str, loss: str, rows: int) -> None:
    config = ForecasterConfig.model_validate({"inputs": inputs, "lookback": 3, "training": {"loss": loss}})
    assert fit_recipe(make_prices(200), config).rows == sessions_needed(config) == rows
