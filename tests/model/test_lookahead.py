"""Look-ahead, proven absent: what comes after an origin changes no digit of anything that is said at it.

For every preset and a cell that is not Keras's, and every column: prices after an origin are changed, removed or
appended, and every weight, every part of the recipe, its linear branch and its past errors among them, every forecast,
every quantile, every naive forecast and naive distribution stays bit for bit. So does every bet of a proof, its bound
and its wealth. There is history enough that the quarters before and the year before say something.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.distribution import PROBABILITIES
from model.artifact.market_state import STATE, market_state
from model.artifact.other_series import series_names, series_state
from model.artifact.recipes import ChangeRecipe
from model.artifact.scale import PRICES, MovementScale
from model.artifact.series_input import SeriesInput
from model.backtest.proof import assemble_proof, first_row, fit_period, forecast_period, periods
from model.config import PRESETS, Column, EvaluationConfig, ForecasterConfig, NetworkConfig
from model.evaluation.baselines import naive_distributions, naive_forecasts
from model.evaluation.evaluation import evaluate
from model.evaluation.evidence.e_process import largest_differences
from model.evaluation.evidence.proof import Proof, ProofConfig
from model.evaluation.split import Split, split_prices
from model.forecaster.forecaster import Forecaster
from model.forecaster.scaling import fit_recipe, sessions_needed
from model.forecaster.windows import make_windows
from model.market.prices import COLUMNS, OtherSeries, Prices, Values
from model.training.fit import train_forecaster
from tests.lineage import as_parent
from tests.market import make_prices, weekdays

pytestmark = pytest.mark.slow

SERIES = SeriesInput(name="^VIX", transformations=("level", "change", "range"))
CONFIGS = {
    **PRESETS,
    "peephole": PRESETS["tutorial"].model_copy(update={"network": NetworkConfig(cell="peephole")}),
    "other series": PRESETS["anchored"].model_copy(update={"series": (SERIES,)}),
    "further ahead": PRESETS["anchored"].model_copy(update={"horizon": (1, 2, 5, 21)}),
}
ROWS, TRAIN = 480, 460  # the training part ends with row 459, and every origin from there on is tried
SCALE = MovementScale()


def history(n: int = ROWS) -> Prices:
    """More than a year and a half, with a jump every 21 sessions: the quarters before have theirs."""
    prices = make_prices(n)
    values = prices.values.copy()
    for row in range(5, n, 21):
        values[row:, : COLUMNS.index("Volume")] *= 1.06 if row % 2 else 0.94
    return replace(prices, values=values, others=index(n))


def index(n: int) -> OtherSeries:
    """Another series beside, which moves by itself."""
    rng = np.random.default_rng(5)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.05, n)))
    values = np.column_stack([close, close * np.exp(rng.uniform(0, 0.1, n)), close * np.exp(-rng.uniform(0, 0.1, n))])
    return OtherSeries(columns=SERIES.columns, values=values, sources={})


def changed(prices: Prices, origin: int) -> Prices:
    """Everything after the origin is another world: other prices, other volumes."""
    values = prices.values.copy()
    values[origin + 1 :] *= np.array([7.0, 9.0, 3.0, 5.0, 5.0, 11.0])
    others = prices.others
    if others is not None:
        factors = np.where(np.arange(len(prices)) > origin, 2.0, 1.0)[:, np.newaxis] ** [1, 2, -1]
        others = replace(others, values=others.values * factors)
    return replace(prices, values=values, others=others)


def removed(prices: Prices, origin: int) -> Prices:
    """Of what comes after the origin, one session is left."""
    return prices.rows(0, origin + 2)


def appended(prices: Prices, origin: int) -> Prices:
    """What comes after the origin goes on for longer, and wildly."""
    more = np.abs(np.random.default_rng(origin).normal(100, 40, (9, len(COLUMNS)))) + 1
    values = np.concatenate([prices.values, more])
    others = prices.others
    if others is not None:
        others = replace(others, values=np.concatenate([others.values, more[:, : len(others.columns)]]))
    return replace(prices, sessions=weekdays(len(values)), values=values, others=others)


TAMPERINGS = (changed, removed, appended)
Tampering = Callable[[Prices, int], Prices]


def small(preset: str, column: Column) -> ForecasterConfig:
    """A configuration as it is, but for its size: what reads prices and how stays the same."""
    config = CONFIGS[preset]
    network = config.network.model_copy(update={"units": (3,) * min(2, len(config.network.units))})
    training = config.training.model_copy(update={"epochs": 2, "members": min(2, config.training.members)})
    return config.model_copy(update={"column": column, "lookback": 5, "network": network, "training": training})


def fitted(prices: Prices, config: ForecasterConfig) -> Forecaster:
    return train_forecaster(cut(prices, config).train, config)


def cut(prices: Prices, config: ForecasterConfig) -> Split:
    split = split_prices(prices, EvaluationConfig(test_sessions=len(prices) - TRAIN), sessions_needed(config))
    assert len(split.train) == TRAIN
    return split


def said(forecaster: Forecaster, prices: Prices) -> dict[str, Values]:
    """All that is said at the origins from the training part's last session on, by name."""
    judged = evaluate(forecaster.predict, cut(prices, forecaster.config), forecaster.config.column)
    quantiles = {"ours": judged.quantiles, **judged.naive_quantiles, **further_ahead(forecaster, prices)}
    return {"forecast": judged.forecast, **judged.naive} | {
        f"{name} {probability}": each[:, place]
        for name, each in quantiles.items()
        for place, probability in enumerate(PROBABILITIES)
    }


