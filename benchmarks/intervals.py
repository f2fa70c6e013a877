"""Intervals through the past: how often they hold the price, and their Winkler score beside constant widths.

    .venv/bin/python -m benchmarks.intervals --data FOLDER

FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO_2010_2020.csv, in the layout of Yahoo's export. One session
ahead, January 2018 to November 2020, a fit at the start of each year, widths calibrated before each month. Beside them
stand conformal intervals of one constant width around the same forecasts: from the last 500 relative errors before
the month.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.backtest.plan import Plan
    from model.evaluation.evaluation import Intervals
    from model.market.prices import Prices, Values

ERRORS = 500
LEVELS = (0.8, 0.95)
FILES = {"FB": "FB_2012_2020.csv"} | {ticker: f"{ticker}_2010_2020.csv" for ticker in ("AAPL", "MSFT", "NVDA", "KO")}


def main() -> None:
    """Measure every security, and print a table for each column."""
    options = _options()
    os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"})
    for column in options.columns.split(","):
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            rows = list(pool.map(partial(measure, options.data, column, options.preset), FILES))
        print(f"\n{options.preset}, {column}:\n")
        print("| | 80 %: held | constant | gain | 95 %: held | constant | gain |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for ticker, row in zip(FILES, rows, strict=True):
            print(f"| {ticker} | " + " | ".join(f"{100 * value:.1f}" for value in row) + " |")
        mean = np.mean(rows, axis=0)
        print(f"| mean | | | {100 * mean[2]:.1f} | | | {100 * mean[5]:.1f} |")


def measure(folder: Path, column: str, preset: str, ticker: str) -> tuple[float, ...]:
    """For each level: the share held, the share that constant widths hold, and how much smaller the score is."""
    from model.evaluation.metrics import winkler

    months = list(_months(_plan(folder, column, preset, ticker), column))
    actual = np.concatenate([month[0] for month in months])
    figures: list[float] = []
    for level in LEVELS:
        held, score = {}, {}
        for kind, at in (("intervals", [month[1] for month in months]), ("constant", [month[2] for month in months])):
            lower, upper = (np.concatenate([month[level][end] for month in at]) for end in (0, 1))
            held[kind] = float(np.mean((lower <= actual) & (actual <= upper)))
            score[kind] = winkler(actual, lower, upper, level)
        figures += [held["intervals"], held["constant"], 1 - score["intervals"] / score["constant"]]
    return tuple(figures)


def _months(plan: "Plan", column: str) -> "Iterator[tuple[Values, Intervals, Intervals]]":
    """Month by month: what happened, the intervals, and those of constant width."""
    from model.backtest.fit import period_split, training_part
    from model.evaluation.evaluation import evaluate
    from model.training.fit import train_forecaster

    [config] = plan.forecasters
    for fit in sorted(plan.fits, key=lambda fit: fit.stop):
        forecaster = train_forecaster(training_part(plan.prices, fit), config)
        for origin in fit.origins:
            split = period_split(plan.prices, origin)
            judged = evaluate(forecaster.calibrated(split.train).predict, split, column)
            widths = _constant_widths(forecaster.forecast(_but_last(split.train), ERRORS), split.train.column(column))
            constant = {level: (judged.forecast * (1 - w), judged.forecast * (1 + w)) for level, w in widths.items()}
            yield judged.actual, judged.intervals, constant


def _constant_widths(forecast: "Values", known: "Values") -> dict[float, float]:
    """The conformal widths of the newest relative errors, one for each level."""
    strays = np.sort(np.abs(known[-ERRORS:] / forecast - 1))
    return {level: float(strays[int(np.ceil((ERRORS + 1) * level)) - 1]) for level in LEVELS}


def _but_last(prices: "Prices") -> "Prices":
    """What was known when the newest session was forecast."""
    return prices.until(prices.day(-2))


def _plan(folder: Path, column: str, preset: str, ticker: str) -> "Plan":
    from model.backtest.plan import BacktestConfig, plan_backtest
    from model.config import PRESETS, PriceRequest
    from tasks.prices.request import resolve
    from tasks.prices.sources.read import read_prices
    from tasks.settings import read_settings

    config = PriceRequest(ticker=ticker, source="csv", files=(str(folder / FILES[ticker]),))
    settings, now = read_settings(), datetime.now(UTC)
    prices = read_prices(resolve(config, settings, now), settings, now)
    chosen = PRESETS[preset].model_copy(update={"column": column})
    return plan_backtest(prices, BacktestConfig(first="2018-01", last="2020-11", refit=12), [chosen])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with the five files")
    parser.add_argument("--columns", default="Close,Open")
    parser.add_argument("--preset", default="anchored")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
