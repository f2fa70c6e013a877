"""How a training grows with the history, the lookback and the units: time, memory, and what is copied.

    .venv/bin/python -m benchmarks.growth
    .venv/bin/python -m benchmarks.growth --epochs 2 --runs 1 --dimensions lookback --multiples 1,2 --json

One dimension at a time; the other two stay at the tutorial's (BASE says what is multiplied). Each point is a whole
`tomorrow train` against one running Prefect server, on a random walk over the exchange's own sessions. It has its own
security, so that the gate never has a champion to judge. Points take turns, so that a busy machine slows all alike.
The exponent is the slope of log(figure) over log(multiple): 1 is in proportion, 0 not at all.

Then two separate processes measure the memory of windows: what `make_windows` takes, and what a fit takes on top.
Prints Markdown tables, or all runs as JSON.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import TOMORROW, benchmark, measure, prefect_server
from model.config import ForecasterConfig, preset
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.market.calendar import ExchangeCalendar
from model.market.prices import Days, Prices
from model.market.security import Security

# History is the number of windows that are fitted on, some five years of them; units are those of each of four layers.
TUTORIAL = {"history": 1250, "lookback": 40, "units": 45}
BASE = {"history": 1250, "lookback": 20, "units": 16}
LAYERS, TEST_SESSIONS, LAST = 4, 21, date(2019, 12, 31)

LONG, FITTED, SMALL, BATCH = 1_000_000, 500_000, 1_000, 512  # sessions; windows; windows; windows a batch
FIGURES = {
    "epoch": ("fit, s an epoch after the first", 3),
    "fit": ("fit with compilation, s", 2),
    "overhead": ("process without fit, s", 2),
    "megabytes": ("peak memory, MB", 0),
}
Row = dict[str, Any]


def main() -> None:
    """Measure, and print what came out."""
    options = _options()
    if options.windows:
        print(json.dumps(_made(options.windows)))
        return
    if options.fit:
        print(json.dumps(_fitted(options.fit)))
        return
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-growth-") as folder:
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        with prefect_server(Path(folder, "prefect")) as server:
            rows = _points(options, Path(folder), server)
    made = json.loads(measure(benchmark("growth", "--windows", str(LONG))).output)
    small, large = (json.loads(measure(benchmark("growth", "--fit", str(n))).output) for n in (SMALL, FITTED))
    copies = (large["fit_megabytes"] - small["fit_megabytes"]) / large["copy_megabytes"]
    fitted = {"small": small, "large": large, "copies": copies}
    if options.json:
        points = {"epochs": options.epochs, "runs": rows, "summary": _summary(rows)}
        print(json.dumps({**points, "windows": made, "fit": fitted}, indent=2))
    else:
        print(f"Median of {options.runs} runs of {options.epochs} epochs.")
        _print_points(_summary(rows))
        _print_memory(made, fitted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3, help="with 1 there is no time without compilation")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dimensions", default=",".join(BASE))
    parser.add_argument("--multiples", default="1,2,4,8")
    parser.add_argument("--json", action="store_true")
    # For the processes that this one starts.
    parser.add_argument("--windows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fit", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _points(options: argparse.Namespace, folder: Path, server: dict[str, str]) -> list[Row]:
    """One row a run of a point; a training before them makes the databases."""
    sizes = [
        (dimension, multiple, TUTORIAL | {dimension: BASE[dimension] * multiple})
        for dimension in options.dimensions.split(",")
        for multiple in map(int, options.multiples.split(","))
    ]
    _train(TUTORIAL, "FIRST", 1, folder, server)
    rows: list[Row] = []
    for run in range(options.runs):
        for dimension, multiple, size in sizes:
            ticker = f"{dimension[0]}{multiple}R{run}".upper()
            figures = _train(size, ticker, options.epochs, folder, server)
            rows.append({"dimension": dimension, "multiple": multiple, "run": run, **size, **figures})
            print(f"{dimension} x {multiple}, run {run + 1} of {options.runs}", file=sys.stderr, flush=True)
    return rows


def _train(size: dict[str, int], ticker: str, epochs: int, folder: Path, server: dict[str, str]) -> Row:
    prices = _walk(_exchange_sessions(size["history"] + size["lookback"] + TEST_SESSIONS))
    file = folder / f"{ticker}.csv"
    prices.frame().round(6).to_csv(file)
    units = json.dumps([size["units"]] * LAYERS)
    command = [TOMORROW, "train", "--source", "csv", "--prices", str(file), "--ticker", ticker, "--preset", "tutorial"]
    command += ["--lookback", str(size["lookback"]), "--set", f"network.units={units}", "--epochs", str(epochs)]
    command += ["--test-sessions", str(TEST_SESSIONS), "--again", "--json"]
    run = measure(command, server)
    answer = json.loads(run.output)
    if answer["train"]["inputs"] != [size["history"], size["lookback"], 1]:
        sys.exit(f"asked for {size}, fitted on {answer['train']['inputs']}")
    fit = answer["fit"]["seconds"]
    epoch, overhead = _epoch_seconds(answer["run_id"]), run.seconds - fit
    return {"epoch": epoch, "fit": fit, "overhead": overhead, "megabytes": run.megabytes}


def _epoch_seconds(run_id: str) -> float | None:
    """The mean seconds of an epoch, by the losses' times in MLflow; without the first, which compiles the network."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{os.environ['TOMORROW_HOME']}/mlflow.db")
    times = sorted(loss.timestamp for loss in client.get_metric_history(run_id, "loss"))
    return (times[-1] - times[0]) / 1000 / (len(times) - 1) if len(times) > 1 else None