def further_ahead(forecaster: Forecaster, prices: Prices) -> dict[str, Values]:
    """(origins, len(PROBABILITIES)) what is said of further horizons at the same origins, and naively, by name."""
    known = prices.rows(0, len(prices) - 1)
    origins = len(known) - TRAIN + 1
    naive = {h: naive_distributions(known, forecaster.config.column, origins, h) for h in forecaster.config.horizon[1:]}
    ours = {f"ours in {h}": made for h, made in forecaster.predict(known, origins).further.items()}
    assert len(ours) == len(naive)
    return ours | {f"{name} in {h}": made for h, each in naive.items() for name, made in each.items()}


@cache
def as_it_was(preset: str, column: Column) -> tuple[Forecaster, dict[str, Values]]:
    forecaster = fitted(history(), small(preset, column))
    return forecaster, said(forecaster, history())


def parts(forecaster: Forecaster) -> dict[str, object]:
    """Every part of the recipe, by name."""
    return asdict(forecaster.recipe)


@pytest.mark.parametrize("tampering", TAMPERINGS)
@pytest.mark.parametrize("column", ["Open", "Close"])
@pytest.mark.parametrize("preset", sorted(CONFIGS))
def test_nothing_after_an_origin_is_seen_by_anything_said_at_it(
    preset: str, column: Column, tampering: Tampering
) -> None:
    before, words = as_it_was(preset, column)
    assert {"ours 0.005", "ours 0.5", "constant_250 0.995"} <= words.keys()
    assert all(np.isfinite(values).all() for values in words.values())
    # Whatever comes after the training part, no weight, no scaler, no linear branch and no past error knows of it.
    after = fitted(tampering(history(), TRAIN - 1), before.config)
    assert parts(after) == parts(before)
    assert after.losses == before.losses
    np.testing.assert_equal(before.network.get_weights(), after.network.get_weights())
    for origin in (TRAIN - 1, TRAIN + 7):
        others = said(after, tampering(history(), origin))
        known = origin - TRAIN + 2  # the origins up to this one, the first being the training part's last session
        for name, values in words.items():
            np.testing.assert_array_equal(values[:known], others[name][:known], err_msg=name)
            if tampering is changed:
                assert (values[known:] != others[name][known:]).all(), f"{name} should have moved after the origin"


@pytest.mark.parametrize("column", PRICES)
@pytest.mark.parametrize("preset", ["tutorial", "anchored"])
@given(origin=st.integers(60, 98), tampering=st.sampled_from(TAMPERINGS))
@settings(max_examples=25, deadline=None)
def test_no_feature_target_or_scale_knows_what_comes_after_it(
    preset: str, column: Column, origin: int, tampering: Tampering
) -> None:
    prices = make_prices(100)
    recipe = fit_recipe(prices.until(prices.day(60)), small(preset, column))
    other = tampering(prices, origin)
    one, two = make_windows(prices, recipe), make_windows(other, recipe)
    ready = origin - recipe.rows + 1  # targets up to the origin's own session; windows for one session more
    np.testing.assert_array_equal(one.inputs[: ready + 1], two.inputs[: ready + 1])
    np.testing.assert_array_equal(one.targets[:ready], two.targets[:ready])
    scales = [SCALE.at(some.table(), len(some) - 39)[: origin - 38] for some in (prices, other)]
    np.testing.assert_array_equal(scales[0], scales[1])


