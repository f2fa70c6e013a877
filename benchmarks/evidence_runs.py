"""The forecasts behind docs/evidence.md: each method's distributions on every session, made with what was known then.

Yearly fits on everything known, from January 2018 to November 2020; each session is forecast with what was known at the
close of the session before. A method's forecasts of one security are kept in a file, so that a run goes on where it was
stopped.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from model.config import ForecasterConfig
    from model.forecaster.forecaster import Forecaster
    from model.market.prices import Prices, Values

FILES = {"FB": "FB_2012_2020.csv"} | {ticker: f"{ticker}_2010_2020.csv" for ticker in ("AAPL", "MSFT", "NVDA", "KO")}
COLUMNS = ("Close", "Open")
ALL = tuple(f"{ticker} {column}" for ticker in FILES for column in COLUMNS)
YEARS, LAST = ("2018", "2019", "2020"), "2020-11-30"
RIVALS = ("garch_t", "egarch_t", "log_har")
CONSTANTS = ("constant_250", "constant_500", "constant_1000")
# Parts of `anchored` by themselves, and `anchored` without one part.
ECHO = ("night_quarter_ago", "night_year_ago", "movement_year_ago", "largest_night_year_ago", "jumps_in_quarters")
ABLATION = ("scale alone", "linear branch alone", "network alone", "without echo", "without shift", "one member")
CALIBRATION = ("newest 250 errors", "newest 1,000 errors")
# `anchored` with the index of volatility beside its own prices, as mlflow.yaml gives it to securities of New York.
VIX, VIX_FILE = "^VIX", "VIX_2010_2020.csv"
WITH_VIX = "anchored with ^VIX"
METHODS = ("anchored", WITH_VIX, *RIVALS, *CONSTANTS, *ABLATION, *CALIBRATION, "tutorial")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """One method's forecasts of one series.

    sessions:  (n,) datetime64[D]
    actual:    (n,) dollars
    close:     (n,) dollars, the newest Close at each origin
    quantiles: (n, 25) dollars
    point:     (n,) dollars
    density:   (n,) the logarithm of the forecast density at the actual log price; exact where the method has one
    seconds:   of processor time, fits included
    """

    sessions: "np.typing.NDArray[np.datetime64]"
    actual: "Values"
    close: "Values"
    quantiles: "Values"
    point: "Values"
    density: "Values"
    seconds: float


def make(method: str, series: str, data: Path, home: Path) -> Made:
    """A method's forecasts of a series such as `FB Close`, from the file of a previous run where there is one."""
    file = home / f"{series} {method}.npz".replace(" ", "_").replace(",", "").replace("^", "")
    if not file.exists():
        os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"})
        prices = prices_of(series.split()[0], data)
        if method == WITH_VIX:
            days, closes = index(data)
            prices = with_series(prices, days, {VIX: closes})
        made = _make(method, prices, series.split()[1])
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, **{name: getattr(made, name) for name in Made.__slots__})
        partial.replace(file)
    with np.load(file) as kept:
        return Made(
            **{name: kept[name] for name in Made.__slots__ if name != "seconds"}, seconds=float(kept["seconds"])
        )


def prices_of(ticker: str, data: Path) -> "Prices":
    """A security's prices, from its file in the layout of Yahoo's export."""
    from model.config import PriceRequest
    from tasks.prices.request import resolve
    from tasks.prices.sources.read import read_prices
    from tasks.settings import read_settings

    settings, now = read_settings(), datetime.now(UTC)
    asked = PriceRequest(ticker=ticker, source="csv", files=(str(data / FILES[ticker]),))
    return read_prices(resolve(asked, settings, now), settings, now)


def index(data: Path) -> "tuple[np.typing.NDArray[np.datetime64], Values]":
    """The days and the closes of the index of volatility, each (n,)."""
    found = np.genfromtxt(data / VIX_FILE, delimiter=",", skip_header=1, usecols=(0, 4), dtype="M8[D],f8")
    return found["f0"].copy(), found["f1"].copy()


def with_series(prices: "Prices", days: "np.typing.NDArray[np.datetime64]", series: "Mapping[str, Values]") -> "Prices":
    """The prices with other series beside, whose values on `days` are known at each day's close."""
    from model.market.alignment import Observed, beside
    from model.market.calendar import ExchangeCalendar

    calendar = ExchangeCalendar()
    observed = [
        Observed(
            name=name,
            columns=(name,),
            days=days,
            known_at=calendar.over(days),
            values=values[:, np.newaxis],
            fingerprint="",
        )
        for name, values in series.items()
    ]
    return replace(prices, others=beside(prices.sessions, calendar.over(prices.sessions), observed))


