"""Many securities in one command: how long each step takes, and how that grows with their number.

    .venv/bin/python -m benchmarks.many                  # 16 and 64 securities
    .venv/bin/python -m benchmarks.many --all            # 256 and 500, too
    .venv/bin/python -m benchmarks.many --sizes 16 --yahoo --json

Whole processes with embedded databases and a Prefect server of their own, each number of securities in a new state
directory: `tomorrow train`, with proofs of up to 1,250 sessions (TOMORROW_PROOF__REFIT_EVERY: 504, two years between
fits); a session later `train` again, when the proofs are kept; `predict`; `score`, for which a month of forecasts is
put into the ledger, each with its outcome to be filled in; and `score` as on a later day, with one more of each. The
securities are synthetic markets of eight years, each of its own seed, in files, or served by a loopback Yahoo to the
real client.

Prints seconds of wall and processor time, of all processes, and the peak memory of the largest; then wall time by step,
summed over the securities.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from benchmarks.processes import TOMORROW, measure
from model.evaluation.baselines import naive_forecasts
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.settings import read_settings
from tests.fakes.yahoo import FakeYahoo
from tests.market import write_csv

SESSIONS, JUDGED = 2_015, 21  # eight years; a month
SIZES, ALL = (16, 64), (16, 64, 256, 500)
# No wait between two requests, which would be for Yahoo's sake.
SETTINGS = {"TOMORROW_PROOF__REFIT_EVERY": "504", "TOMORROW_PRICES__PAUSE": "0"}
TICKERS = tuple(f"Q{first}{second}" for first, second in product(ascii_uppercase, repeat=2))
# The exit code where a security has nothing in Production.
NONE_IN_PRODUCTION = 5
Row = dict[str, Any]


def main() -> None:
    """Measure each number of securities, and print the tables."""
    options = _options()
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_"))]:
        del os.environ[name]
    os.environ |= SETTINGS
    found: dict[int, list[Row]] = {}
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="tomorrow-many-") as folder, ExitStack() as running:
            os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
            found[size] = _days(size, Path(folder), options, running)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), default=SIZES)
    parser.add_argument("--all", dest="sizes", action="store_const", const=ALL)
    parser.add_argument("--preset", default="daily")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    parser.add_argument("--yahoo", action="store_true", help="through Yahoo's client, in place of files")
    parser.add_argument("--option", action="append", default=[], help="a further option of train, such as --shared")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _days(size: int, folder: Path, options: argparse.Namespace, running: ExitStack) -> list[Row]:
    """The commands of two days, and what each took."""
    calendar = ExchangeCalendar()
    last = calendar.last_completed(datetime.now(UTC))
    markets = {ticker: _market(ticker, seed, calendar) for seed, ticker in enumerate(TICKERS[:size])}
    files = folder / "prices"
    files.mkdir()
    given, environment = ["--source", "csv", "--prices", str(files)], {}
    if options.yahoo:
        yahoo = running.enter_context(FakeYahoo())
        environment = yahoo.proxy(folder)
        given = [word for ticker in markets for word in ("--ticker", ticker)]
    if options.jobs:
        given += ["--jobs", str(options.jobs)]

    def offer(until: int) -> None:
        for ticker, market in markets.items():
            prices = market.rows(0, until)
            if options.yahoo:
                yahoo.serve(ticker, prices)
            else:
                write_csv(prices, files / f"{ticker}.csv")

    def run(name: str, *command: str) -> Row:
        done = measure([TOMORROW, *command, *given, "--json"], environment, well=(0, NONE_IN_PRODUCTION))
        answers = json.loads(done.output)["securities"]
        without = sum(_has_none(answer) for answer in answers)
        row = {"command": name, "seconds": done.seconds, "cpu": done.cpu, "megabytes": done.megabytes}
        print(f"{size} securities, {name}: {done.seconds:.1f} s; {without} without", file=sys.stderr, flush=True)
        row["filled"] = sum(answer.get("filled", 0) for answer in answers)
        return row | {"without": without, "steps": _steps([each for each in answers if not _has_none(each)])}

    train = ("train", "--preset", options.preset, *options.option)
    offer(SESSIONS - 1)
    # As of that day: otherwise the newest session would be missed.
    rows = [run("train, first", *train, "--as-of", str(next(iter(markets.values())).day(SESSIONS - 2)))]
    offer(SESSIONS)
    rows += [run("train, next day", *train), run("predict", "predict")]
    # First those of a month, of which none was scored; then the newest one, as on every later day.
    newest = SESSIONS - 1
    for name, sessions in (("a month", range(newest - JUDGED, newest)), ("a day", range(newest, newest + 1))):
        recorded = _remember(markets, str(last), sessions)
        rows.append(run(f"score, {name}", "score"))
        if rows[-1]["filled"] != recorded:
            sys.exit(f"score, {name}: of {recorded} forecasts {rows[-1]['filled']} got their price")
    return rows


def _market(ticker: str, seed: int, calendar: ExchangeCalendar) -> Prices:
    """The newest eight years of a synthetic market."""
    whole = sample_prices(calendar.last_completed(datetime.now(UTC)), seed, calendar)
    newest = whole.rows(len(whole) - SESSIONS, len(whole))
    return replace(newest, security=Security(ticker=ticker), source="csv", notes=())


def _remember(markets: dict[str, Prices], last: str, sessions: range) -> int:
    """Record forecasts of these sessions, by their rows, as if each had been made the evening before; how many."""
    ledger, recorded = Ledger(read_settings().ledger_uri), 0
    for ticker, market in markets.items():
        made = next((row for row in ledger.rows(f"{ticker}-Open") if str(row.as_of) == last), None)
        if made is None:
            continue
        close = market.column("Close")
        for at in sessions:
            ledger.append(_moved(made, market, at - 1, at, close[at - 1] / close[-1]))
            recorded += 1
    return recorded


def _moved(made: RecordedForecast, market: Prices, before: int, at: int, share: float) -> RecordedForecast:
    evening = datetime.combine(market.day(before), datetime.min.time(), UTC) + timedelta(hours=22)
    # Those of that day itself: by them `score` sees that the forecast was made from these prices.
    naives = {
        name: float(prices[0]) for name, prices in naive_forecasts(market.until(market.day(before)), "Open", 1).items()
    }
    return replace(
        made,
        as_of=market.day(before),
        session=market.day(at),
        made_at=evening,
        late=False,
        forecast=made.forecast * share,
        lower=None if made.lower is None else made.lower * share,
        upper=None if made.upper is None else made.upper * share,
        naive=naives[made.naive_name],
        naives=naives,
        intervals={level: (low * share, high * share) for level, (low, high) in made.intervals.items()},
        quantiles={p: value * share for p, value in made.quantiles.items()},
        naive_quantiles={
            name: {p: value * share for p, value in quantiles.items()}
            for name, quantiles in made.naive_quantiles.items()
        },
    )


def _has_none(answer: Row) -> bool:
    """Whether a security has nothing in Production: the gate has refused its version, which forecasts nothing."""
    return "error" in answer and answer["error"]["kind"] == "NothingInProduction"


def _steps(answers: list[Row]) -> dict[str, float]:
    """Step -> wall seconds, summed over the securities; sys.exit where one failed."""
    failed = [answer for answer in answers if "error" in answer]
    if failed:
        sys.exit(f"{len(failed)} of {len(answers)} securities failed: {failed[0]['error']['message']}")
    total: dict[str, float] = {}
    for answer in answers:
        for step, seconds in answer["seconds"].items():
            total[step] = total.get(step, 0.0) + seconds
    return total


def _print(found: dict[int, list[Row]], options: argparse.Namespace) -> None:
    print(f"Preset {options.preset}, prices from {'a loopback Yahoo' if options.yahoo else 'files'}.\n")
    print("| securities | command | s | processor, s | processor, s each | largest process, MB | without a version |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size, rows in found.items():
        for row in rows:
            each = row["cpu"] / size
            figures = f"{row['seconds']:.1f} | {row['cpu']:.1f} | {each:.2f} | {row['megabytes']:.0f}"
            figures += f" | {row['without']}"
            print(f"| {size} | {row['command']} | {figures} |")
    sizes = list(found)
    print(f"\n| wall time by step, ms a security | {' | '.join(map(str, sizes))} |")
    print(f"| --- |{' ---: |' * len(sizes)}")
    for at, row in enumerate(found[sizes[0]]):
        steps = sorted(row["steps"], key=lambda step: -row["steps"][step])
        for step in steps:
            cells = [1000 * found[size][at]["steps"].get(step, 0.0) / size for size in sizes]
            if max(cells) >= 1:
                print(f"| {row['command']}: {step} | {' | '.join(f'{cell:.0f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
