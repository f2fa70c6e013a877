"""What made a distribution wide or narrow, told as factors: their product is its width, and each has its own causes."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from model.artifact.distribution import PROBABILITIES, Calibration, quantile_column
from model.artifact.explained import width_factors
from model.artifact.inference import forecast
from model.artifact.market_state import FACTORS, STATE, StateBranch
from model.artifact.recipes import LARGEST_CORRECTION, ChangeRecipe, LevelRecipe
from model.artifact.scale import RANGE, Values, newest_movements
from tests.market import make_prices
from tests.model.artifact.test_inference import Echo, Says, at

STORED = tuple(np.linspace(-3, 3, 99).tolist())  # the error of rank k is -3 + 6 (k - 1) / 98
KNOWN = Calibration(windows=(99,), symmetric=False, days=tuple(range(20_000, 20_099)), errors=STORED)
PLAIN = ChangeRecipe(column="Open", lookback=4, shrinkage=0.5, ordinary=0.02, calibration=KNOWN)
TABLE = make_prices(500).table()


def branched(constant: float = 0.0, deviation: float = 1.0, **weights: float) -> ChangeRecipe:
    """With a branch that has these weights; those of a whole factor by its name."""
    of_factors = {name: weights[factor] for factor, names in FACTORS.items() if factor in weights for name in names}
    given = {**of_factors, **weights}
    n = len(STATE)
    branch = StateBranch(
        constant=constant,
        weights=tuple(given.get(name, 0.0) for name in STATE),
        means=(0.0,) * n,
        deviations=(deviation,) * n,
    )
    return replace(PLAIN, branch=branch)


def explained(recipe: ChangeRecipe, table: Mapping[str, Values] = TABLE, *said: float) -> dict[str, float]:
    """The scale, the usual one and the factors of the newest forecast by a network that says this."""
    found = forecast(Says(*(said or (0.0, 0.0))), recipe, table, explain=True)
    return {name.removeprefix("factor_"): float(found[name][0]) for name in found if name.partition("_")[0] in KEPT}


KEPT = ("scale", "usual", "factor")
EVERYTHING = branched(0.1, moves=0.05, direction=-0.04, echo=0.06, volume=0.03)


def test_every_input_of_the_branch_belongs_to_one_factor() -> None:
    assert sorted(name for names in FACTORS.values() for name in names) == sorted(STATE)


def test_inputs_after_those_of_the_security_itself_are_the_factor_of_the_market() -> None:
    n = len(STATE) + 2
    branch = StateBranch(constant=0.1, weights=(0.0,) * (n - 2) + (0.3, -0.2), means=(1.0,) * n, deviations=(2.0,) * n)
    state = np.full((3, n), 1.0)
    state[0, -2:] = [2.0, 4.0]  # half a deviation above the mean, and one and a half
    state[1, -1] = np.nan  # what is missing counts as the mean
    network = np.array([0.0, 0.0, 5.0])
    found = width_factors(np.full(3, 0.03), 0.02, branch, state, network, LARGEST_CORRECTION)
    np.testing.assert_allclose(found["factor_market"], np.exp([0.3 * 0.5 - 0.2 * 1.5, 0.0, 0.0]), rtol=1e-15)
    np.testing.assert_allclose(found["factor_limit"], np.exp([0.0, 0.0, 3.0 - 5.1]), rtol=1e-12)
    np.testing.assert_allclose(found["factor_moves"], 1.5, rtol=1e-15)
    assert "factor_market" not in explained(EVERYTHING)


@pytest.mark.parametrize("recipe", [PLAIN, EVERYTHING])
@pytest.mark.parametrize("said", [(0.0, 0.0), (0.3, -0.2), (0.1, 0.0, 0.5, 1.0), (50.0, 0.0), (-50.0, 0.0)])
def test_the_usual_scale_times_the_factors_is_the_scale_of_the_very_distribution(
    recipe: ChangeRecipe, said: tuple[float, ...]
) -> None:
    undated = {name: values for name, values in TABLE.items() if name != "Date"}
    made = forecast(Says(*said), recipe, undated, 7, explain=True)
    factors = [values for name, values in made.items() if name.startswith("factor_")]
    np.testing.assert_allclose(made["usual_scale"] * np.prod(factors, axis=0), made["scale"], rtol=1e-12)
    # Without dates the stored errors are those that count: at 0.1 and 0.9 stand the ranks 10 and 90.
    low, high = STORED[9], STORED[89]
    spread = np.log(made["upper_80"] / made["lower_80"])
    np.testing.assert_allclose(spread, made["scale"] * (high - low), rtol=1e-9)
    dated = forecast(Says(*said), recipe, TABLE, 7, explain=True)
    factors = [values for name, values in dated.items() if name.startswith("factor_")]
    np.testing.assert_allclose(dated["usual_scale"] * np.prod(factors, axis=0), dated["scale"], rtol=1e-12)


def test_explaining_changes_no_digit_of_the_forecast() -> None:
    plain, told = (forecast(Echo(2), EVERYTHING, TABLE, 5, explain=explain) for explain in (False, True))
    assert set(plain) == {"forecast", *(f"{s}_{level}" for s in ("lower", "upper") for level in (80, 95))} | {
        quantile_column(p) for p in PROBABILITIES
    }
    for name, values in plain.items():
        np.testing.assert_array_equal(values, told[name], err_msg=name)


def test_each_origin_is_explained_by_what_was_known_then() -> None:
    prices = make_prices(500)
    together = forecast(Echo(2), EVERYTHING, TABLE, 10, explain=True)
    for row in range(10):
        alone = forecast(Echo(2), EVERYTHING, at(prices, 490 + row), explain=True)
        for name in alone:
            np.testing.assert_array_equal(alone[name][0], together[name][row], err_msg=name)


def test_the_usual_scale_is_an_ordinary_markets_with_every_input_at_its_mean() -> None:
    assert explained(PLAIN)["usual_scale"] == 0.02
    assert explained(branched(0.25, moves=0.05))["usual_scale"] == pytest.approx(0.02 * math.exp(0.25), rel=1e-15)


@pytest.mark.parametrize("recipe", [PLAIN, branched(0.1, moves=0.05, echo=0.06, volume=0.03)])
def test_twice_the_ranges_of_the_last_two_sessions_move_the_factor_of_the_moves_alone(recipe: ChangeRecipe) -> None:
    wider = {name: values.copy() for name, values in TABLE.items()}
    root = np.sqrt(TABLE["High"][-2:] / TABLE["Low"][-2:])
    wider["High"][-2:] *= root
    wider["Low"][-2:] /= root
    before, after = explained(recipe), explained(recipe, wider)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"scale", "moves"}

    # By hand: the last session weighs 0.8 (1 - r) / (1 - r^39) + 0.2 / 39 with r the root of a half, the one before r
    # times the first part of it; a session moves by its range over RANGE, so by that much more.
    r = math.sqrt(0.5)
    recent = 0.8 * (1 - r) / (1 - r**39)
    more = 2 * np.log(root) / RANGE
    moves = newest_movements(TABLE, 39)
    weights = recent * r ** np.arange(39)[::-1] + 0.2 / 39
    scales = [float(weights @ moves), float(weights @ moves + weights[-1] * more[1] + weights[-2] * more[0])]
    expected = scales[1] / scales[0]
    if recipe.branch is not None:
        for n, (one, two) in {1: (0, 1), 5: (1, 1), 22: (1, 1), 66: (1, 1), 250: (1, 1)}.items():
            old = newest_movements(TABLE, n).mean()
            new = old + (one * more[0] + two * more[1]) / n
            expected *= math.exp(0.05 * (math.log(new / scales[1]) - math.log(old / scales[0])))
    assert expected > 1.1
    assert after["moves"] / before["moves"] == pytest.approx(expected, rel=1e-12)
    assert after["scale"] / before["scale"] == pytest.approx(expected, rel=1e-12)


def test_a_fall_moves_the_factor_of_the_direction() -> None:
    scale = float(PLAIN.scale.at(TABLE, 1)[0])
    change = math.log(TABLE["Close"][-1] / TABLE["Close"][-6]) / scale / math.sqrt(5)
    falls = min(change, 0.0)
    found = explained(branched(return_5=-0.1, fall_5=-0.2))
    assert found["direction"] == pytest.approx(math.exp(-0.1 * change - 0.2 * falls), rel=1e-12)
    assert {found[name] for name in ("echo", "volume", "network", "limit")} == {1.0}


def test_a_jump_a_quarter_ago_is_the_factor_of_the_echo() -> None:
    jumped = {name: values.copy() for name, values in TABLE.items()}
    coming = float(TABLE["Date"][-1]) + 1
    if int(coming + 3) % 7 in (5, 6):
        coming += 2
    (row,) = np.flatnonzero(TABLE["Date"] == coming - 91)
    for name in ("Open", "High", "Low", "Close"):
        jumped[name][row:] *= 3.0
    # The jump counts as 8 scales, which are 2 deviations of 4: the factor is exp(0.1 * 2).
    found = explained(branched(deviation=4.0, night_quarter_ago=0.1), jumped)
    assert found["echo"] == pytest.approx(math.exp(0.2), rel=1e-15)
    assert explained(branched(deviation=4.0, night_quarter_ago=0.1))["echo"] < math.exp(0.2)
    assert {found[name] for name in ("direction", "volume", "network", "limit")} == {1.0}


def test_ten_times_the_volume_moves_the_factor_of_the_volume_alone() -> None:
    busy = {name: values.copy() for name, values in TABLE.items()}
    busy["Volume"][-1] *= 10
    recipe = branched(moves=0.05, direction=-0.04, echo=0.06, volume_5=0.3)
    before, after = explained(recipe), explained(recipe, busy)
    assert {name for name in before if before[name] != after[name]} == {"scale", "volume"}
    # A fifth of its own logarithm goes into the mean that it is compared with.
    assert after["volume"] / before["volume"] == pytest.approx(math.exp(0.3 * 0.8 * math.log(10)), rel=1e-12)


def test_a_network_of_zeros_has_the_factor_1_and_one_of_members_that_of_their_mean() -> None:
    assert explained(EVERYTHING)["network"] == 1.0
    assert explained(EVERYTHING, TABLE, 0.1, 0.0, 0.5, 1.0)["network"] == pytest.approx(math.exp(0.3), rel=1e-15)


@pytest.mark.parametrize(("said", "used"), [(50.0, LARGEST_CORRECTION), (-50.0, -LARGEST_CORRECTION)])
def test_what_the_limit_takes_away_is_a_factor_of_its_own(said: float, used: float) -> None:
    found = explained(PLAIN, TABLE, said, 0.0)
    assert found["network"] == pytest.approx(math.exp(said), rel=1e-15)
    assert found["limit"] == pytest.approx(math.exp(used - said), rel=1e-12)
    assert explained(PLAIN, TABLE, used, 0.0)["limit"] == 1.0


def test_the_tutorials_recipe_explains_nothing() -> None:
    level = LevelRecipe(column="Open", lookback=4, minimum=50.0, maximum=150.0, calibration=KNOWN)
    assert list(forecast(Echo(1), level, TABLE, explain=True)) == list(forecast(Echo(1), level, TABLE))


def test_without_a_scale_in_the_training_part_nothing_is_usual_and_nothing_explained() -> None:
    recipe = replace(PLAIN, ordinary=math.inf)
    assert list(forecast(Echo(2), recipe, TABLE, explain=True)) == list(forecast(Echo(2), recipe, TABLE))
