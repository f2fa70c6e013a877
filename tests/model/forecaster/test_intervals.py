"""Intervals that keep their word: conformal widths, and coverage where the answer is known."""

from pathlib import Path

import numpy as np
import pytest

from model.artifact.recipes import ChangeRecipe
from model.config import ForecasterConfig, NetworkConfig, TrainingConfig
from model.forecaster.forecasts import Forecasts
from model.forecaster.intervals import calibrate, conformal_widths
from model.market.prices import Prices
from model.training.fit import train_forecaster
from tests.market import TEST, make_prices, read_csv, weekdays

RECIPE = ChangeRecipe(column="Close", lookback=5, shrinkage=0.0, ordinary=1.0)


class Silent:
    """A network without an opinion: the forecast is the newest Close."""

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        return np.zeros((len(windows), 1), dtype=np.float32)


def turbulent(n: int, seed: int = 1) -> Prices:
    """A market that is calm and wild by turns, for a quarter each; sessions of sixteen steps."""
    rng = np.random.default_rng(seed)
    volatility = np.where(np.arange(n) // 60 % 2 == 0, 0.005, 0.02)
    steps = rng.normal(0, 0.25, (n, 16)) * volatility[:, np.newaxis]
    paths = 100 * np.exp(np.cumsum(steps.ravel()).reshape(n, 16))
    values = np.column_stack([paths[:, 0], paths.max(axis=1), paths.min(axis=1), paths[:, -1], paths[:, -1]])
    return Prices(
        security=TEST,
        source="csv",
        origin="made by a test",
        sessions=weekdays(n),
        values=np.column_stack([values, np.full(n, 1e6)]),
    )


def test_the_width_is_the_rank_that_exchangeability_asks_for() -> None:
    strays = np.arange(1.0, 100.0)  # 99 of them: ceil(100 * 0.8) = 80th, ceil(100 * 0.95) = 95th
    assert conformal_widths(np.random.default_rng(0).permutation(strays)) == {"80": 80.0, "95": 95.0}


@pytest.mark.parametrize(("n", "levels"), [(3, set()), (4, {"80"}), (18, {"80"}), (19, {"80", "95"})])
def test_a_level_that_too_few_errors_can_vouch_for_is_absent(n: int, levels: set[str]) -> None:
    assert set(conformal_widths(np.arange(float(n)))) == levels


def test_a_training_part_without_any_error_to_learn_from_gives_no_interval() -> None:
    assert calibrate(Silent(), RECIPE, make_prices(45)).spread.widths == {}


def test_intervals_hold_the_price_as_often_as_they_say_in_calm_and_wild_markets() -> None:
    prices = turbulent(3000)
    recipe = calibrate(Silent(), RECIPE, prices.until(prices.day(1500)), errors=1000)
    known, n = prices.until(prices.day(-2)), 1400
    half = recipe.spread.dollars(known.table(), n)
    strays = np.abs(prices.column("Close")[-n:] - known.column("Close")[-n:])
    wild = (np.arange(3000) // 60 % 2 == 1)[-n:]
    for level in (80, 95):
        inside = strays <= half * recipe.spread.widths[str(level)]
        assert 100 * inside.mean() == pytest.approx(level, abs=2.5)
        # Intervals of one width hold the calm sessions nearly always and the wild ones far too seldom.
        one_width = strays <= np.quantile(strays, level / 100)
        gap, plain_gap = (held[~wild].mean() - held[wild].mean() for held in (inside, one_width))
        assert gap < 0.6 * plain_gap
    assert half[wild].mean() > 2 * half[~wild].mean()


def test_newer_errors_move_the_intervals_and_nothing_else() -> None:
    prices = turbulent(400)
    config = ForecasterConfig(
        inputs="changes", lookback=5, network=NetworkConfig(units=(3,)), training=TrainingConfig(epochs=1)
    )
    old = train_forecaster(prices.until(prices.day(299)), config)
    new = old.calibrated(prices)
    np.testing.assert_array_equal(old.forecast(prices, 5), new.forecast(prices, 5))
    assert old.recipe.spread.widths != new.recipe.spread.widths
    assert new.calibrated(prices.until(prices.day(299))).recipe == old.recipe


def test_forecasts_of_a_model_without_intervals_have_none() -> None:
    made = Forecasts.from_columns({"forecast": np.array([1.0, 2.0])})
    assert made.values.tolist() == [1.0, 2.0]
    assert made.intervals() == {}


def test_a_bound_that_is_not_a_number_is_no_interval() -> None:
    columns = {"forecast": 2.0, "lower_80": 1.0, "upper_80": 3.0, "lower_95": np.nan, "upper_95": np.nan}
    made = Forecasts.from_columns({name: np.array([value]) for name, value in columns.items()})
    assert made.intervals() == {80: (1.0, 3.0)}


@pytest.mark.parametrize("name", ["FB_2012_2020", "AAPL_2010_2020", "MSFT_2010_2020", "NVDA_2010_2020", "KO_2010_2020"])
def test_on_real_prices_the_scale_alone_keeps_the_word_for_the_close(real_prices: Path, name: str) -> None:
    """Thirty-five months from 2018, calibrated before each; the newest Close is the forecast."""
    prices = read_csv(real_prices / f"{name}.csv")
    inside: dict[int, list[bool]] = {80: [], 95: []}
    for month in np.arange("2018-01", "2020-12", dtype="datetime64[M]"):
        first, end = (int(start) for start in np.searchsorted(prices.sessions, [month, month + np.timedelta64(1, "M")]))
        recipe = calibrate(Silent(), RECIPE, prices.rows(0, first))
        close = prices.column("Close")[first - 1 : end]
        half = recipe.spread.dollars(prices.rows(0, end - 1).table(), end - first)
        for level, found in inside.items():
            found += (np.abs(np.diff(close)) <= half * recipe.spread.widths[str(level)]).tolist()
    assert len(inside[80]) > 700
    for level, found in inside.items():
        assert 100 * np.mean(found) == pytest.approx(level, abs=2)
