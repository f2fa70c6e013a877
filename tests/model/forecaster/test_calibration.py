"""Distributions that keep their word: errors of a forecaster's own past, and coverage where the answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifact.distribution import LEVELS, PROBABILITIES
from model.artifact.inference import errors_of, forecast
from model.artifact.recipes import ChangeRecipe
from model.config import ForecasterConfig, NetworkConfig, TrainingConfig
from model.forecaster.calibration import calibrate
from model.forecaster.forecasts import Forecasts, interval_of
from model.forecaster.scaling import CHANGES
from model.market.prices import Prices
from model.training.fit import train_forecaster
from tests.market import TEST, make_prices, read_csv, weekdays

RECIPE = ChangeRecipe(column="Close", lookback=5, shrinkage=0.0, calibration=CHANGES)
SMALL = ForecasterConfig(
    inputs="changes",
    lookback=5,
    network=NetworkConfig(units=(3,)),
    training=TrainingConfig(epochs=1, loss="pinball"),
)


class Silent:
    """A network without an opinion: the distribution is as wide as the scale, around the newest Close."""

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        return np.zeros((len(windows), 2), dtype=np.float32)


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


def said(recipe: ChangeRecipe, prices: Prices, origins: int) -> Forecasts:
    return Forecasts.from_columns(forecast(Silent(), recipe, prices.table(), origins))


def silent(prices: Prices) -> ChangeRecipe:
    recipe = calibrate(Silent(), RECIPE, prices)
    assert isinstance(recipe, ChangeRecipe)
    return recipe


def test_the_newest_errors_are_stored_with_their_sessions_in_six_digits() -> None:
    prices = make_prices(1200)
    stored = silent(prices).calibration.stored()
    np.testing.assert_array_equal(stored.days, prices.table()["Date"][-1000:])
    exact = errors_of(RECIPE, prices.table(), RECIPE.placed(np.zeros((1001, 2)), prices.table(), None))
    np.testing.assert_allclose(stored.values, exact.values, rtol=5e-6)
    assert max(len(f"{value:g}".lstrip("-").replace(".", "").split("e")[0].lstrip("0")) for value in stored.values) <= 6


@pytest.mark.parametrize(("sessions", "errors"), [(45, 0), (46, 1), (64, 19), (1044, 999), (1200, 1000)])
def test_there_is_an_error_for_each_session_that_could_be_forecast_up_to_those_that_count(
    sessions: int, errors: int
) -> None:
    assert len(silent(make_prices(sessions)).calibration.errors) == errors


def test_a_training_part_without_any_error_gives_no_distribution() -> None:
    prices = make_prices(45)
    recipe = silent(prices)
    assert recipe.calibration == CHANGES
    assert said(recipe, prices, 1).intervals() == {}


def test_an_error_of_long_ago_is_forgotten_when_a_part_is_calibrated_anew() -> None:
    recipe = silent(make_prices(60))
    assert silent(make_prices(45, seed=3)).calibration == CHANGES
    again = calibrate(Silent(), recipe, make_prices(45, seed=3))
    assert again.calibration == CHANGES


def test_quantiles_hold_the_price_as_often_as_they_say_in_calm_and_wild_markets() -> None:
    prices, n = turbulent(3000), 1400
    recipe = silent(prices.until(prices.day(1500)))
    made = said(recipe, prices.until(prices.day(-2)), n)
    actual = prices.column("Close")[-n:]
    below = (actual[:, np.newaxis] <= made.quantiles).mean(axis=0)
    np.testing.assert_allclose(below, PROBABILITIES, atol=0.03)
    wild = (np.arange(3000) // 60 % 2 == 1)[-n:]
    strays = np.abs(actual - prices.column("Close")[-n - 1 : -1])
    for level in LEVELS:
        low, high = (made.quantiles[:, PROBABILITIES.index(round(p, 4))] for p in tails(level))
        inside = (low <= actual) & (actual <= high)
        assert 100 * inside.mean() == pytest.approx(level, abs=2.5)
        # Intervals of one width hold the calm sessions nearly always and the wild ones far too seldom.
        one_width = strays <= np.quantile(strays, level / 100)
        gap, plain_gap = (held[~wild].mean() - held[wild].mean() for held in (inside, one_width))
        assert gap < 0.6 * plain_gap
        assert (high - low)[wild].mean() > 2 * (high - low)[~wild].mean()


def tails(level: int) -> tuple[float, float]:
    tail = (100 - level) / 200
    return tail, 1 - tail


def test_newer_errors_move_the_distribution_and_neither_weights_nor_branch() -> None:
    prices = turbulent(400)
    old = train_forecaster(prices.until(prices.day(299)), SMALL)
    new = old.calibrated(prices)
    assert isinstance(old.recipe, ChangeRecipe)
    assert isinstance(new.recipe, ChangeRecipe)
    assert new.recipe.branch == old.recipe.branch
    assert new.network is old.network
    assert old.recipe.calibration != new.recipe.calibration
    assert new.calibrated(prices.until(prices.day(299))).recipe == old.recipe


def test_a_forecaster_that_is_used_later_knows_the_errors_since() -> None:
    prices = turbulent(400)
    known = prices.until(prices.day(-2))
    old = train_forecaster(prices.until(prices.day(299)), SMALL)
    later, anew = (one.predict(known, 5) for one in (old, old.calibrated(known)))
    # Only the newest origin knows all of the errors that the newly calibrated one has stored.
    np.testing.assert_allclose(later.quantiles[-1], anew.quantiles[-1], rtol=1e-6)
    stored = forecast(old.predictor, old.recipe, {n: v for n, v in known.table().items() if n != "Date"})
    assert stored["upper_95"][0] != pytest.approx(later.intervals()[95][1], rel=1e-5)


def test_the_end_of_a_halt_leaves_the_next_distributions_within_the_prices_of_this_world() -> None:
    """While nothing moves there is no scale: one ordinary move then is an error of hundreds of widths."""
    values = make_prices(320).values.copy()
    values[200:260, :5] = values[200, 3]
    prices = replace(make_prices(320), values=values)
    made = train_forecaster(prices, SMALL).predict(prices, 40)
    close = prices.column("Close")[-40:, np.newaxis]
    assert np.isfinite(made.quantiles).all()
    # Twenty scales at most, each of them a few per cent here; without the limit it is a factor of e to the 27.
    assert np.abs(np.log(made.quantiles / close)).max() < 1


def test_points_have_no_distribution() -> None:
    made = Forecasts.points(np.array([1.0, 2.0]))
    assert made.values.tolist() == [1.0, 2.0]
    assert made.distribution() == {}
    assert made.intervals() == {}


def test_a_distribution_is_read_by_probability_and_an_interval_is_its_tails() -> None:
    quantiles = np.array([np.arange(25.0), np.full(25, np.nan)])
    made = Forecasts(values=np.array([12.0, 3.0]), quantiles=quantiles)
    assert made.distribution(0) == dict(zip(PROBABILITIES, range(25), strict=True))
    assert made.intervals(0) == {80: (4.0, 20.0), 95: (2.0, 22.0)}
    assert interval_of(made.distribution(0), 95) == (2.0, 22.0)
    assert made.distribution(1) == {}
    assert made.intervals(1) == {}


def test_a_distribution_for_each_forecast_or_none_are_made() -> None:
    with pytest.raises(ValueError, match=r"quantiles of shape \(1, 25\) for 2 forecasts"):
        Forecasts(values=np.zeros(2), quantiles=np.zeros((1, 25)))


@pytest.mark.parametrize("name", ["FB_2012_2020", "AAPL_2010_2020", "MSFT_2010_2020", "NVDA_2010_2020", "KO_2010_2020"])
def test_on_real_prices_the_scale_alone_keeps_the_word_for_the_close(real_prices: Path, name: str) -> None:
    """Thirty-five months from 2018, calibrated once before: later errors are known from the prices themselves."""
    prices = read_csv(real_prices / f"{name}.csv")
    first, end = np.searchsorted(prices.sessions, np.array(["2018-01-01", "2020-12-01"], dtype="datetime64[D]"))
    made = said(silent(prices.rows(0, int(first))), prices.rows(0, int(end) - 1), int(end - first))
    actual = prices.column("Close")[first:end]
    assert len(actual) == 734
    for level in LEVELS:
        low, high = (made.quantiles[:, PROBABILITIES.index(round(p, 4))] for p in tails(level))
        assert 100 * ((low <= actual) & (actual <= high)).mean() == pytest.approx(level, abs=2)
