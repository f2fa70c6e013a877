"""The tables of docs/shared.md: what a shared network is worth beside each security's own.

    .venv/bin/python -m benchmarks.shared --data FOLDER

FOLDER is as for benchmarks/evidence. Yearly fits, each session forecast with what was known at the close of the session
before. The first session of a year is left out: the network of that year may not forecast it.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from benchmarks.evidence_runs import COLUMNS, FILES, prices_of

if TYPE_CHECKING:
    from model.config import ForecasterConfig
    from model.market.prices import Prices, Values
    from model.training.fit_shared import SharedFit

# Windows in an epoch; the largest is more than five securities have.
SIZES = (1024, 4096, 16384)
UNSEEN = "shared, fitted on the four others"


def main() -> None:
    """Fit, forecast, and print each way's CRPS as a share of that of the security's own network."""
    options = _options()
    os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    prices = {ticker: prices_of(ticker, options.data) for ticker in FILES}
    scores = {column: _scores(prices, column, range(options.first, options.last + 1)) for column in COLUMNS}
    series = [(ticker, column) for ticker in FILES for column in COLUMNS]
    print(f"| | mean | better on | {' | '.join(f'{ticker} {column}' for ticker, column in series)} |")
    print(f"| --- |{' ---: |' * (2 + len(series))}")
    for way in next(iter(scores.values())):
        shares = [scores[column][way][ticker] / scores[column]["own"][ticker] for ticker, column in series]
        better = f"{sum(share < 1 for share in shares)} of {len(shares)}"
        print(f"| {way} | {np.mean(shares):.4f} | {better} | {' | '.join(f'{share:.4f}' for share in shares)} |")


def _scores(prices: "Mapping[str, Prices]", column: str, years: Sequence[int]) -> dict[str, dict[str, float]]:
    """Way -> ticker -> CRPS, in dollars."""
    found: dict[str, dict[str, list[Values]]] = {}
    for year in years:
        for way, ticker, losses in _year(prices, column, year):
            found.setdefault(way, {}).setdefault(ticker, []).append(losses)
    return {
        way: {ticker: float(np.concatenate(parts).mean()) for ticker, parts in each.items()}
        for way, each in found.items()
    }


def _year(prices: "Mapping[str, Prices]", column: str, year: int) -> "Iterator[tuple[str, str, Values]]":
    """Way, ticker, and the CRPS of each session of a year."""
    from model.config import preset
    from model.evaluation.distribution import crps
    from model.training.fit import train_forecaster

    anchored = preset("anchored").model_copy(update={"column": column})
    sized = {size: _fit(prices, anchored, year, size) for size in SIZES}
    for ticker, known in prices.items():
        first, stop = (int(np.searchsorted(known.sessions, np.datetime64(f"{y}-01-01"))) for y in (year, year + 1))
        train, n = known.rows(0, first + 1), stop - first - 1
        others = {other: series for other, series in prices.items() if other != ticker}
        unseen = _fit(others, anchored, year, SIZES[-1])
        ways: dict[str, tuple[str, SharedFit | None]] = {
            "own": ("own", None),
            **{
                f"{how}, {size} windows an epoch": (how, fit)
                for size, fit in sized.items()
                for how in ("shared", "both")
            },
            UNSEEN: ("shared", unseen),
        }
        for way, (how, fit) in ways.items():
            config = anchored.model_copy(update={"training": anchored.training.model_copy(update={"shared": how})})
            made = train_forecaster(train, config, shared=fit).predict(known.rows(0, stop - 1), n)
            yield way, ticker, crps(known.column(column)[first + 1 : stop], made.quantiles)


def _fit(prices: "Mapping[str, Prices]", config: "ForecasterConfig", year: int, size: int) -> "SharedFit":
    from model.training import fit_shared
    from model.training.pool import joined, pool_of

    pool = joined([pool_of(known, config) for known in prices.values()])
    begun = time.process_time()
    with patch.object(fit_shared, "PER_EPOCH", size):
        fit = fit_shared.fit_shared(pool, fit_shared.shared_configuration(config), date(year, 1, 1))
    seconds = time.process_time() - begun
    print(f"{config.column} {year}, {len(prices)} securities, {size}: {seconds:.1f} s", file=sys.stderr)
    return fit


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the prices")
    parser.add_argument("--first", type=int, default=2018, help="the first year that is forecast")
    parser.add_argument("--last", type=int, default=2020, help="the last year that is forecast")
    return parser.parse_args()


if __name__ == "__main__":
    main()
