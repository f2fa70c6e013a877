"""Sixteen securities in one command, beside sixteen trainings one after the other.

    .venv/bin/python -m benchmarks.many --preset daily --runs 5
    .venv/bin/python -m benchmarks.many --preset tutorial --runs 1 --singles 3
    .venv/bin/python -m benchmarks.many --securities 4 --epochs 2 --runs 1

Whole processes: `tomorrow train` of one security, which may use every processor, against `tomorrow train` of all of
them, with embedded databases. A loopback server answers in Yahoo's place: each training has its own security, all
equally long. Each run makes some separate trainings (--singles) and then all at once; sixteen separate trainings are
taken to cost sixteen times their mean. With --server all of them use one Prefect server that runs already.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import TOMORROW, measure, prefect_server, told
from model.market.calendar import ExchangeCalendar
from model.market.synthetic import sample_prices
from tests.fakes.yahoo import FakeYahoo

SESSIONS = 1_300  # about as many as the tutorial's


def main() -> None:
    """Measure in turns, and print a table."""
    options = _options()
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-many-") as folder, ExitStack() as running:
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        server = running.enter_context(prefect_server(Path(folder, "prefect"))) if options.server else {}
        yahoo = running.enter_context(FakeYahoo())
        server |= yahoo.proxy(Path(folder))
        calendar = ExchangeCalendar()
        whole = sample_prices(calendar.last_completed(datetime.now(UTC)), 0, calendar)
        market = replace(whole, sessions=whole.sessions[-SESSIONS:].copy(), values=whole.values[-SESSIONS:].copy())

        def train(tickers: Sequence[str]) -> float:
            for ticker in tickers:
                yahoo.serve(ticker, market)
            return _train(tickers, options, server)

        train(["FIRST"])  # makes the databases
        singles: list[float] = []
        together: list[float] = []
        for run in range(options.runs):
            alone = [train([f"A{run}X{number}"]) for number in range(options.singles)]
            singles.append(options.securities * sum(alone) / len(alone))
            together.append(train([f"T{run}X{number}" for number in range(options.securities)]))
            print(f"run {run + 1}: {alone}, together {together[-1]:.1f} s", file=sys.stderr, flush=True)
    ratios = [less / more for less, more in zip(together, singles, strict=True)]
    if options.json:
        print(json.dumps({"singles": singles, "together": together, "ratios": ratios}, indent=2))
        return
    print(f"Preset {options.preset}; median (range) of {options.runs} runs, seconds.\n")
    print(f"| {options.securities} trainings | seconds |\n| --- | ---: |")
    print(f"| one after the other | {told(singles, 0)} |\n| in one command | {told(together, 0)} |")
    print(f"| ratio | {told(ratios)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="daily")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--securities", type=int, default=16)
    parser.add_argument("--singles", type=int, default=3, help="separate trainings in a run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--server", action="store_true", help="against one Prefect server that runs already")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _train(tickers: Sequence[str], options: argparse.Namespace, server: dict[str, str]) -> float:
    command = [TOMORROW, "train", "--preset", options.preset, "--json"]
    command += [word for ticker in tickers for word in ("--ticker", ticker)]
    if options.epochs:
        command += ["--epochs", str(options.epochs)]
    return measure(command, server).seconds


if __name__ == "__main__":
    main()