def _make(method: str, prices: "Prices", column: str) -> Made:
    from model.evaluation import distribution

    days = prices.sessions
    first, stop = np.searchsorted(days, np.datetime64(f"{YEARS[0]}-01-01")), np.searchsorted(days, np.datetime64(LAST))
    start, used = int(first), prices.rows(0, int(stop) + 1)
    begun = time.process_time()
    quantiles, point, density = _forecasts(method, used, column, start)
    seconds = time.process_time() - begun
    actual = used.column(column)[start:]
    if density is None:
        density = distribution.log_density(actual, quantiles)
    return Made(
        sessions=used.sessions[start:],
        actual=actual,
        close=used.column("Close")[start - 1 : -1],
        quantiles=quantiles,
        point=point,
        density=density,
        seconds=seconds,
    )


def _forecasts(method: str, used: "Prices", column: str, start: int) -> "tuple[Values, Values, Values | None]":
    """Quantiles, points, and the density where it is exact, of every session from row `start` on."""
    from model.evaluation.baselines import naive_distributions
    from model.evaluation.distribution import median
    from model.evaluation.volatility import volatility_forecasts

    known, n = used.rows(0, len(used) - 1), len(used) - start
    if method in CONSTANTS:
        made = naive_distributions(known, column, n)[method]
        return made, median(made), None
    if method not in RIVALS:
        quantiles, point = _yearly(used, start, lambda train: _fitted(method, train, column))
        return quantiles, point, None
    years = _year_starts(used, start)
    parts = []
    for begin, end in zip(years, [*years[1:], len(used)], strict=True):
        parts.append(volatility_forecasts(used.rows(0, end - 1), column, end - begin, end - begin)[method])
    actual = np.split(used.column(column)[start:], [year - start for year in years[1:]])
    quantiles = np.concatenate([part.quantiles for part in parts])
    exact = np.concatenate([part.exact_log_density(values) for part, values in zip(parts, actual, strict=True)])
    return quantiles, median(quantiles), exact if np.isfinite(exact).all() else None


def _year_starts(used: "Prices", start: int) -> list[int]:
    """The row of the first session of each year that is forecast."""
    return [start, *(int(np.searchsorted(used.sessions, np.datetime64(f"{year}-01-01"))) for year in YEARS[1:])]


def _yearly(used: "Prices", start: int, fit: "Callable[[Prices], Forecaster]") -> "tuple[Values, Values]":
    """Forecasts by one fit per year, at its beginning, on everything known then."""
    years = _year_starts(used, start)
    made = []
    for begin, end in zip(years, [*years[1:], len(used)], strict=True):
        made.append(fit(used.rows(0, begin)).predict(used.rows(0, end - 1), end - begin))
    return np.concatenate([each.quantiles for each in made]), np.concatenate([each.values for each in made])


def _fitted(method: str, train: "Prices", column: str) -> "Forecaster":
    """The forecaster of a preset, or `anchored` changed as the ablation says."""
    from model.artifact.recipes import ChangeRecipe
    from model.artifact.series_input import SeriesInput
    from model.config import PRESETS

    config = PRESETS["tutorial" if method == "tutorial" else "anchored"].model_copy(update={"column": column})
    if method in ("tutorial", "anchored"):
        return _train(train, config)
    if method == WITH_VIX:
        return _train(train, config.model_copy(update={"series": (SeriesInput(name=VIX),)}))
    if method == "one member":
        return _train(train, _with_training(config, members=1))
    if method == "without shift":
        return _train(train, config.model_copy(update={"shrinkage": 0.0}))
    if method in ("network alone", "without echo"):
        return _without_inputs(train, config, None if method == "network alone" else ECHO)
    fitted = _train(train, config if method in CALIBRATION else _with_training(config, members=1, epochs=1))
    if method in CALIBRATION:
        windows = (250,) if method == CALIBRATION[0] else (1000,)
        calibration = replace(fitted.recipe.calibration, windows=windows)
        return replace(fitted, recipe=replace(fitted.recipe, calibration=calibration)).calibrated(train)
    if method == "scale alone" and isinstance(fitted.recipe, ChangeRecipe):
        fitted = replace(fitted, recipe=replace(fitted.recipe, branch=None))
    return replace(fitted, predictor=_Silent()).calibrated(train)


def _train(train: "Prices", config: "ForecasterConfig") -> "Forecaster":
    from model.training.fit import train_forecaster

    return train_forecaster(train, config)


def _with_training(config: "ForecasterConfig", **changes: int) -> "ForecasterConfig":
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def _without_inputs(train: "Prices", config: "ForecasterConfig", names: tuple[str, ...] | None) -> "Forecaster":
    """A fit whose linear branch does not see some inputs, or, with None, that has no linear branch."""
    from model.artifact.market_state import STATE, StateBranch
    from model.training import fit, objective

    hidden = [name in names if names else True for name in STATE]

    def fit_branch(state: "Values", targets: "np.typing.ArrayLike") -> StateBranch:
        found = objective.fit_branch(np.where(hidden, np.nan, state), targets)
        return found if names else replace(found, constant=0.0)

    with patch.object(fit, "fit_branch", fit_branch):
        return fit.train_forecaster(train, config)


class _Silent:
    """A network whose outputs are 0: no correction of the scale, and no shift."""

    def predict_on_batch(self, windows: "Values") -> "Values":
        return np.zeros((len(windows), 2))
