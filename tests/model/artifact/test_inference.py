"""What is stored with every network: alone in the world, and the same however much it is told."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifact import inference
from model.artifact.distribution import NO_ERRORS, PROBABILITIES, Calibration, quantile_column
from model.artifact.horizon import YEARS_MEAN, FurtherHorizon
from model.artifact.inference import errors_of, forecast, network_output
from model.artifact.market_state import STATE, StateBranch
from model.artifact.recipes import LARGEST_CORRECTION, ChangeRecipe, LevelRecipe, Recipe
from model.artifact.scale import Values
from model.forecaster.calibration import calibrate
from model.forecaster.forecasts import Forecasts
from model.market.prices import Prices
from tests.market import make_prices

BOTH_WINDOWS = Calibration(windows=(30, 60), symmetric=False)
BY_SIZE = Calibration(windows=(40,), symmetric=True)
LEVEL = LevelRecipe(column="Open", lookback=4, minimum=50.0, maximum=150.0, calibration=BY_SIZE)
CHANGE = ChangeRecipe(column="Open", lookback=4, shrinkage=0.5, calibration=BOTH_WINDOWS)
BRANCH = StateBranch(constant=0.1, weights=(0.05,) * 19, means=(0.0,) * 19, deviations=(1.0,) * 19)
BRANCHED = replace(CHANGE, branch=BRANCH)
RECIPES = [LEVEL, CHANGE, BRANCHED]
QUANTILES = [quantile_column(p) for p in PROBABILITIES]
PARTS = sorted(file.stem for file in Path(inference.__file__).parent.glob("*.py"))


class Echo:
    """A network that answers with the first features of a window's last session."""

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        return windows[:, -1, : self.outputs]


class Says:
    """A network that gives the same answer to everything."""

    def __init__(self, *answer: float) -> None:
        self.answer = answer

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        return np.tile(np.array(self.answer), (len(windows), 1))


def made(
    recipe: Recipe, table: dict[str, Values], origins: int = 1, following: float | None = None
) -> dict[str, Values]:
    return forecast(Echo(recipe.outputs), recipe, table, origins, following)


def at(prices: Prices, row: int) -> dict[str, Values]:
    """The table as it was known at the close of a row."""
    return prices.until(prices.day(row)).table()


