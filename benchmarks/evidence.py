"""The tables of docs/evidence.md: what the distributions are worth beside naive ones, GARCH and their own parts.

    .venv/bin/python -m benchmarks.evidence --data FOLDER --home HOME

FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO, VIX_2010_2020.csv, in the layout of Yahoo's export. HOME keeps
the forecasts: the same command goes on where it was stopped. With --ours FILE the distributions of `anchored` with and
without ^VIX are written for benchmarks/peers.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evidence_runs import ABLATION, ALL, CALIBRATION, METHODS, RIVALS, WITH_VIX, YEARS, Made, make

if TYPE_CHECKING:
    from model.evaluation.metrics import DieboldMariano
    from model.market.prices import Values

Everything = Mapping[tuple[str, str], Made]
LABELS = {
    "garch_t": "GARCH(1,1), Student t",
    "egarch_t": "EGARCH, Student t",
    "log_har": "log-HAR on the Garman-Klass range",
    "constant_250": "constant: the last 250 changes",
    "constant_500": "constant: the last 500 changes",
    "constant_1000": "constant: the last 1,000 changes",
}


def main() -> None:
    """Make what is not there yet, and print the tables."""
    options = _options()
    options.home.mkdir(parents=True, exist_ok=True)
    methods = [name for name in METHODS if name not in options.without.split(",")]
    made = _everything(options, methods)
    if options.ours:
        ours = {
            f"{series.replace(' ', '_')}{ending}": made[method, series].quantiles
            for method, ending in (("anchored", ""), (WITH_VIX, "_VIX"))
            for series in ALL
        }
        np.savez(options.ours, **ours)  # type: ignore[arg-type] # NumPy's types take the names for its options
    chosen = [name for name in methods if name not in (*ABLATION, *CALIBRATION)]
    _print("Ten series, mean", _methods(made, chosen))
    for method in ("anchored", WITH_VIX):
        _print(f"{method} by series", _by_series(made, method))
        _print(f"{method} by year", _by_year(made, method))
    _print("Parts of anchored", _parts(made, methods))
    _print("Point forecasts", _points(made, [name for name in ("anchored", "tutorial") if name in methods]))


def _everything(options: argparse.Namespace, methods: Sequence[str]) -> Everything:
    wanted = [(method, series) for method in methods for series in ALL]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(make, *each, options.data, options.home) for each in wanted]
        made = {}
        for each, future in zip(wanted, running, strict=True):
            made[each] = future.result()
            print(f"{each[1]}, {each[0]}: {made[each].seconds:.1f} s", file=sys.stderr)
    return made


def _methods(made: Everything, methods: Sequence[str]) -> Iterator[Sequence[str]]:
    yield (
        "",
        "CRPS of constant 500",
        "of GARCH-t",
        "worst series",
        "log score above GARCH-t's",
        "Winkler 95 of GARCH-t's",
        "within 80 %",
        "within 95 %",
        "processor seconds",
    )
    for method in methods:
        garch = [_ratio(made, method, "garch_t", series) for series in ALL]
        yield (
            LABELS.get(method, f"**{method}**"),
            f"{np.mean([_ratio(made, method, 'constant_500', series) for series in ALL]):.4f}",
            f"{np.mean(garch):.4f}",
            f"{max(garch):.3f}",
            f"{np.mean([_density_gain(made, method, series) for series in ALL]):+.3f}",
            f"{np.mean([_winkler(made, method, series) / _winkler(made, 'garch_t', series) for series in ALL]):.3f}",
            *(f"{100 * np.mean([_held(made, method, series, level) for series in ALL]):.1f}" for level in (80, 95)),
            f"{sum(made[method, series].seconds for series in ALL):.0f}",
        )


def _by_series(made: Everything, ours: str) -> Iterator[Sequence[str]]:
    others = ("constant_500", "garch_t", "scale alone")
    yield (
        "",
        "CRPS",
        *(f"{head}, p" for head in ("of constant 500", "of GARCH-t", "of the scale alone")),
        "log score above GARCH-t's",
        "Winkler 95 of GARCH-t's",
        "within 80 %",
        "within 95 %",
    )
    for series in ALL:
        compared = (
            f"{_ratio(made, ours, other, series):.3f}, {_p(_test(made, ours, other, series).p_better)}"
            for other in others
        )
        yield (
            series,
            f"${_crps(made[ours, series]).mean():.3f}",
            *compared,
            f"{_density_gain(made, ours, series):+.3f}",
            f"{_winkler(made, ours, series) / _winkler(made, 'garch_t', series):.3f}",
            *(f"{100 * _held(made, ours, series, level):.1f}" for level in (80, 95)),
        )


def _by_year(made: Everything, ours: str) -> Iterator[Sequence[str]]:
    others = ("constant_250", "constant_500", "constant_1000", *RIVALS, "scale alone")
    yield ("of", *YEARS, "all", "all without 20 February to 30 April 2020")
    for other in others:
        rows = [_year(made[ours, ALL[0]], year) for year in YEARS]
        days = made[ours, ALL[0]].sessions
        crash = (days >= np.datetime64("2020-02-20")) & (days <= np.datetime64("2020-04-30"))
        parts = [*rows, np.full(len(days), True), ~crash]
        yield (
            LABELS.get(other, other),
            *(f"{np.mean([_ratio(made, ours, other, series, part) for series in ALL]):.4f}" for part in parts),
        )


def _parts(made: Everything, methods: Sequence[str]) -> Iterator[Sequence[str]]:
    yield ("", "CRPS of anchored's", "better, of ten series", "within 80 %", "within 95 %")
    for method in ("anchored", *(name for name in methods if name in (*ABLATION, *CALIBRATION))):
        found = [_ratio(made, method, "anchored", series) for series in ALL]
        yield (
            method,
            f"{np.mean(found):.4f}",
            str(sum(ratio < 1 for ratio in found)),
            *(f"{100 * np.mean([_held(made, method, series, level) for series in ALL]):.1f}" for level in (80, 95)),
        )


def _points(made: Everything, methods: Sequence[str]) -> Iterator[Sequence[str]]:
    """RMSE beside the newest Close, which is the best naive price of both columns."""
    yield ("RMSE", "newest Close", *methods, *(f"{method} of it" for method in methods))
    for series in ALL:
        reference = made["anchored", series]
        naive = _rmse(reference.actual, reference.close)
        errors = [_rmse(reference.actual, made[method, series].point) for method in methods]
        yield (series, f"${naive:.3f}", *(f"${e:.3f}" for e in errors), *(f"{e / naive:.4f}" for e in errors))


@cache
def _crps(made: Made) -> "Values":
    from model.evaluation import distribution

    return distribution.crps(made.actual, made.quantiles)


def _ratio(made: Everything, method: str, other: str, series: str, rows: "Values | slice" = slice(None)) -> float:
    ours, theirs = _crps(made[method, series]), _crps(made[other, series])
    return float(ours[rows].mean() / theirs[rows].mean())


def _test(made: Everything, method: str, other: str, series: str) -> "DieboldMariano":
    from model.evaluation.metrics import diebold_mariano

    return diebold_mariano(_crps(made[method, series]), _crps(made[other, series]))


def _density_gain(made: Everything, method: str, series: str) -> float:
    return float(made[method, series].density.mean() - made["garch_t", series].density.mean())


def _winkler(made: Everything, method: str, series: str) -> float:
    from model.evaluation import distribution, metrics

    each = made[method, series]
    return metrics.winkler(each.actual, *distribution.interval(each.quantiles, 95), 0.95)


def _held(made: Everything, method: str, series: str, level: int) -> float:
    from model.evaluation import distribution, metrics

    each = made[method, series]
    return metrics.coverage(each.actual, *distribution.interval(each.quantiles, level)).value


def _year(made: Made, year: str) -> "np.typing.NDArray[np.bool_]":
    return np.asarray(made.sessions.astype("datetime64[Y]") == np.datetime64(year, "Y"))


def _rmse(actual: "Values", forecast: "Values") -> float:
    from model.evaluation.metrics import rmse

    return rmse(actual, forecast)


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _print(title: str, rows: Iterator[Sequence[str]]) -> None:
    heading, *body = rows
    print(f"\n{title}\n")
    print("| " + " | ".join(heading) + " |")
    print("| --- |" + " ---: |" * (len(heading) - 1))
    for row in body:
        print("| " + " | ".join(row) + " |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with the six files")
    parser.add_argument("--home", type=Path, required=True, help="a folder that keeps the forecasts")
    parser.add_argument("--ours", type=Path, help="write the distributions of anchored to this file (.npz)")
    parser.add_argument("--without", default="", help="methods to leave out, such as tutorial, which takes longest")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
