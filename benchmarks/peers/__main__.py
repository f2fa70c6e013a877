"""What a user would pick instead of this product, on the sessions of docs/evidence.md.

    python3.11 -m venv PEERS
    PEERS/bin/pip install -r benchmarks/peers.txt
    OMP_NUM_THREADS=1 PEERS/bin/python -m benchmarks.peers --data FOLDER --out KEPT --ours QUANTILES.npz

A separate environment: these libraries are no dependencies of the product, and some refuse the versions it needs.
FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO, VIX_2010_2020.csv, in the layout of Yahoo's export. KEPT keeps
each method's quantiles and processor seconds: the same command goes on where it was stopped. QUANTILES.npz is what
`benchmarks.evidence` writes: `FB_Close` and so on, (sessions, 25) dollars each, and `FB_Close_VIX` for those with ^VIX.
Without it the peers stand alone. The three best peers are run a second time with ^VIX beside, beside ours with it.

Ten series, the Open and the Close of five securities, 2018-01 to 2020-11, one session ahead, fitted anew for each year
on all earlier sessions. The settings were found on 2015 to 2017 (`--years 2015,2016,2017`), and on nothing later.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.peers import tables
from benchmarks.peers.market import Method, Quantiles, dollars, read_market
from benchmarks.peers.scores import Scores

OURS = "ours"
# The same with the index of volatility beside the security's own prices.
WITH_INDEX = "-vix"
LABELS = {
    "constant": "the last 500 changes",
    "garch": "arch: GARCH(1,1), Student's t",
    "aparch": "arch: APARCH, skewed t",
    "conformal": "crepes: conformal, by the month's movement",
    "linear": "statsmodels: linear quantile regression",
    "lightgbm": "LightGBM: quantiles, all series",
    "neuralforecast": "neuralforecast: LSTM, MQLoss, all series, 3 seeds",
    "darts": "Darts: BlockRNN LSTM, quantiles, all series, 3 seeds",
    "deepar": "GluonTS: DeepAR, Student's t, all series, 3 seeds",
    OURS: "ours: anchored",
}
LABELS |= {f"{name}{WITH_INDEX}": f"{LABELS[name]}, ^VIX" for name in ("lightgbm", "neuralforecast", "darts", OURS)}
REFERENCES = (tables.CONSTANT, tables.GARCH)


def main() -> None:
    """Run what is not there yet, and print the tables."""
    options = _options()
    years = [int(year) for year in options.years.split(",")]
    market = read_market(options.data)
    folder = options.out / "-".join(map(str, years))
    folder.mkdir(parents=True, exist_ok=True)
    quantiles: dict[str, Quantiles] = {}
    seconds: dict[str, float] = {}
    for name in dict.fromkeys([*REFERENCES, *options.methods.split(",")]):
        kept = folder / f"{name}.npz"
        if not kept.exists():
            print(name, file=sys.stderr)
            _run(name, options.data, years, kept)
        arrays = dict(np.load(kept))
        seconds[name] = float(arrays.pop("seconds"))
        quantiles[name] = arrays
    if options.ours:
        arrays = dict(np.load(options.ours))
        for ours, suffix in ((OURS, ""), (f"{OURS}{WITH_INDEX}", "_VIX")):
            quantiles[ours] = {series.name: arrays[f"{series.name}{suffix}"] for series in market}
    for ending in ("", WITH_INDEX):
        compared = [name for name in quantiles if name in REFERENCES or name.endswith(WITH_INDEX) == bool(ending)]
        if len(compared) > len(REFERENCES):
            scores = Scores(market=market, years=years, quantiles={name: quantiles[name] for name in compared})
            _print(scores, seconds, f"{OURS}{ending}")


def _print(scores: Scores, seconds: Mapping[str, float], ours: str) -> None:
    print(tables.markdown("What a user would pick instead", tables.methods(scores, LABELS, seconds)))
    print(tables.markdown("CRPS as a share of GARCH-t's, by year", tables.by_year(scores, LABELS)))
    if ours in scores.quantiles:
        best = scores.best([name for name in scores.quantiles if name != ours], tables.GARCH)
        print(tables.markdown("Our CRPS as a share of theirs", tables.ours(scores, LABELS, ours)))
        print(tables.markdown("Beside the best of them", tables.by_series(scores, LABELS, ours, best)))


def _run(name: str, data: Path, years: list[int], kept: Path) -> None:
    """Forecast by one method, and keep the prices; the time does not count the import of its library."""
    method = _method(name.removesuffix(WITH_INDEX))
    market = read_market(data, index=name.endswith(WITH_INDEX))
    started = time.process_time()
    made = method(market, years)
    seconds = time.process_time() - started
    part = kept.with_suffix(".part")
    with part.open("wb") as file:
        prices = {series.name: dollars(series, years, made[series.name]) for series in market}
        np.savez_compressed(file, seconds=seconds, **prices)  # type: ignore[arg-type]
    part.replace(kept)


def _method(name: str) -> Method:
    """The function; its library is imported only when it is asked for."""
    if name in ("constant", "garch", "aparch", "conformal"):
        from benchmarks.peers.classical import aparch, conformal, constant, garch

        found: Method = {"constant": constant, "garch": garch, "aparch": aparch, "conformal": conformal}[name]
    elif name in ("linear", "lightgbm"):
        from benchmarks.peers.regression import linear, trees

        found = linear if name == "linear" else trees
    elif name == "neuralforecast":
        from benchmarks.peers.neuralforecast_lstm import lstm as found
    elif name == "darts":
        from benchmarks.peers.darts_lstm import block_rnn as found
    elif name == "deepar":
        from benchmarks.peers.gluonts_deepar import deepar as found
    else:
        raise SystemExit(f"no method {name}; there are {', '.join(LABELS)}")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with the six files")
    parser.add_argument("--out", type=Path, required=True, help="a folder that keeps each method's quantiles")
    parser.add_argument("--ours", type=Path, help="this product's quantiles, as benchmarks.evidence writes them")
    parser.add_argument("--methods", default=",".join(name for name in LABELS if not name.startswith(OURS)))
    parser.add_argument("--years", default="2018,2019,2020")
    return parser.parse_args()


if __name__ == "__main__":
    main()
