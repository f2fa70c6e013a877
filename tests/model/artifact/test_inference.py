"""What is stored with every network: alone in the world, and the same however much it is told."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from model.artifact import inference
from model.artifact.inference import forecast
from model.artifact.recipes import ChangeRecipe, LevelRecipe, Recipe
from model.artifact.scale import MovementScale
from tests.market import make_prices

LEVEL = LevelRecipe(column="Open", lookback=4, minimum=50.0, maximum=150.0, spread=Spread(widths={"80": 1.5}))
CHANGE = ChangeRecipe(
    column="Open", lookback=4, shrinkage=0.5, ordinary=0.01, spread=Spread(widths={"80": 1.5, "95": 3.0})
)


class Echo:
    """A network that answers with the first feature of a window's last session."""

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        return windows[:, -1, :1]


@pytest.mark.parametrize(("part", "library"), [("inference", "numpy"), ("numpy_network", "numpy"), ("cells", "keras")])
def test_what_is_stored_knows_one_library_and_the_standard_library(part: str, library: str) -> None:
    tree = ast.parse(Path(inference.__file__).with_name(f"{part}.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= sys.stdlib_module_names | {library}


@pytest.mark.parametrize("recipe", [LEVEL, CHANGE])
def test_a_recipe_survives_being_written_down(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("recipe", [LEVEL, CHANGE])
def test_no_session_more_than_is_needed_changes_a_digit(recipe: Recipe) -> None:
    table = make_prices(200).table()
    needed = max(recipe.rows, recipe.spread.rows)
    for origins in (1, 2, 7):
        whole = forecast(Echo(), recipe, table, origins)
        short = {name: values[-needed - origins + 1 :] for name, values in table.items()}
        for name, values in forecast(Echo(), recipe, short, origins).items():
            np.testing.assert_array_equal(values, whole[name], err_msg=name)


def test_an_echo_of_prices_is_the_newest_price() -> None:
    table = make_prices(60).table()
    np.testing.assert_allclose(forecast(Echo(), LEVEL, table, 3)["forecast"], table["Open"][-3:], rtol=1e-6)


def test_an_interval_is_so_many_scales_on_either_side() -> None:
    table = make_prices(60).table()
    made = forecast(Echo(), CHANGE, table, 2)
    scale = CHANGE.spread.scale(table, 2) * table["Close"][-2:]
    np.testing.assert_allclose(made["upper_80"] - made["forecast"], 1.5 * scale)
    np.testing.assert_allclose(made["forecast"] - made["lower_95"], 3.0 * scale)


def test_a_level_that_was_not_calibrated_has_no_bounds() -> None:
    made = forecast(Echo(), LEVEL, make_prices(60).table())
    assert np.isfinite(made["lower_80"]).all()
    assert np.isnan(made["lower_95"]).all()


def test_a_column_alone_is_enough_for_a_level_but_not_for_its_interval() -> None:
    table = make_prices(60).table()
    made = forecast(Echo(), LEVEL, {"Open": table["Open"]})
    assert made["forecast"] == forecast(Echo(), LEVEL, table)["forecast"]
    assert np.isnan(made["lower_80"]).all()


def test_the_scale_of_a_market_of_steady_movements_is_their_size() -> None:
    # Each session opens 1 % above the Close before and ranges over a ratio whose scale is 2 %.
    close = np.asarray(100 * 1.01 ** np.arange(50), dtype=np.float64)
    low, high = close * 0.99, close * 0.99 * np.exp(0.02 * np.sqrt(4 * np.log(2)))
    scale = Spread().scale({"Open": close, "High": high, "Low": low, "Close": close}, 3)
    np.testing.assert_allclose(scale, np.log(1.01) + 0.02)


def test_a_wild_session_widens_the_scale_at_once_and_is_half_forgotten_after_the_half_life() -> None:
    close = np.full(100, 100.0)
    open_ = close.copy()
    open_[60] = 110.0
    scale = Spread(recent=1.0).scale({"Open": open_, "High": close, "Low": close, "Close": close}, 41)
    jump = np.log(1.1)
    assert scale[0] == 1e-4  # the least there is: row 60 is the first that moves
    assert scale[1] / jump == pytest.approx(1 - 0.5**0.5, rel=1e-4)
    assert scale[3] == pytest.approx(scale[1] / 2)


@pytest.mark.parametrize("fault", [np.nan, 0.0, -1.0, np.inf])
def test_what_is_no_price_is_refused_where_a_forecast_needs_it(fault: float) -> None:
    table = {name: values.copy() for name, values in make_prices(60).table().items()}
    table["High"][-5] = fault
    with pytest.raises(ValueError, match="High holds a missing"):
        CHANGE.inputs(table)
    made = forecast(Echo(), LEVEL, table)
    assert np.isfinite(made["forecast"]).all()
    assert np.isnan(made["lower_80"]).all()


def test_a_session_without_trade_is_no_fault() -> None:
    table = {name: values.copy() for name, values in make_prices(60).table().items()}
    table["Volume"][-5] = 0.0
    assert np.isfinite(CHANGE.inputs(table)).all()


@pytest.mark.parametrize(("recipe", "rows"), [(LEVEL, 4), (CHANGE, 44)])
def test_too_few_sessions_are_counted(recipe: Recipe, rows: int) -> None:
    table = {name: values[: rows - 1] for name, values in make_prices(60).table().items()}
    with pytest.raises(ValueError, match=f"1 forecast.* from {rows - 1} sessions .* at least {rows} sessions"):
        recipe.inputs(table)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="no column Close: forecasts are made from Open, High, Low, Close, Volume"):
        CHANGE.inputs({name: values for name, values in make_prices(60).table().items() if name != "Close"})
