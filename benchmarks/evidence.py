"""The tables of docs/evidence.md: backtests of five securities, Open and Close, beside naive and statistical forecasts.

    .venv/bin/python -m benchmarks.evidence --data FOLDER --home HOME

FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO_2010_2020.csv, in the layout of Yahoo's export. HOME keeps the
runs: the same command goes on where it was stopped, and what is there already is read again, not fitted again.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.processes import TOMORROW, measure, prefect_server

FILES = {"FB": "FB_2012_2020.csv"} | {ticker: f"{ticker}_2010_2020.csv" for ticker in ("AAPL", "MSFT", "NVDA", "KO")}
COLUMNS = ("Open", "Close")
PERIOD = ("--from", "2018-01", "--to", "2020-11", "--refit", "12")
NAIVE = {
    "newest_Open": "newest Open",
    "newest_Close": "newest Close",
    "drift": "drift",
    "moving_average": "average of 5",
}
Answers = dict[tuple[str, str], dict[str, Any]]


def main() -> None:
    """Run what is not there yet, and print the tables."""
    options = _options()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_"))]:
        del os.environ[name]
    os.environ["TOMORROW_HOME"] = str(options.home)
    options.home.mkdir(parents=True, exist_ok=True)
    with prefect_server(options.home / "prefect") as server:
        beside = dict(_backtests(options, server, "tutorial,anchored", 1))
        seeded = dict(_backtests(options, server, "anchored", options.seeds)) if options.seeds > 1 else {}
    _print("RMSE in dollars", _errors(beside))
    _print("Share of the best naive RMSE", _shares(beside))
    _print("Intervals", _coverage(beside))
    if seeded:
        _print(f"anchored by {options.seeds} seeds, share of the best naive RMSE", _seeds(seeded))


def _backtests(
    options: argparse.Namespace, server: dict[str, str], presets: str, seeds: int
) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for ticker, file in FILES.items():
        for column in COLUMNS:
            command = [
                TOMORROW,
                "backtest",
                "--source",
                "csv",
                "--prices",
                str(options.data / file),
                "--ticker",
                ticker,
            ]
            command += ["--column", column, *PERIOD, "--presets", presets, "--seeds", str(seeds), "--statistical"]
            answer = json.loads(measure([*command, "--jobs", str(options.jobs), "--json"], server).output)
            print(f"{ticker} {column}, {presets}: {answer['computed']} computed", file=sys.stderr)
            yield (ticker, column), answer


def _errors(answers: Answers) -> Iterator[Sequence[str]]:
    """Every forecast's error as it is."""
    yield ("", "tutorial", "anchored", *NAIVE.values(), "AutoETS", "AutoARIMA")
    for name, answer in _named(answers):
        by_preset = answer["presets"]
        figures = by_preset["tutorial"]
        others = [figures.get(f"{other}_rmse") for other in (*NAIVE, "auto_ets", "auto_arima")]
        errors = (figures["rmse"], by_preset["anchored"]["rmse"], *others)
        yield (name, *("" if error is None else f"{error:.3f}" for error in errors))


def _shares(answers: Answers) -> Iterator[Sequence[str]]:
    """The presets against the best naive forecast, in hindsight, and against the newest price of the column."""
    yield ("", "best naive", "tutorial", "anchored", "DM p of anchored", "anchored / newest price of the column")
    shares: dict[str, list[float]] = {"tutorial": [], "anchored": []}
    for name, answer in _named(answers):
        by_preset = answer["presets"]
        for preset, found in shares.items():
            found.append(by_preset[preset]["rmse"] / by_preset[preset]["naive_rmse"])
        anchored = by_preset["anchored"]
        newest = anchored[f"newest_{answer['column']}_rmse"]
        yield (
            name,
            NAIVE[answer["best_naive"]],
            f"{shares['tutorial'][-1]:.3f}",
            f"{shares['anchored'][-1]:.4f}",
            f"{anchored['dm_naive_p']:.2f}",
            f"{anchored['rmse'] / newest:.4f}",
        )
    means = {preset: statistics.mean(found) for preset, found in shares.items()}
    yield ("mean", "", f"{means['tutorial']:.3f}", f"{means['anchored']:.4f}", "", "")


def _coverage(answers: Answers) -> Iterator[Sequence[str]]:
    yield ("", "anchored, 80 %", "anchored, 95 %", "tutorial, 80 %", "tutorial, 95 %")
    for name, answer in _named(answers):
        held = (
            answer["presets"][preset][f"coverage_{level}"] for preset in ("anchored", "tutorial") for level in (80, 95)
        )
        yield (name, *(f"{100 * share:.1f}" for share in held))


def _seeds(answers: Answers) -> Iterator[Sequence[str]]:
    yield ("", "mean", "lowest", "highest", "their forecasts averaged")
    means, averaged = [], []
    for name, answer in _named(answers):
        preset = answer["presets"]["anchored"]
        shares = [seed["rmse"] / seed["naive_rmse"] for seed in preset["seeds"]]
        means.append(statistics.mean(shares))
        averaged.append(preset["ensemble"]["rmse"] / preset["naive_rmse"])
        yield (name, *(f"{share:.4f}" for share in (means[-1], min(shares), max(shares), averaged[-1])))
    yield ("mean", f"{statistics.mean(means):.4f}", "", "", f"{statistics.mean(averaged):.4f}")


def _named(answers: Answers) -> Iterator[tuple[str, dict[str, Any]]]:
    for (ticker, column), answer in answers.items():
        yield f"{ticker} {column}", answer


def _print(title: str, rows: Iterator[Sequence[str]]) -> None:
    heading, *body = rows
    print(f"\n{title}\n")
    print("| " + " | ".join(heading) + " |")
    print("| --- |" + " ---: |" * (len(heading) - 1))
    for row in body:
        print("| " + " | ".join(row) + " |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with the five files")
    parser.add_argument("--home", type=Path, required=True, help="a state directory, which keeps the runs")
    parser.add_argument("--seeds", type=int, default=5, help="with more than one: their spread, in a table of its own")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