@given(origin=st.integers(430, ROWS - 2), tampering=st.sampled_from(TAMPERINGS))
@settings(max_examples=25, deadline=None)
def test_no_input_of_the_linear_branch_knows_what_comes_after_it(origin: int, tampering: Tampering) -> None:
    prices = history()
    one, two = (market_state(some.table(), len(some), None, SCALE) for some in (prices, tampering(prices, origin)))
    np.testing.assert_array_equal(one[: origin + 1], two[: origin + 1])
    if tampering is changed:
        assert (one[origin + 1, 5:] != two[origin + 1, 5:]).sum() > 8, "it should have moved after the origin"
    one, two = (series_state(some.table(), len(some), [SERIES], SCALE) for some in (prices, tampering(prices, origin)))
    assert np.isfinite(one[origin]).all()
    np.testing.assert_array_equal(one[: origin + 1], two[: origin + 1])
    if tampering is changed:
        assert (one[origin + 1] != two[origin + 1]).all(), "it should have moved after the origin"


def test_every_input_of_the_linear_branch_says_something_at_the_origins_that_are_tried() -> None:
    state = market_state(history().table(), ROWS - TRAIN + 1, None, SCALE)
    assert np.isfinite(state).all()
    silent = [name for name, values in zip(STATE, state.T, strict=True) if not np.ptp(values)]
    assert silent == []
    for name, inputs in (("anchored", len(STATE)), ("other series", len(STATE) + len(series_names([SERIES])))):
        recipe = as_it_was(name, "Open")[0].recipe
        assert isinstance(recipe, ChangeRecipe)
        assert recipe.branch is not None
        assert len(recipe.branch.weights) == inputs
        assert all(weight != 0 for weight in recipe.branch.weights)
        assert len(recipe.calibration.errors) > 250


def test_no_past_error_counts_before_its_session() -> None:
    """Errors that the forecaster has stored are not used at an origin before them."""
    for preset in PRESETS:
        forecaster, prices = as_it_was(preset, "Close")[0], history()
        known = prices.until(prices.day(TRAIN - 30))
        one = forecaster.predict(known)
        calibration = forecaster.recipe.calibration
        later = np.array(calibration.days) > known.table()["Date"][-1]
        assert later.sum() == 29
        other = replace(calibration, errors=tuple(np.where(later, 9.0, calibration.errors).tolist()))
        two = replace(forecaster, recipe=replace(forecaster.recipe, calibration=other)).predict(known)
        np.testing.assert_array_equal(one.quantiles, two.quantiles)
        assert np.isfinite(one.quantiles).all()


@given(origin=st.integers(0, 98), tampering=st.sampled_from(TAMPERINGS))
@settings(max_examples=25, deadline=None)
def test_no_naive_forecast_knows_what_comes_after_it(origin: int, tampering: Tampering) -> None:
    prices = make_prices(100)
    other = tampering(prices, origin)
    for column in PRICES:
        one, two = (naive_forecasts(some, column, len(some)) for some in (prices, other))
        for name, values in one.items():
            np.testing.assert_array_equal(values[: origin + 1], two[name][: origin + 1])
        one, two = (naive_distributions(some, column, len(some)) for some in (prices, other))
        for name, values in one.items():
            np.testing.assert_array_equal(values[: origin + 1], two[name][: origin + 1])


def test_what_is_known_at_an_origin_says_the_same_as_all_there_is() -> None:
    prices = history()
    for preset in PRESETS:
        forecaster = as_it_was(preset, "Open")[0]
        together = forecaster.predict(prices, 12)
        for row in range(12):
            alone = forecaster.predict(prices.until(prices.day(ROWS - 12 + row)))
            assert alone.values[0] == together.values[row]
            np.testing.assert_array_equal(alone.quantiles[0], together.quantiles[row])
            assert alone.intervals().keys() == {80, 95}


