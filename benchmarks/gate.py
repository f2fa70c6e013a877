"""The tables of docs/gate-measured.md: how often chance passes the gate, how often skill does, and what a proof takes.

    .venv/bin/python -m benchmarks.gate --data FOLDER --home HOME [--jobs 2]
    .venv/bin/python -m benchmarks.gate --data FOLDER --home HOME --tables

FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO_2010_2020.csv, in the layout of Yahoo's export. HOME keeps
the forecasts of each proof: run the same command again to continue. With --tables nothing new is made, and the tables
of what there is are printed. With --pictures FOLDER the figures of that page are drawn too.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from benchmarks.gate_cases import POWER, SECOND_SEED, TUTORIAL, cases
from benchmarks.gate_runs import DAYS, NEEDED, Wanted, make, measure_cost
from benchmarks.gate_tables import Found, chance, equal, lifetime, power, times, tutorial, windows
from model.figures.evidence import evidence_figure
from tasks.system.keras_backend import prepare_fitting


def main() -> None:
    """Make what is not there yet, and print the tables."""
    options = _options()
    options.home.mkdir(parents=True, exist_ok=True)
    if not options.tables:
        _make(options)
    found = Found(options.data, options.home)
    _print("Chance", chance(found))
    _print("A lifetime of looking every day", lifetime())
    _print("Windows in which it was better than the best naive", windows(found))
    _print("Skill", power(found))
    _print("The tutorial's network", tutorial(found))
    _print("Two versions that are equal, for 100 days", equal(found))
    _print("Processor seconds", times(found))
    if options.pictures:
        _draw(found, options.pictures)


def _draw(found: Found, folder: Path) -> None:
    """The evidence on Facebook's Open, and on a walk."""
    for name, wanted, subject in (
        ("evidence", POWER[1], "FB Open, anchored"),
        ("evidence-walk", Wanted("constant 0", "anchored", DAYS), "A random walk, anchored"),
    ):
        proof = found.proof(wanted)
        if proof is not None and proof.evidence is not None:
            figure = evidence_figure(proof.judged.sessions, proof.evidence, proof.needed_odds(NEEDED), subject)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def _print(title: str, rows: Iterable[Sequence[str]]) -> None:
    print(f"\n## {title}\n")
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if not number:
            print(f"| --- |{' ---: |' * (len(row) - 1)}")
    sys.stdout.flush()


def _make(options: argparse.Namespace) -> None:
    looked = [case.wanted for case in cases()]
    every = list(dict.fromkeys([*POWER, *(one[0] for one in looked), *TUTORIAL, *SECOND_SEED, *chain(*looked)]))
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), prepare_fitting) as pool:
        begun = time.perf_counter()
        running = [pool.submit(make, one, options.data, options.home) for one in every]
        for number, (one, future) in enumerate(zip(every, running, strict=True), start=1):
            future.result()
            took = time.perf_counter() - begun
            print(f"{number} of {len(every)}, {took:.0f} s: {one.market}, {one.config}", file=sys.stderr, flush=True)
        pool.submit(measure_cost, options.data, options.home).result()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tables", action="store_true", help="make nothing new; print the tables of what there is")
    parser.add_argument("--pictures", type=Path, help="the folder to draw the figures in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