def _exchange_sessions(n: int) -> Days:
    """The newest n sessions up to LAST: the checks need each of them, and the calendar knows all since 1970."""
    return ExchangeCalendar().sessions(date(1970, 1, 1), LAST)[-n:]


def _walk(sessions: Days) -> Prices:
    """A random walk that goes about a factor of e far, however long it is."""
    rng, n = np.random.default_rng(0), len(sessions)
    opened = 100 * np.exp(np.cumsum(rng.standard_normal(n)) / n**0.5)
    close = opened * np.exp(0.005 * rng.standard_normal(n))
    high, low = np.maximum(opened, close) * 1.005, np.minimum(opened, close) * 0.995
    values = np.column_stack([opened, high, low, close, close, np.full(n, 1e6)])
    return Prices(security=Security(ticker="WALK"), source="csv", origin="a walk", sessions=sessions, values=values)


def _days(n: int) -> Days:
    """(n,) days from 1970 on, of no calendar: a million of an exchange's sessions would take four thousand years."""
    return np.datetime64("1970-01-01", "D") + np.arange(n).astype("timedelta64[D]")


def _one_unit() -> ForecasterConfig:
    """The tutorial's preset with a network so small that a fit's memory is that of its data."""
    raw = preset("tutorial").model_dump()
    raw["network"]["units"] = [1]
    raw["training"] |= {"epochs": 1, "batch_size": BATCH}
    return ForecasterConfig.model_validate(raw)