def fitted(recipe: Recipe, prices: Prices) -> Recipe:
    return calibrate(Echo(recipe.outputs), recipe, prices)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_stored_knows_its_own_folder_one_library_and_the_standard_library(part: str) -> None:
    tree = ast.parse(Path(inference.__file__).with_name(f"{part}.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    absolute = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    named |= {str(node.module) for node in absolute}
    library = "keras" if part == "cells" else "numpy"
    assert {name.split(".")[0] for name in named} <= sys.stdlib_module_names | {library}
    relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert {node.level for node in relative} <= {1}
    assert {str(node.module) for node in relative} <= {*PARTS}


@pytest.mark.parametrize("recipe", [*RECIPES, fitted(BRANCHED, make_prices(120))])
def test_a_recipe_survives_being_written_down(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("recipe", [LEVEL, CHANGE])
def test_no_session_more_than_is_needed_changes_a_digit(recipe: Recipe) -> None:
    prices = make_prices(200)
    recipe, table = fitted(recipe, prices), prices.table()
    needed = max(recipe.rows, recipe.scale.rows)
    for origins in (1, 2, 7):
        whole = made(recipe, table, origins)
        short = {name: values[-needed - origins + 1 :] for name, values in table.items()}
        for name, values in made(recipe, short, origins).items():
            np.testing.assert_array_equal(values, whole[name], err_msg=name)
            assert np.isfinite(values).all()


def test_a_networks_outputs_are_the_means_over_its_members() -> None:
    windows = np.zeros((3, 4, 5), np.float32)
    np.testing.assert_array_equal(network_output(Says(1, 10, 2, 20, 6, 60), windows, 2), [[3, 30]] * 3)
    np.testing.assert_array_equal(network_output(Says(1, 2, 6), windows, 1), [[3]] * 3)


def test_an_echo_of_prices_is_the_newest_price() -> None:
    table = make_prices(60).table()
    np.testing.assert_allclose(made(LEVEL, table, 3)["forecast"], table["Open"][-3:], rtol=1e-6)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_point_forecast_is_the_median_and_the_intervals_are_read_from_the_distribution(recipe: Recipe) -> None:
    prices = make_prices(150)
    found = made(fitted(recipe, prices), prices.table(), 5)
    assert list(found) == ["forecast", "lower_80", "upper_80", "lower_95", "upper_95", *QUANTILES]
    for name, probability in {
        "forecast": 0.5,
        "lower_80": 0.1,
        "upper_80": 0.9,
        "lower_95": 0.025,
        "upper_95": 0.975,
    }.items():
        np.testing.assert_array_equal(found[name], found[quantile_column(probability)])
    quantiles = np.column_stack([found[name] for name in QUANTILES])
    assert quantiles.shape == (5, 25)
    assert (np.diff(quantiles) >= 0).all()


def test_with_prices_for_targets_the_median_is_the_networks_answer_itself() -> None:
    prices = make_prices(150)
    recipe, table = fitted(LEVEL, prices), prices.table()
    answers = network_output(Echo(1), recipe.inputs(table, 5), 1)[:, 0]
    np.testing.assert_array_equal(made(recipe, table, 5)["forecast"], answers * 100 + 50)


def test_quantiles_are_the_centre_and_so_many_widths_in_dollars() -> None:
    table = make_prices(100).table()
    stored = tuple(np.linspace(-3, 3, 99).tolist())  # the error of rank k is -3 + 6 (k - 1) / 98
    known = Calibration(windows=(99,), symmetric=False, days=tuple(range(10, 109)), errors=stored)
    del table["Date"]
    units = np.interp(100 * np.array(PROBABILITIES), np.arange(1, 100), stored)
    level, change = replace(LEVEL, calibration=known), replace(CHANGE, calibration=known)

    found = forecast(Says(0.25), level, table)
    scale = level.scale.at(table, 1)[0]
    expected = 75 + scale * table["Close"][-1] * units
    np.testing.assert_allclose([found[name][0] for name in QUANTILES], expected)

    # The first output widens by a factor of exp(0.2), the second shifts by half of 0.6 scales.
    found = forecast(Says(0.2, 0.6), change, table)
    expected = table["Close"][-1] * np.exp(scale * (0.3 + np.exp(0.2) * units))
    np.testing.assert_allclose([found[name][0] for name in QUANTILES], expected)


@pytest.mark.parametrize(("said", "used"), [(50.0, LARGEST_CORRECTION), (-50.0, -LARGEST_CORRECTION), (2.0, 2.0)])
def test_the_scale_is_corrected_by_a_factor_of_twenty_at_most(said: float, used: float) -> None:
    table = make_prices(80).table()
    placed = CHANGE.placed(np.array([[said, 0.0]]), table, None)
    np.testing.assert_allclose(placed.width, CHANGE.scale.at(table, 1) * np.exp(used))


def test_the_linear_branch_is_added_to_the_networks_correction() -> None:
    table = make_prices(500).table()
    plain, branched = (recipe.placed(np.array([[0.3, 0.0]] * 4), table, None) for recipe in (CHANGE, BRANCHED))
    offsets = BRANCHED.offsets(table, 4, None)
    assert len(BRANCH.weights) == len(STATE)
    assert (offsets != 0).all()
    np.testing.assert_allclose(branched.width, plain.width * np.exp(offsets))
    np.testing.assert_array_equal(branched.centre, plain.centre)
    assert (CHANGE.offsets(table, 4, None) == 0).all()


def test_the_following_session_decides_the_newest_distribution_alone() -> None:
    prices = make_prices(500)
    recipe, table = fitted(BRANCHED, prices), prices.table()
    monday = float(table["Date"][-1]) + 3 if int(table["Date"][-1] + 3) % 7 == 4 else float(table["Date"][-1]) + 1
    weekday, given, holiday = (made(recipe, table, 5, day)["lower_95"] for day in (None, monday, monday + 1))
    np.testing.assert_array_equal(weekday, given)
    np.testing.assert_array_equal(weekday[:-1], holiday[:-1])
    assert weekday[-1] != holiday[-1]


def test_an_error_is_what_the_price_was_less_the_centre_in_widths() -> None:
    table = make_prices(60).table()
    placed = CHANGE.placed(np.zeros((4, 2)), table, None)
    errors = errors_of(CHANGE, table, placed)
    np.testing.assert_array_equal(errors.days, table["Date"][-3:])
    expected = np.log(table["Open"][-3:] / table["Close"][-4:-1]) / CHANGE.scale.at(table, 4)[:-1]
    np.testing.assert_allclose(errors.values, expected)
    one = CHANGE.placed(np.zeros((1, 2)), table, None)
    assert errors_of(CHANGE, table, one) is NO_ERRORS


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("age", [0, 10, 100, 250])
def test_forecasts_of_many_origins_are_those_of_each_by_itself(recipe: Recipe, age: int) -> None:
    """Also where more sessions are newer than the stored errors than count (40 and 60 here)."""
    prices = make_prices(350)
    recipe = fitted(recipe, prices.rows(0, 350 - age))
    together = made(recipe, prices.table(), 30)
    for row in range(30):
        alone = made(recipe, at(prices, 320 + row))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][row], err_msg=name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_errors_of_sessions_after_the_training_are_added(recipe: Recipe) -> None:
    prices = make_prices(350)
    old, new = (fitted(recipe, prices.rows(0, rows)) for rows in (250, 350))
    used_later, fresh = (made(each, prices.table()) for each in (old, new))
    for name, values in fresh.items():  # stored errors are rounded to six digits
        np.testing.assert_allclose(used_later[name], values, rtol=1e-6, err_msg=name)
    undated = {name: values for name, values in prices.table().items() if name != "Date"}
    not_added = made(replace(old, branch=None) if isinstance(old, ChangeRecipe) else old, undated)
    assert (not_added["upper_95"] != used_later["upper_95"]).all()


@pytest.mark.parametrize("recipe", [LEVEL, CHANGE])
def test_stored_errors_that_are_newer_than_an_origin_are_not_used_there(recipe: Recipe) -> None:
    prices = make_prices(200)
    found = made(fitted(recipe, prices), at(prices, 149))
    as_it_was = made(fitted(recipe, prices.rows(0, 150)), at(prices, 149))
    # At that origin fewer errors are stored than it knew of then, unless all those that count are stored.
    every = replace(recipe, calibration=replace(recipe.calibration, windows=(500,)))
    np.testing.assert_array_equal(
        made(fitted(every, prices), at(prices, 149))["upper_95"],
        made(fitted(every, prices.rows(0, 150)), at(prices, 149))["upper_95"],
    )
    assert found["upper_95"] != as_it_was["upper_95"]


@pytest.mark.parametrize("recipe", [LEVEL, CHANGE])
def test_a_table_without_dates_gives_the_stored_calibration(recipe: Recipe) -> None:
    prices = make_prices(200)
    recipe = fitted(recipe, prices)
    undated = {name: values for name, values in prices.table().items() if name != "Date"}
    for origins in (1, 9):
        without, dated = made(recipe, undated, origins), made(recipe, prices.table(), origins)
        assert {name: values[-1] for name, values in without.items()} == {n: v[-1] for n, v in dated.items()}
    units = recipe.calibration.quantiles(recipe.calibration.stored().values)
    placed = recipe.placed(
        network_output(Echo(recipe.outputs), recipe.inputs(undated, 9), recipe.outputs), undated, None
    )
    middle = units[12]
    centre = placed.centre + placed.usual * middle
    expected = recipe.dollars(centre[:, np.newaxis] + placed.width[:, np.newaxis] * (units - middle))
    np.testing.assert_allclose(np.column_stack([without[name] for name in QUANTILES]), expected)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_that_stored_no_errors_knows_those_of_the_table_alike_at_each_origin(recipe: Recipe) -> None:
    prices = make_prices(70)
    together = made(recipe, prices.table(), 10)
    for row in range(10):
        alone = made(recipe, at(prices, 60 + row))
        np.testing.assert_array_equal([values[0] for values in alone.values()], [v[row] for v in together.values()])
    assert np.isfinite(together["forecast"]).all()
    assert np.isnan(together["lower_80"][0]) or not isinstance(recipe, ChangeRecipe)
    assert np.isfinite(together["lower_80"][-1])


def test_with_too_few_errors_there_is_a_price_and_no_distribution() -> None:
    prices = make_prices(50)
    found = made(fitted(CHANGE, prices), prices.table())
    center = CHANGE.placed(network_output(Echo(2), CHANGE.inputs(prices.table()), 2), prices.table(), None).centre
    np.testing.assert_array_equal(found.pop("forecast"), np.exp(center))
    assert all(np.isnan(values).all() for values in found.values())


def test_a_column_alone_is_enough_for_a_level_but_not_for_its_distribution() -> None:
    prices = make_prices(100)
    recipe, table = fitted(LEVEL, prices), prices.table()
    for given in ({"Open": table["Open"]}, {"Open": table["Open"], "Date": table["Date"]}):
        found = made(recipe, given)
        assert found["forecast"] == made(recipe, table)["forecast"]
        assert np.isnan(found["lower_80"]).all()


@pytest.mark.parametrize("fault", [np.nan, 0.0, -1.0, np.inf])
def test_what_is_no_price_is_refused_where_a_forecast_needs_it(fault: float) -> None:
    prices = make_prices(100)
    table = {name: values.copy() for name, values in prices.table().items()}
    table["High"][-5] = fault
    with pytest.raises(ValueError, match="High holds a missing"):
        CHANGE.inputs(table)
    found = made(fitted(LEVEL, prices), table)
    assert np.isfinite(found["forecast"]).all()
    assert np.isnan(found["lower_80"]).all()


def test_a_session_without_trade_is_no_fault() -> None:
    table = {name: values.copy() for name, values in make_prices(60).table().items()}
    table["Volume"][-5] = 0.0
    assert np.isfinite(CHANGE.inputs(table)).all()


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize(("recipe", "rows"), [(LEVEL, 4), (CHANGE, 44)])
def test_too_few_sessions_are_counted(recipe: Recipe, rows: int, dated: bool) -> None:
    table = {name: values[: rows - 1] for name, values in make_prices(60).table().items() if dated or name != "Date"}
    with pytest.raises(ValueError, match=f"1 forecast.* from {rows - 1} sessions .* at least {rows} sessions"):
        made(recipe, table)
    with pytest.raises(ValueError, match=f"0 forecast.* at least {rows} sessions"):
        made(recipe, table, origins=0)


@pytest.mark.parametrize("missing", ["Open", "Close"])
def test_a_missing_column_is_named(missing: str) -> None:
    table = {name: values for name, values in make_prices(60).table().items() if name != missing}
    with pytest.raises(
        ValueError, match=f"no column {missing}: forecasts are made from Open, High, Low, Close, Volume"
    ):
        made(CHANGE, table)


WEEK, MONTH = (
    FurtherHorizon(sessions=sessions, scale=YEARS_MEAN, ordinary=0.02, calibration=BOTH_WINDOWS) for sessions in (5, 21)
)
FURTHER = replace(BRANCHED, further=(WEEK, MONTH))


def test_further_horizons_change_no_digit_of_the_next_session_and_stand_beside_it() -> None:
    table = make_prices(420).table()
    alone, beside = (made(recipe, table, 3) for recipe in (BRANCHED, FURTHER))
    assert list(beside)[: len(alone)] == list(alone)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, beside[name])
    assert list(beside)[len(alone) :] == [f"in_{sessions}_{name}" for sessions in (5, 21) for name in alone]
    for horizon in (WEEK, MONTH):
        quantiles = horizon.quantiles("Open", table, 3)
        found = {name: beside[f"in_{horizon.sessions}_{name}"] for name in alone}
        np.testing.assert_array_equal(np.column_stack([found[name] for name in QUANTILES]), quantiles)
        np.testing.assert_array_equal(found["forecast"], quantiles[:, PROBABILITIES.index(0.5)])
        np.testing.assert_array_equal(found["lower_95"], found["quantile_0.025"])
        np.testing.assert_array_equal(found["upper_80"], found["quantile_0.9"])


def test_forecasts_hold_the_further_horizons() -> None:
    table = make_prices(420).table()
    found = Forecasts.from_columns(made(FURTHER, table, 3))
    assert list(found.further) == [5, 21]
    np.testing.assert_array_equal(found.further[5], WEEK.quantiles("Open", table, 3))
    assert Forecasts.from_columns(made(BRANCHED, table, 3)).further == {}
    with pytest.raises(ValueError, match="quantiles of shape"):
        replace(found, further={5: found.further[5][:2]})


def test_a_recipe_with_further_horizons_comes_back_and_one_without_is_written_as_before() -> None:
    recipe = fitted(FURTHER, make_prices(420))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert isinstance(recipe, ChangeRecipe)
    assert [len(each.calibration.errors) for each in recipe.further] == [60, 60]
    # Each is the error of the newest session, made as far before.
    assert {each.calibration.days[-1] for each in recipe.further} == {make_prices(420).table()["Date"][-1]}
    assert "further" not in BRANCHED.to_json()
    assert "further" not in LEVEL.to_json()
    assert recipe.calibration == fitted(BRANCHED, make_prices(420)).calibration
