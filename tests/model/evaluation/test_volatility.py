"""Forecasts of volatility: near the truth where it is known, the library's own, on nothing that came later."""

import sys
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student_t

from model.artifact.distribution import PROBABILITIES
from model.errors import ConfigurationError, TooFewPrices
from model.evaluation import volatility
from model.evaluation.volatility import SHORTEST_VOLATILITY, VOLATILITY_LABELS, volatility_forecasts
from model.market.prices import Prices, Values
from tests.market import changed_from, make_prices

pytest.importorskip("arch", reason="the extra `statistics` is not installed")

GARCH = {"garch_t": "GARCH", "egarch_t": "EGARCH"}


def garch(n: int, seed: int = 1) -> tuple[Prices, Values]:
    """Prices whose Close moves by a GARCH(1,1) with Student t of 6 degrees, and the true deviation of each session.

    Half a session's move is overnight.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(6, n) * np.sqrt(4 / 6)
    changes, deviations = np.zeros(n), np.zeros(n)
    variance = 2.0
    for row in range(n):
        deviations[row] = np.sqrt(variance) / 100
        changes[row] = deviations[row] * shocks[row]
        variance = 0.1 + 0.1 * (100 * changes[row]) ** 2 + 0.85 * variance
    close = 100 * np.exp(np.cumsum(changes))
    opened = close * np.exp(-0.5 * changes)
    made = make_prices(n)
    values = made.values.copy()
    values[:, :5] = np.column_stack(
        [opened, np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999, close, close]
    )
    return replace(made, values=values), deviations


PRICES, _ = garch(700)


def changes_of(prices: Prices, column: str) -> Values:
    return np.asarray(np.log(prices.column(column)[1:] / prices.column("Close")[:-1]))


@pytest.mark.slow
def test_a_garch_is_found_again() -> None:
    prices, deviations = garch(4000)
    known = prices.rows(0, len(prices) - 1)
    for name, spread in (("garch_t", 0.03), ("egarch_t", 0.15)):
        student = volatility_forecasts(known, "Close", 1000, 1000)[name].student
        assert student is not None
        ratio = student[:, 1] / deviations[-1000:]
        assert np.mean(ratio) == pytest.approx(1.0, abs=0.05)
        assert np.std(ratio) < spread
        assert student[0, 2] == pytest.approx(6, abs=1.5)


@pytest.mark.parametrize("column", ["Open", "Close"])
@pytest.mark.parametrize("name", ["garch_t", "egarch_t"])
def test_they_are_what_arch_forecasts_itself(name: str, column: str) -> None:
    from arch import arch_model

    made = volatility_forecasts(PRICES, column, 60, 60)[name]
    changes = 100 * changes_of(PRICES, column)
    options: Any = {"vol": GARCH[name], "o": int(name == "egarch_t"), "dist": "t", "rescale": False}
    first = len(PRICES) - 60
    fitted = arch_model(changes[:first], **options).fit(disp="off", show_warning=False)
    for origin in (0, 1, 17, 59):
        known = changes[: first + origin]
        ahead = arch_model(known, **options).fix(fitted.params).forecast(horizon=1)
        deviation = np.sqrt(ahead.variance.to_numpy()[-1, 0])
        mean, freedom = ahead.mean.to_numpy()[-1, 0], fitted.params["nu"]
        standard = student_t(freedom, scale=np.sqrt((freedom - 2) / freedom)).ppf(PROBABILITIES)
        expected = PRICES.column("Close")[first + origin] * np.exp((mean + deviation * standard) / 100)
        np.testing.assert_allclose(made.quantiles[origin], expected, rtol=1e-9)


def test_the_log_har_is_what_its_sentence_says() -> None:
    prices = make_prices(420)
    open_, high, low, close = (prices.column(name) for name in ("Open", "High", "Low", "Close"))
    variance = np.log(0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * np.log(close / open_) ** 2)
    rows = range(21, 420)
    inputs = np.array([[1, variance[t], variance[t - 4 : t + 1].mean(), variance[t - 21 : t + 1].mean()] for t in rows])
    # Fitted at the session 410, and applied at 415.
    weights, *_ = np.linalg.lstsq(inputs[: 410 - 21], variance[22 : 410 + 1], rcond=None)
    scales = np.exp(inputs @ weights / 2)
    scaled = changes_of(prices, "Open")[21:] / scales[:-1]
    errors = scaled[415 - 21 - 250 : 415 - 21]
    expected = close[415] * np.exp(scales[415 - 21] * np.quantile(errors, PROBABILITIES))
    made = volatility_forecasts(prices, "Open", 10, 10)["log_har"]
    np.testing.assert_allclose(made.quantiles[5], expected, rtol=1e-12)


@pytest.mark.parametrize("column", ["Open", "High", "Low", "Close"])
def test_every_column_has_ascending_quantiles_around_its_price(column: str) -> None:
    prices = make_prices(200)
    made = volatility_forecasts(prices, column, 5, 5)
    assert list(made) == list(VOLATILITY_LABELS)
    for forecast in made.values():
        assert forecast.quantiles.shape == (5, len(PROBABILITIES))
        assert (np.diff(forecast.quantiles, axis=1) > 0).all()
        np.testing.assert_allclose(forecast.quantiles[:, 12], prices.column(column)[-5:], rtol=0.05)


def test_they_are_fitted_again_where_it_says() -> None:
    whole = volatility_forecasts(PRICES, "Close", 30, 10)
    for at in (0, 10, 20):
        alone = volatility_forecasts(PRICES.rows(0, len(PRICES) - 20 + at), "Close", 10, 10)
        for name, forecast in alone.items():
            np.testing.assert_array_equal(whole[name].quantiles[at : at + 10], forecast.quantiles)
    student = whole["garch_t"].student
    assert student is not None
    assert len(np.unique(student[:, 2])) == 3


def test_later_prices_change_no_earlier_forecast() -> None:
    first = len(PRICES) - 20
    before = volatility_forecasts(PRICES, "Close", 20, 7)
    for row in (first + 1, first + 7, first + 15):
        after = volatility_forecasts(changed_from(PRICES, row), "Close", 20, 7)
        shorter = volatility_forecasts(PRICES.rows(0, row), "Close", row - first, 7)
        for name in before:
            seen = before[name].quantiles[: row - first]
            np.testing.assert_array_equal(seen, after[name].quantiles[: row - first])
            np.testing.assert_array_equal(seen, shorter[name].quantiles)
            # Not only in dollars: the width differs as well.
            wide, other = (made[name].quantiles[row - first] for made in (before, after))
            assert wide[-1] / wide[0] != other[-1] / other[0]


def test_the_density_is_that_of_the_log_price() -> None:
    made = volatility_forecasts(PRICES, "Close", 1, 1)
    logs = np.log(made["garch_t"].close) + np.linspace(-1, 1, 200_001)
    density = np.exp(made["garch_t"].exact_log_density(np.exp(logs)))
    share = np.cumsum(density) * (logs[1] - logs[0])
    assert share[-1] == pytest.approx(1, abs=1e-4)
    found = np.interp(np.log(made["garch_t"].quantiles[0]), logs, share)
    np.testing.assert_allclose(found, PROBABILITIES, atol=1e-3)
    assert np.isnan(made["log_har"].exact_log_density(made["log_har"].close)).all()


def test_sessions_without_a_range_do_no_harm() -> None:
    values = make_prices(300).values.copy()
    for row in (*range(30, 300, 10), 200, 201, 202, 299):
        values[row, :5] = values[row - 1, 3]
    for made in volatility_forecasts(replace(make_prices(300), values=values), "Open", 40, 40).values():
        assert np.isfinite(made.quantiles).all()
        assert (np.diff(made.quantiles, axis=1) >= 0).all()


def test_prices_that_do_not_move_have_no_garch() -> None:
    flat = replace(make_prices(200), values=np.full((200, 6), 50.0))
    made = volatility_forecasts(flat, "Close", 5, 2)
    assert np.isnan(made["garch_t"].quantiles).all()
    assert np.isnan(made["egarch_t"].quantiles).all()
    np.testing.assert_allclose(made["log_har"].quantiles, 50.0)


class Broken:
    """A model of arch whose fits fail."""

    def __init__(self, model: Any) -> None:
        self.volatility = model.volatility

    def fit(self, **_options: Any) -> Any:
        raise np.linalg.LinAlgError("Singular matrix")


class Halted:
    """A model of arch that stops before it has converged, where its parameters lie far off."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.volatility = model.volatility

    def fit(self, **options: Any) -> Any:
        far = [0.0, 9.0, 0.3, 0.1, 30.0] if len(self.volatility.parameter_names()) == 3 else FAR_EGARCH
        return self.model.fit(**{**options, "starting_values": np.array(far)}, options={"maxiter": 1})


