"""What prices cost: fetching beside the bare yfinance call, reading and comparing snapshots, a thousand securities.

    .venv/bin/python -m benchmarks.prices
    .venv/bin/python -m benchmarks.prices --runs 21 --securities 1000 --json

A loopback server answers in Yahoo's place. The two sides of a comparison take turns, so that a busy machine slows both
alike. Prices: Facebook's from --data, else the folder that TOMORROW_TEST_DATA names, else ../shared/data, continued on
the sample market to 3,600 sessions.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from model.config import PriceRequest
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.restatement import compare_prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.fetch import fetch_prices
from tasks.prices.request import resolve
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.sources.files.read import read_files
from tasks.prices.sources.read import check, download
from tasks.prices.sources.yahoo_session import YahooSession
from tasks.settings import PriceSettings, SecuritySettings, Settings
from tests.fakes.yahoo import FakeYahoo

SESSIONS = 3_600
ROW = SecuritySettings(
    ticker="META",
    name="Facebook",
    former_tickers=("FB",),
    currency="USD",
    kind="EQUITY",
    first_session=date(2012, 5, 18),
)
META = Security(**ROW.model_dump())

Work = Callable[[], object]


def main() -> None:
    """Measure, and print the results."""
    options = _options()
    warnings.simplefilter("ignore")  # yfinance's warnings about pandas
    market = _market(options.data)
    with tempfile.TemporaryDirectory(prefix="tomorrow-benchmark-") as folder:
        settings = Settings(home=Path(folder), securities=(ROW,), prices=PriceSettings(pause=0))
        with FakeYahoo() as yahoo, yahoo.session() as session:
            figures = _fetch(market, settings, yahoo, session, options.runs)
            figures |= _snapshots(market, settings, options.runs)
            figures |= {"many": _many(market, settings, yahoo, options.securities)}
    print(json.dumps(figures, indent=2) if options.json else _table(figures, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--securities", type=int, default=1_000)
    parser.add_argument("--data", type=Path, help="the folder that holds FB_2012_2020.csv")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _market(wanted: Path | None) -> Prices:
    """Facebook's sessions from the first, then the sample market's, brought to one level where they meet."""
    calendar = ExchangeCalendar()
    sample = sample_prices(date(2026, 11, 20), 0, calendar)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    file = (wanted or Path(os.environ.get("TOMORROW_TEST_DATA") or beside)) / "FB_2012_2020.csv"
    sessions, values = sample.sessions, sample.values.copy()
    if file.is_file():
        real = read_files([str(file)], META)
        later = sample.sessions > real.sessions[-1]
        level = real.column("Close")[-1] / sample.column("Close")[~later][-1]
        rest = values[later]
        rest[:, :5] *= level
        sessions = np.concatenate([real.sessions, sample.sessions[later]])
        values = np.concatenate([real.values, rest])
    rows = slice(0, SESSIONS)
    return Prices(
        security=META, source="yahoo", origin="benchmark", sessions=sessions[rows].copy(), values=values[rows].copy()
    )


def _now(prices: Prices) -> datetime:
    """The evening of the newest session."""
    return datetime.combine(prices.last, datetime.min.time(), UTC) + timedelta(hours=23)


def _fetch(market: Prices, settings: Settings, yahoo: FakeYahoo, session: YahooSession, runs: int) -> dict[str, Any]:
    """The bare call, the call with all checks, the same with the snapshot kept, and with a new snapshot each time."""
    import yfinance

    yahoo.serve("META", market)
    changed = market.values.copy()
    changed[-1, :4] *= 1.001
    two = cycle([replace(market, values=changed), market])

    def bare() -> None:
        ticker = yfinance.Ticker("META", session=session)
        ticker._tz = "America/New_York"  # which saves yfinance a request
        ticker.history(start="2012-05-18", auto_adjust=False)

    def obtain() -> None:
        now = _now(market)
        fetch_prices(resolve(PriceRequest(), settings, now), settings, now, session=session)

    def obtain_new() -> None:
        yahoo.serve("META", next(two))
        obtain()

    work: dict[str, Work] = {
        "bare": bare,
        "checked": lambda: download(META, settings, _now(market), session),
        "kept, nothing new": obtain,
        "kept, a new snapshot": obtain_new,
    }
    return {"fetch": _in_turns(work, runs)}


def _snapshots(market: Prices, settings: Settings, runs: int) -> dict[str, Any]:
    store = SnapshotStore(settings)
    record = store.store(market, at=_now(market))
    before = market.until(market.day(-2))

    def read() -> None:
        check(store.read(record), settings)

    return {"snapshot": _in_turns({"read and check": read, "compare": lambda: compare_prices(before, market)}, runs)}


def _many(market: Prices, settings: Settings, yahoo: FakeYahoo, securities: int) -> dict[str, Any]:
    """Securities one after the other in this process: seconds, and resident megabytes after each tenth."""
    tickers = [f"T{number}" for number in range(securities)]
    for ticker in tickers:
        yahoo.serve(ticker, market)
    memory, start = [], time.perf_counter()
    with yahoo.session() as session:
        for number, ticker in enumerate(tickers, 1):
            now = _now(market)
            resolved = resolve(PriceRequest(ticker=ticker), settings, now)
            fetch_prices(resolved, settings, now, session=session)
            if number % max(1, securities // 10) == 0:
                memory.append(_megabytes())
    return {"securities": securities, "seconds": time.perf_counter() - start, "megabytes": memory}


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _in_turns(work: dict[str, Work], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each piece of work: all once untimed, and then in turns, `runs` times."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for run in range(runs + 1):
        for name, piece in work.items():
            start = time.perf_counter()
            piece()
            if run:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def _table(figures: dict[str, Any], options: argparse.Namespace) -> str:
    lines = [f"{SESSIONS} sessions; median (range) of {options.runs} runs in milliseconds", ""]
    bare = statistics.median(figures["fetch"]["bare"])
    for name, times in (figures["fetch"] | figures["snapshot"]).items():
        ratio = f"  {statistics.median(times) / bare:5.2f} times bare" if name in figures["fetch"] else ""
        lines.append(f"{name:<22}{statistics.median(times):8.1f}  ({min(times):.1f}-{max(times):.1f}){ratio}")
    many = figures["many"]
    megabytes = " ".join(f"{megabyte:.0f}" for megabyte in many["megabytes"])
    lines += ["", f"{many['securities']} securities in {many['seconds']:.0f} s; megabytes by tenths: {megabytes}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
