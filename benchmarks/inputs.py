"""The table of docs/inputs.md: what the index of volatility is worth as an input, and what an input of no use costs.

    .venv/bin/python -m benchmarks.inputs --data FOLDER

FOLDER is as for benchmarks/evidence, with VIX_2010_2020.csv beside. Yearly fits, each session forecast with what was
known at the close of the session before. What is compared is `anchored` with an input and without it, everything else
being the same. With --branch alone the linear branch forecasts by itself: that takes seconds.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from benchmarks.evidence_runs import COLUMNS, FILES, LAST, VIX, index, prices_of, with_series

if TYPE_CHECKING:
    from model.config import ForecasterConfig
    from model.market.prices import Prices, Values

WALKS = 3


def main() -> None:
    """Fit, forecast, and print each input's CRPS as a share of that without it."""
    options = _options()
    os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    years = range(options.first, options.last + 1)
    prices = {ticker: _with_inputs(prices_of(ticker, options.data), options.data) for ticker in FILES}
    series = [(ticker, column) for ticker in FILES for column in COLUMNS]
    without = {each: _losses(prices[each[0]], each[1], None, years, options) for each in series}
    print(f"| | mean | better on | {' | '.join(f'{ticker} {column}' for ticker, column in series)} |")
    print(f"| --- |{' ---: |' * (2 + len(series))}")
    for name in (VIX, *(f"random walk {seed}" for seed in range(1, WALKS + 1))):
        made = {each: _losses(prices[each[0]], each[1], name, years, options) for each in series}
        shares = [float(made[each].mean() / without[each].mean()) for each in series]
        better = f"{sum(share < 1 for share in shares)} of {len(shares)}"
        numbers = " | ".join(f"{share:.4f}" for share in shares)
        print(f"| {name} | {np.mean(shares):.4f} | {better} | {numbers} |", flush=True)


def _with_inputs(prices: "Prices", data: Path) -> "Prices":
    """The prices with the index beside, and with random walks that say nothing, all known at each close."""
    days, closes = index(data)
    walks = {
        f"random walk {seed}": 20 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.07, len(days))))
        for seed in range(1, WALKS + 1)
    }
    return with_series(prices, days, {VIX: closes, **walks})


def _losses(
    prices: "Prices", column: str, name: str | None, years: Sequence[int], options: argparse.Namespace
) -> "Values":
    """(n,) the CRPS of each session of the years, with one input or none."""
    from model.artifact.series_input import SeriesInput
    from model.config import preset
    from model.evaluation.distribution import crps
    from model.training import objective

    series = () if name is None else (SeriesInput(name=name),)
    config = preset("anchored").model_copy(update={"column": column, "series": series})
    parts = []
    with patch.object(objective, "SERIES_RIDGE", options.ridge or objective.SERIES_RIDGE):
        for start, stop in _rows(prices, years):
            parts.append(crps(prices.column(column)[start:stop], _quantiles(prices, config, start, stop, options)))
    return np.concatenate(parts)


def _quantiles(
    prices: "Prices", config: "ForecasterConfig", start: int, stop: int, options: argparse.Namespace
) -> "Values":
    from model.artifact.inference import forecast
    from model.backtest.proof import _Silent
    from model.forecaster.calibration import calibrate
    from model.forecaster.forecasts import Forecasts
    from model.forecaster.scaling import fit_recipe
    from model.training.fit import _with_branch, train_forecaster

    train, known = prices.rows(0, start), prices.rows(0, stop - 1)
    if not options.branch:
        return train_forecaster(train, config).predict(known, stop - start).quantiles
    recipe = calibrate(_Silent(), _with_branch(fit_recipe(train, config), train, None), train)
    made = forecast(_Silent(), recipe, known.table(), stop - start, known.following_day)
    return Forecasts.from_columns(made).quantiles


def _rows(prices: "Prices", years: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The rows of each year's sessions, up to the last day of benchmarks/evidence."""
    end = int(np.searchsorted(prices.sessions, np.datetime64(LAST), side="right"))
    for year in years:
        start, stop = (int(np.searchsorted(prices.sessions, np.datetime64(f"{y}-01-01"))) for y in (year, year + 1))
        yield start, min(stop, end)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the prices")
    parser.add_argument("--first", type=int, default=2018, help="the first year that is forecast")
    parser.add_argument("--last", type=int, default=2020, help="the last year that is forecast")
    parser.add_argument("--branch", action="store_true", help="the linear branch by itself, without the network")
    parser.add_argument("--ridge", type=float, help="another penalty on the weights of other series")
    return parser.parse_args()


if __name__ == "__main__":
    main()
