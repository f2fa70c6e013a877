"""How long the backtest of 35 months takes, with five seeds and yearly refits, and how much of that is not fitting.

    .venv/bin/python -m benchmarks.backtest
    .venv/bin/python -m benchmarks.backtest --presets tutorial --epochs 3 --json

One preset after the other, each as a whole process against a running Prefect server, in a separate home. Prices:
--prices, else FB_2012_2020.csv in the folder that TOMORROW_TEST_DATA names or in ../shared/data, else the sample
market.

The share outside fit is 1 - (seconds in fits) / (seconds of all processes that fit): wall time times --jobs. It
counts the start of the interpreter, the imports, MLflow, the figures, and processes that wait for the last fit.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processes import HERE, TOMORROW, measure, prefect_server

PERIOD = ("--from", "2018-01", "--to", "2020-11", "--every", "month", "--refit", "12")


def main() -> None:
    """Measure, and print the results."""
    options = _options()
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    figures = {}
    with tempfile.TemporaryDirectory(prefix="tomorrow-benchmark-") as folder:
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        with prefect_server(Path(folder, "prefect")) as server:
            for preset in options.presets.split(","):
                figures[preset] = _backtest(preset, options, server)
                print(f"{preset} done", file=sys.stderr)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print("| preset | minutes | seconds in fits | share outside fit | RMSE | naive RMSE |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for preset, row in figures.items():
        print(
            f"| {preset} | {row['seconds'] / 60:.1f} | {row['fit_seconds']:.0f} | {row['outside']:.1%} "
            f"| {row['rmse']:.3f} | {row['naive_rmse']:.3f} |"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="tutorial,anchored")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--column", default="Open")
    parser.add_argument("--epochs", type=int, help="other than the presets say")
    parser.add_argument("--prices", type=Path, help="a file in the layout of Yahoo's export")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _backtest(preset: str, options: argparse.Namespace, server: dict[str, str]) -> dict[str, Any]:
    command = [TOMORROW, "backtest", *_source(options.prices), *PERIOD, "--presets", preset]
    command += ["--column", options.column, "--seeds", str(options.seeds), "--jobs", str(options.jobs), "--json"]
    if options.epochs:
        command += ["--epochs", str(options.epochs)]
    run = measure(command, server)
    answer = json.loads(run.output)
    return {
        "seconds": run.seconds,
        "fit_seconds": answer["fit_seconds"],
        "outside": 1 - answer["fit_seconds"] / (run.seconds * answer["jobs"]),
        "results": answer["computed"],
        "rmse": answer["presets"][preset]["rmse"],
        "naive_rmse": answer["presets"][preset]["naive_rmse"],
        "steps": answer["seconds"],
    }


def _source(wanted: Path | None) -> list[str]:
    beside = HERE.parents[1] / "shared" / "data"
    file = wanted or Path(os.environ.get("TOMORROW_TEST_DATA") or beside, "FB_2012_2020.csv")
    if file.is_file():
        return ["--source", "csv", "--prices", str(file)]
    if wanted:
        sys.exit(f"no file {wanted}")
    return ["--source", "sample", "--as-of", "2020-12-11"]


if __name__ == "__main__":
    main()