def _windows(n: int) -> tuple[Windows, dict[str, float]]:
    """The tutorial's windows of n days, and the megabytes that making them took."""
    config, prices = _one_unit(), _walk(_days(n))
    recipe = fit_recipe(prices, config)
    before = _resident()
    tracemalloc.start()
    windows = make_windows(prices, recipe)
    kept, peak = (of / 2**20 for of in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    return windows, {
        "prices_megabytes": (prices.values.nbytes + prices.sessions.nbytes) / 2**20,
        "column_megabytes": 4 * n / 2**20,
        "kept_megabytes": kept,
        "peak_megabytes": peak,
        "resident_megabytes": _resident() - before,
    }


def _made(n: int) -> Row:
    """Whether windows are views: neighbours share memory, and all of them take no more than the series."""
    windows, took = _windows(n)
    inputs = windows.inputs
    shared = inputs.base is not None and bool(np.shares_memory(inputs[0], inputs[1]))
    return {"sessions": n, "shape": inputs.shape, "shared": shared, "copy_megabytes": inputs.nbytes / 2**20, **took}


def _fitted(n: int) -> Row:
    """The peak memory of one epoch of `fit` on n windows, beyond the memory in use before it."""
    from random import Random

    from model.network.build import build_network
    from model.training.fit import fit
    from tasks.system.keras_backend import load_backend

    load_backend()
    config = _one_unit()
    windows, _ = _windows(n + config.lookback)
    network = build_network(config.network, config.lookback, draws=Random(0))
    before = _resident()
    fit(network, windows, config.training, Random(0), lambda _epoch, _loss: None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"windows": n, "fit_megabytes": peak - before, "copy_megabytes": windows.inputs.nbytes / 2**20}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _summary(rows: list[Row]) -> dict[str, Row]:
    """By dimension: the multiples, and the medians and the exponent of each figure."""
    summary: dict[str, Row] = {}
    for dimension in dict.fromkeys(row["dimension"] for row in rows):
        of_it = [row for row in rows if row["dimension"] == dimension]
        multiples = sorted({row["multiple"] for row in of_it})
        medians = {
            name: [_median([row[name] for row in of_it if row["multiple"] == multiple]) for multiple in multiples]
            for name in FIGURES
        }
        exponents = {name: _exponent(multiples, figures) for name, figures in medians.items()}
        summary[dimension] = {"multiples": multiples, "medians": medians, "exponents": exponents}
    return summary


def _print_points(summary: dict[str, Row]) -> None:
    """One table per dimension: a line per multiple, and the exponents below."""
    for dimension, of_it in summary.items():
        print(f"\n| {dimension} | " + " | ".join(title for title, _ in FIGURES.values()) + " |")
        print("| ---: |" + " ---: |" * len(FIGURES))
        for line, multiple in enumerate(of_it["multiples"]):
            cells = [_cell(of_it["medians"][name][line], digits) for name, (_, digits) in FIGURES.items()]
            print(f"| {BASE[dimension] * multiple:,} | " + " | ".join(cells) + " |")
        print("| exponent | " + " | ".join(_cell(of_it["exponents"][name], 2) for name in FIGURES) + " |")


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _exponent(multiples: list[int], figures: list[float | None]) -> float | None:
    """The slope of log(figure) over log(multiple), by least squares."""
    known = [figure for figure in figures if figure is not None]
    if len(multiples) < 2 or len(known) < len(multiples):
        return None
    return float(np.polyfit(np.log(multiples), np.log(known), 1)[0])


def _cell(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:.{digits}f}"


def _print_memory(made: Row, fitted: Row) -> None:
    column, large = made["column_megabytes"], fitted["large"]
    print(f"\n| windows of {made['sessions']:,} sessions | MB | times one column in float32 |")
    print("| --- | ---: | ---: |")
    for name, megabytes in (
        ("the prices themselves", made["prices_megabytes"]),
        ("what is kept: the series under the windows, and the targets", made["kept_megabytes"]),
        ("the most that is in use while they are made", made["peak_megabytes"]),
        ("growth of resident memory", made["resident_megabytes"]),
        ("the windows, were they a copy", made["copy_megabytes"]),
    ):
        print(f"| {name} | {megabytes:.1f} | {megabytes / column:.1f} |")
    print(f"\nThe windows are {'views into one series' if made['shared'] else 'copies'}.\n")
    print("| one epoch, one unit, beyond what there was before the fit | MB |")
    print("| --- | ---: |")
    for fit in (fitted["small"], large):
        print(f"| peak memory on {fit['windows']:,} windows | {fit['fit_megabytes']:.0f} |")
    print(f"| a copy of {large['windows']:,} windows | {large['copy_megabytes']:.0f} |")
    print(f"| the difference of the peaks, in copies | {fitted['copies']:.2f} |")


if __name__ == "__main__":
    main()