FAR_EGARCH = [0.0, 2.0, 0.3, 0.0, 0.1, 30.0]


@pytest.mark.parametrize("failing", [Broken, Halted])
def test_where_a_fit_fails_the_parameters_stay(failing: type, monkeypatch: pytest.MonkeyPatch) -> None:
    from arch import arch_model

    def model_of(changes: Values, **options: Any) -> Any:
        model = arch_model(changes, **options)
        return failing(model) if len(changes) > len(PRICES) - 20 else model

    once = volatility_forecasts(PRICES, "Close", 20, 20)
    monkeypatch.setattr(volatility, "_library", lambda: model_of)
    made = volatility_forecasts(PRICES, "Close", 20, 6)
    for name in GARCH:
        np.testing.assert_array_equal(made[name].quantiles, once[name].quantiles)


def test_where_the_first_fit_fails_the_width_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    from arch import arch_model

    monkeypatch.setattr(volatility, "_library", lambda: lambda *given, **options: Broken(arch_model(*given, **options)))
    made = volatility_forecasts(PRICES, "Close", 10, 5)
    for at in (0, 5):
        known = changes_of(PRICES.rows(0, len(PRICES) - 9 + at), "Close")
        for name in GARCH:
            student = made[name].student
            assert student is not None
            np.testing.assert_allclose(student[at : at + 5, 0], known.mean())
            np.testing.assert_allclose(student[at : at + 5, 1], known.std())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_few_and_shapeless_changes_give_no_absurd_width(seed: int) -> None:
    prices = make_prices(SHORTEST_VOLATILITY + 40, seed=seed)
    for forecast in volatility_forecasts(prices, "Close", 41, 20).values():
        width = forecast.quantiles[:, -1] / forecast.quantiles[:, 0] - 1
        # The changes have a deviation of 1.4 %: from quantile 0.005 to 0.995 they reach over 7.3 %.
        assert ((width > 0.02) & (width < 0.25)).all()


def test_nothing_is_printed_and_nothing_warned(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volatility_forecasts(make_prices(SHORTEST_VOLATILITY + 3), "Open", 4, 1)
    assert capfd.readouterr() == ("", "")


def test_too_short_a_history_is_refused() -> None:
    prices = make_prices(SHORTEST_VOLATILITY + 3)
    assert len(volatility_forecasts(prices, "Open", 4, 4)["log_har"].quantiles) == 4
    with pytest.raises(TooFewPrices, match=f"{SHORTEST_VOLATILITY - 1} sessions up to the first origin"):
        volatility_forecasts(prices, "Open", 5, 5)


@pytest.mark.parametrize(("origins", "refit_every"), [(0, 1), (161, 1), (5, 0)])
def test_origins_that_cannot_be_are_refused(origins: int, refit_every: int) -> None:
    with pytest.raises(ValueError, match="origins in 160 sessions"):
        volatility_forecasts(make_prices(160), "Open", origins, refit_every)


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(ConfigurationError) as caught:
        volatility_forecasts(make_prices(160), "Open", 5, 5)
    assert "arch" in caught.value.have
    assert ".[statistics]" in caught.value.remedy
