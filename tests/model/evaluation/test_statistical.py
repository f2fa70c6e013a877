"""Statistical forecasts: the library's own, fitted when they say, on nothing that came later."""

import sys

import numpy as np
import pytest

from model.errors import ConfigurationError, TooFewPrices
from model.evaluation.statistical import (
    AUTO_LABELS,
    SHORTEST,
    STATISTICAL_LABELS,
    installed_statistical,
    missing_statistical,
    statistical_forecasts,
)
from model.market.prices import Prices, Values
from tests.market import changed_from, make_prices

pytest.importorskip("statsforecast", reason="the extra `statistics` is not installed")
pytest.importorskip("arch", reason="the extra `statistics` is not installed")


def cross_validated(values: Values, origins: int, refit: int) -> dict[str, Values]:
    """The same by statsforecast's own rolling origins, which end one session before the newest."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoARIMA, AutoETS

    frame = pd.DataFrame({"unique_id": "A", "ds": np.arange(len(values)), "y": values})
    library = StatsForecast(models=[AutoETS(season_length=1), AutoARIMA(season_length=1)], freq=1)
    made = library.cross_validation(df=frame, h=1, n_windows=origins, step_size=1, refit=refit)
    return {"auto_ets": made["AutoETS"].to_numpy(), "auto_arima": made["AutoARIMA"].to_numpy()}


@pytest.mark.slow
@pytest.mark.parametrize("refit_every", [1, 3, 8])
def test_they_are_what_the_librarys_own_cross_validation_gives(refit_every: int) -> None:
    prices = make_prices(80)
    known = prices.until(prices.day(-2))
    found = statistical_forecasts(known, "Close", 8, refit_every)
    expected = cross_validated(prices.column("Close"), 8, refit_every)
    assert set(found) == set(AUTO_LABELS) == set(expected)
    for name, made in found.items():
        np.testing.assert_allclose(made, expected[name], rtol=1e-9)


@pytest.mark.slow
def test_later_prices_change_no_earlier_forecast() -> None:
    prices = make_prices(80)
    before = statistical_forecasts(prices, "Open", 10, 4)
    for row in (71, 74, 79):
        after = statistical_forecasts(changed_from(prices, row), "Open", 10, 4)
        shorter = statistical_forecasts(prices.until(prices.day(row - 1)), "Open", row - 70, 4)
        for name in before:
            np.testing.assert_array_equal(before[name][: row - 70], after[name][: row - 70])
            np.testing.assert_array_equal(before[name][: row - 70], shorter[name])
            assert before[name][row - 70] != after[name][row - 70]


def test_a_price_that_rises_by_a_dollar_a_day_goes_on_so() -> None:
    rising = statistical_forecasts(make_prices(opens=np.arange(50.0, 110.0)), "Open", 5, 5)
    assert rising["auto_arima"] == pytest.approx(np.arange(106.0, 111.0))
    assert rising["auto_ets"] == pytest.approx(np.arange(106.0, 111.0), abs=0.2)


def test_a_constant_price_stays_even_after_it_has_moved() -> None:
    opens = np.full(60, 50.0)
    for made in statistical_forecasts(make_prices(opens=opens), "Open", 5, 5).values():
        np.testing.assert_allclose(made, 50.0)
    opens[-1] = 60.0
    for made in statistical_forecasts(make_prices(opens=opens), "Open", 5, 5).values():
        assert np.isfinite(made).all()
        np.testing.assert_allclose(made[:-1], 50.0)


@pytest.mark.parametrize("column", ["Open", "High", "Low", "Close"])
def test_every_column_has_them(column: str) -> None:
    prices: Prices = make_prices(60)
    for made in statistical_forecasts(prices, column, 2, 2).values():
        # A random walk of one per cent a day: what comes next is near what was.
        np.testing.assert_allclose(made, prices.column(column)[-2:], rtol=0.05)


def test_too_short_a_history_is_refused() -> None:
    prices = make_prices(SHORTEST + 3)
    assert len(statistical_forecasts(prices, "Open", 4, 4)["auto_ets"]) == 4
    with pytest.raises(TooFewPrices, match=f"{SHORTEST - 1} sessions up to the first origin"):
        statistical_forecasts(prices, "Open", 5, 5)


@pytest.mark.parametrize(("origins", "refit_every"), [(0, 1), (61, 1), (5, 0)])
def test_origins_that_cannot_be_are_refused(origins: int, refit_every: int) -> None:
    with pytest.raises(ValueError, match="origins in 60 sessions"):
        statistical_forecasts(make_prices(60), "Open", origins, refit_every)


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(ConfigurationError) as caught:
        statistical_forecasts(make_prices(60), "Open", 5, 5)
    assert "statsforecast" in caught.value.have
    assert ".[statistics]" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_what_is_installed_is_made_and_what_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_statistical() == tuple(STATISTICAL_LABELS)
    assert missing_statistical(installed_statistical()) == ()
    # As on Python 3.13.
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    assert installed_statistical() == ("garch_t", "egarch_t", "log_har")
    (missing,) = missing_statistical(installed_statistical())
    assert missing.startswith("AutoETS, AutoARIMA: not made, since statsforecast is not installed")
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(ConfigurationError, match="neither statsforecast nor arch is installed"):
        installed_statistical()
