"""The ten series, and what was known of each at every Close.

A method is a function of the market and of the years to forecast. For each year it may fit on every session before
it, and it then forecasts each session of the year with what was known the session before. What it gives back are
quantiles of the log change from the newest Close, which `dollars` turns into prices.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.artifact.scale import RANGE
from model.market.prices import Days, Values

FILES = {"FB": "FB_2012_2020.csv"} | {ticker: f"{ticker}_2010_2020.csv" for ticker in ("AAPL", "MSFT", "NVDA", "KO")}
COLUMNS = ("Open", "Close")
INDEX_FILE = "VIX_2010_2020.csv"
LAST = np.datetime64("2020-11-30")
LEVELS = np.array(PROBABILITIES)
# The level of a session's movement is the mean of its means over these numbers of sessions.
SPANS = (1, 3, 10, 39)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One column of one security, (n,) each, oldest first; row 0 of what needs the session before is NaN.

    days:      the sessions
    price:     what is forecast, dollars
    close:     the Close, dollars
    change:    log of the price over the Close of the session before: the target
    daily:     log of the Close over the Close of the session before
    overnight: log of the Open over the Close of the session before
    reach:     log of High over Low, in standard deviations of a random walk
    index:     log of the index of volatility, as the standard deviation of a day's change; None where it is not used
    """

    name: str
    days: Days
    price: Values
    close: Values
    change: Values
    daily: Values
    overnight: Values
    reach: Values
    index: Values | None = None

    @property
    def movement(self) -> Values:
        """How far each session moved: its jump and its range."""
        return np.abs(self.overnight) + self.reach

    @property
    def level(self) -> Values:
        """How far the newest sessions moved, the session itself included; NaN for the first ones."""
        return np.asarray(np.mean([trailing(self.movement, sessions) for sessions in SPANS], axis=0))

    @property
    def signals(self) -> Sequence[Values]:
        """What other markets say of the width, each (n,), against the own level: the index where it is used."""
        return () if self.index is None else (np.asarray(self.index - np.log(self.level)),)

    def year(self, year: int) -> slice:
        """The rows of a year's sessions."""
        first, stop = np.searchsorted(self.days, [np.datetime64(f"{year}-01-01"), np.datetime64(f"{year + 1}-01-01")])
        return slice(int(first), int(stop))


Market = Sequence[Series]
Quantiles = Mapping[str, Values]
Method = Callable[[Market, Sequence[int]], Quantiles]


def read_market(folder: Path, *, index: bool = False) -> Market:
    """The ten series up to LAST, with the index of volatility or without."""
    beside = _columns(folder / INDEX_FILE) if index else None
    return [series for ticker, file in FILES.items() for series in _read(ticker, _columns(folder / file), beside)]


def _read(ticker: str, columns: Mapping[str, Any], beside: Mapping[str, Any] | None) -> Iterator[Series]:
    before = np.concatenate([[math.nan], columns["Close"][:-1]])
    for column in COLUMNS:
        yield Series(
            name=f"{ticker}_{column}",
            days=columns["Date"],
            price=columns[column],
            close=columns["Close"],
            change=np.log(columns[column] / before),
            daily=np.log(columns["Close"] / before),
            overnight=np.log(columns["Open"] / before),
            reach=np.log(columns["High"] / columns["Low"]) / RANGE,
            index=None if beside is None else _index(columns["Date"], beside),
        )


def _index(days: Days, beside: Mapping[str, Any]) -> Values:
    """(n,) its newest close at each session; per cent a year of 252 sessions become the log of a day's deviation."""
    newest = np.searchsorted(beside["Date"], days, side="right") - 1
    return np.asarray(np.log(beside["Close"][newest] / 100 / math.sqrt(252)))


def _columns(path: Path) -> Mapping[str, Any]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if np.datetime64(row["Date"]) <= LAST]
    prices = {name: np.array([float(row[name]) for row in rows]) for name in ("Open", "High", "Low", "Close")}
    return {"Date": np.array([row["Date"] for row in rows], dtype="datetime64[D]"), **prices}


def judged(series: Series, years: Sequence[int]) -> slice:
    """The rows that are forecast."""
    return slice(series.year(years[0]).start, series.year(years[-1]).stop)


def yearly(market: Market, years: Sequence[int], forecast: Callable[[Series, slice], Values]) -> Quantiles:
    """All quantiles, by a function that forecasts the rows of one year of one series."""
    return {series.name: np.concatenate([forecast(series, series.year(year)) for year in years]) for series in market}


def dollars(series: Series, years: Sequence[int], quantiles: Values) -> Values:
    """Quantiles of the log change as prices, (n, 25), sorted: those of many methods cross."""
    rows = judged(series, years)
    newest = series.close[rows.start - 1 : rows.stop - 1]
    return np.asarray(newest[:, np.newaxis] * np.exp(np.sort(quantiles, axis=1)))


def trailing(values: Values, sessions: int) -> Values:
    """The mean of the newest sessions at each row; NaN where there are fewer, or one of them is NaN."""
    means = np.full(len(values), math.nan)
    means[sessions - 1 :] = np.lib.stride_tricks.sliding_window_view(values, sessions).mean(axis=1)
    return means
