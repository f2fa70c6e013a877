"""What other series say at an origin: numbers whose answers are known, and nothing where anything is missing."""

from dataclasses import replace

import numpy as np
import pytest

from model.artifact.distribution import Calibration
from model.artifact.market_state import STATE, StateBranch
from model.artifact.other_series import series_names, series_state
from model.artifact.recipes import ChangeRecipe, Recipe
from model.artifact.scale import RANGE, MovementScale, Values
from model.artifact.series_input import SeriesInput
from tests.model.artifact.test_market_state import every_day

SCALE = MovementScale()
VIX = SeriesInput(name="^VIX", transformations=("level", "change", "range"))
NAMES = series_names([VIX])
Table = dict[str, Values]


def with_vix(close: float = 20.0) -> Table:
    """A market whose scale is one per cent, and an index that stays where it is and ranges over two per cent."""
    table = every_day()
    n = len(table["Close"])
    high, low = close * np.exp(0.02 * RANGE / 2), close * np.exp(-0.02 * RANGE / 2)
    return table | {"^VIX": np.full(n, close), "^VIX High": np.full(n, high), "^VIX Low": np.full(n, low)}


def said(table: Table, origins: int = 1) -> dict[str, float]:
    return dict(zip(NAMES, series_state(table, origins, [VIX], SCALE)[-1].tolist(), strict=True))


def test_a_calm_index_says_how_far_it_lies_above_the_own_scale_and_how_far_it_moves_beside_it() -> None:
    assert said(with_vix()) == pytest.approx(
        {
            "series ^VIX level": np.log(20 / 0.01),
            "series ^VIX level_250": np.log(20 / 0.01),
            **{f"series ^VIX change_{n}": 0.0 for n in (1, 5, 22)},
            **{f"series ^VIX range_{n}": np.log(2) for n in (1, 5, 22, 250)},
        },
        abs=1e-9,
    )


def test_a_jump_of_the_index_shows_at_once_in_level_and_changes_and_slowly_in_the_long_mean() -> None:
    table = with_vix()
    table["^VIX"][-1] *= 1.5
    before, after = said(with_vix()), said(table)
    moved = {name: after[name] - before[name] for name in NAMES if after[name] != pytest.approx(before[name])}
    jump = np.log(1.5)
    assert moved == pytest.approx(
        {
            "series ^VIX level": jump,
            "series ^VIX level_250": jump / 250,
            **{f"series ^VIX change_{n}": jump for n in (1, 5, 22)},
        }
    )


@pytest.mark.parametrize("column", ["^VIX", "^VIX High", "^VIX Low"])
@pytest.mark.parametrize("wrong", [np.nan, 0.0, -3.0])
def test_where_one_number_cannot_be_made_the_whole_series_counts_as_not_there(column: str, wrong: float) -> None:
    table = with_vix()
    table[column][-1] = wrong
    state = series_state(table, 2, [VIX], SCALE)
    assert np.isfinite(state[0]).all()
    assert np.isnan(state[1]).all()


def test_a_table_without_the_series_says_nothing_of_it() -> None:
    assert np.isnan(series_state(every_day(), 3, [VIX], SCALE)).all()
    assert series_state(every_day(), 3, [], SCALE).shape == (3, 0)


def test_no_digit_depends_on_older_sessions_or_on_how_many_origins_are_asked_for() -> None:
    rng = np.random.default_rng(1)
    table = {name: values * np.exp(rng.normal(0, 0.02, len(values))) for name, values in with_vix().items()}
    one = series_state(table, 1, [VIX], SCALE)
    many = series_state(table, 200, [VIX], SCALE)
    short = series_state({name: values[-300:] for name, values in table.items()}, 1, [VIX], SCALE)
    np.testing.assert_array_equal(one[-1], many[-1])
    np.testing.assert_array_equal(one[-1], short[-1])


def branched(series: tuple[SeriesInput, ...] = (VIX,)) -> ChangeRecipe:
    inputs = len(STATE) + len(series_names(series))
    branch = StateBranch(
        constant=0.1,
        weights=tuple(0.01 * (1 + i) for i in range(inputs)),
        means=(0.5,) * inputs,
        deviations=(2.0,) * inputs,
    )
    calibration = Calibration(windows=(250,), symmetric=False)
    return ChangeRecipe(
        column="Close", lookback=20, calibration=calibration, shrinkage=0.5, branch=branch, series=series
    )


def test_without_the_series_a_version_forecasts_as_with_its_weights_at_0() -> None:
    recipe = branched()
    assert recipe.branch is not None
    own = replace(recipe.branch, weights=(*recipe.branch.weights[: len(STATE)], *(0.0 for _ in NAMES)))
    without = recipe.offsets(every_day(), 5, None)
    np.testing.assert_array_equal(without, replace(recipe, branch=own).offsets(with_vix(), 5, None))
    assert (without != recipe.offsets(with_vix(), 5, None)).all()


def test_a_recipe_keeps_its_series_and_one_of_an_earlier_release_has_none() -> None:
    recipe = branched()
    assert Recipe.from_json(recipe.to_json()) == recipe
    old = branched(()).to_json().replace(', "series": []', "")
    assert "series" not in old
    assert Recipe.from_json(old) == branched(())


@pytest.mark.parametrize("name", ["Close", "volume", " ^VIX", "", "x" * 65, "QQQ High", "a\nb", "known_at"])
def test_a_series_is_not_called_as_a_column_of_the_prices(name: str) -> None:
    with pytest.raises(ValueError, match=r"a ticker or the title|no column of prices"):
        SeriesInput(name=name)


@pytest.mark.parametrize("made", [(), ("level", "level")])
def test_each_transformation_is_made_once(made: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="each once"):
        SeriesInput(name="^VIX", transformations=made)  # type: ignore[arg-type] # what a person may write