def test_a_lineage_knows_nothing_of_what_comes_after_its_newest_training_part() -> None:
    config, prices = small("daily", "Open"), history()

    def lineage(known: Prices) -> Forecaster:
        """Fitted at one origin after another, each from the weights of the one before."""
        parent = None
        for origin in (TRAIN - 20, TRAIN - 10, TRAIN - 1):
            child = train_forecaster(known.until(known.day(origin)), config, parent=parent)
            parent = as_parent(child, f"the one of {origin}")
        return child

    before = lineage(prices)
    assert before.generation == 2
    for tampering in TAMPERINGS:
        after = lineage(tampering(prices, TRAIN - 1))
        assert after.losses == before.losses
        np.testing.assert_equal(before.network.get_weights(), after.network.get_weights())


def test_nothing_starts_from_weights_that_were_fitted_on_its_test_period() -> None:
    config, prices = small("daily", "Open"), history()
    later = as_parent(train_forecaster(prices.until(prices.day(TRAIN)), config), "the later one")
    with pytest.raises(ValueError, match=f"the later one was fitted on prices up to {prices.day(TRAIN)}"):
        train_forecaster(prices.until(prices.day(TRAIN - 1)), config, parent=later)
    same = train_forecaster(prices.until(prices.day(TRAIN)), config, parent=later)
    assert same.generation == 1


# Two fits: one at the row START, and one REFIT sessions later.
START, REFIT = ROWS - 40, 20


def proven(prices: Prices, column: Column) -> Proof:
    """The proof of a small `anchored`, from the row START on."""
    config, wanted = small("anchored", column), ProofConfig(sessions=40, history=100, refit_every=REFIT)
    start = first_row(prices, config, wanted, history().day(START))
    assert start == START
    found = [
        forecast_period(fit_period(prices, period, config), prices, period) for period in periods(prices, start, wanted)
    ]
    return assemble_proof(prices, start, found, config, tried=1)


@cache
def proven_as_it_was(column: Column) -> Proof:
    return proven(history(), column)


@pytest.mark.parametrize("tampering", TAMPERINGS)
@pytest.mark.parametrize("column", ["Open", "Close"])
def test_no_bet_of_a_proof_its_bound_or_its_wealth_knows_what_comes_after_it(
    column: Column, tampering: Tampering
) -> None:
    before = proven_as_it_was(column)
    assert before.evidence is not None
    # The last sessions that each fit may know, and one in the middle of a period.
    for origin in (START - 1, START + 8, START + REFIT - 1):
        after = proven(tampering(history(), origin), column)
        happened = origin - START + 1  # the sessions up to the origin; one more was forecast by then
        one, two = before.judged, after.judged
        for name in ("forecast", "quantiles"):
            np.testing.assert_array_equal(getattr(one, name)[: happened + 1], getattr(two, name)[: happened + 1])
        alone, other = one.statistical_quantiles["scale_alone"], two.statistical_quantiles["scale_alone"]
        np.testing.assert_array_equal(alone[: happened + 1], other[: happened + 1])
        assert after.evidence is not None
        assert list(before.evidence.better) == ["constant_250", "constant_500", "constant_1000"]
        for name, naive in one.naive_quantiles.items():
            bounds = [
                largest_differences(judged.quantiles, judged.naive_quantiles[name])[: happened + 1]
                for judged in (one, two)
            ]
            np.testing.assert_array_equal(bounds[0], bounds[1])
            assert np.isfinite(naive).all()
            for side in ("better", "worse"):
                bets, others = getattr(before.evidence, side)[name], getattr(after.evidence, side)[name]
                np.testing.assert_array_equal(bets.stakes[: happened + 1], others.stakes[: happened + 1])
                np.testing.assert_array_equal(bets.gains[:happened], others.gains[:happened])
                np.testing.assert_array_equal(bets.log_wealth[:happened], others.log_wealth[:happened])
                if tampering is changed:
                    assert bets.gains[happened] != others.gains[happened], "it should have moved after the origin"
    # Something is at stake, and won or lost: the wealth above is not only ever 1.
    assert np.ptp(before.evidence.log_odds) > 0
    assert np.ptp(before.evidence.log_odds_against) > 0
