"""`tomorrow prices` as a whole, unmodified process, whose HTTPS traffic a proxy answers in Yahoo's place."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices
from model.market.synthetic import sample_prices
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.project import ROOT
from tests.s3 import KEY, S3Server

pytestmark = pytest.mark.slow

CALENDAR = ExchangeCalendar()
TOMORROW = Path(sys.executable).parent / "tomorrow"
FACEBOOK = {
    "ticker": "META",
    "name": "Facebook (Meta Platforms, Inc.)",
    "former_tickers": ["FB"],
    "currency": "USD",
    "kind": "EQUITY",
    "first_session": "2012-01-03",
}

UNTOUCHED = Fault(edit=len)  # for requests before the one that goes wrong


@pytest.fixture(scope="module")
def market() -> Prices:
    """Up to the newest session that is over now: the process reads the real clock."""
    return sample_prices(CALENDAR.last_completed(datetime.now(UTC)), 0, CALENDAR)


@dataclass
class Process:
    """Runs `tomorrow prices`, which thinks that it asks Yahoo."""

    yahoo: FakeYahoo
    environment: dict[str, str]

    def start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(TOMORROW), "prices", *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *options: str) -> tuple[int, str, str]:
        process = self.start(*options)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def json(self, *options: str) -> tuple[int, Any]:
        code, out, _ = self(*options, "--json")
        return code, json.loads(out)


@pytest.fixture
def run(tmp_path: Path, market: Prices) -> Iterator[Process]:
    with FakeYahoo() as yahoo:
        yahoo.serve("META", market)
        config = tmp_path / "mlflow.yaml"
        asked = {"pause": 0, "timeout": 3, "retries": {"command_line": [0, 0]}}
        config.write_text(yaml.safe_dump({"home": str(tmp_path / "var"), "prices": asked, "securities": [FACEBOOK]}))
        inherited = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        yield Process(
            yahoo, inherited | yahoo.proxy(tmp_path) | {"TOMORROW_CONFIG": str(config), "HOME": str(tmp_path)}
        )


def with_bar_of_today(answer: dict[str, Any]) -> None:
    """One more row, of the session that is not over yet."""
    result = answer["chart"]["result"][0]
    columns = [*result["indicators"]["quote"][0].values(), result["indicators"]["adjclose"][0]["adjclose"]]
    day = datetime.fromtimestamp(result["timestamp"][-1], UTC).date()
    result["timestamp"].append(int(CALENDAR.opens(CALENDAR.next_session(day)).timestamp()) + 1800)
    for column in columns:
        column.append(column[-1])


def test_prices_are_fetched_stored_and_shown(run: Process, market: Prices) -> None:
    code, out, err = run("--fetch", "--ticker", "FB")
    assert (code, err) == (0, "")
    assert out.startswith(f"META  first       {len(market)} sessions, {market.first} to {market.last}  ")
    assert {host for host, _ in run.yahoo.requests} <= {
        "fc.yahoo.com",
        "query1.finance.yahoo.com",
        "query2.finance.yahoo.com",
    }
    code, shown = run.json()
    (meta,) = shown["securities"]
    assert (code, meta["ticker"], meta["fresh"], meta["snapshots"]) == (0, "META", True, 1)
    assert meta["newest"]["last"] == str(market.last)
    assert meta["newest"]["verdict"] == "first"
    code, out, _ = run("--ticker", "META")
    assert code == 0
    assert "fetches of META" in out
    assert meta["newest"]["fingerprint"][:12] in out


def test_prices_in_an_s3_store_are_there_for_another_machine_and_belong_to_one_ledger(
    run: Process, s3: S3Server, tmp_path: Path
) -> None:
    place = s3.folder()
    run.environment |= s3.variables | {"TOMORROW_PRICES__STORE": place}
    code, fetched = run.json("--fetch")
    assert (code, fetched["fetched"]) == (0, 1)
    assert sorted(name.rpartition(".")[2] for name in s3.names(place)) == ["json", "json", "parquet"]
    asked = len(run.yahoo.requests)
    run.environment["TOMORROW_HOME"] = str(tmp_path / "another")
    code, shown = run.json("--ticker", "META")
    (meta,) = shown["securities"]
    assert (code, meta["fresh"], meta["snapshots"], meta["damaged"]) == (0, True, 1, [])
    assert len(run.yahoo.requests) == asked
    code, _, err = run("--ticker", "META", "--accept", "2013-03-28", "--reason", "looked up")
    assert code == 2
    assert f"it belongs to another ledger, sqlite:///{tmp_path}/var/ledger.db" in err
    assert KEY not in err


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(status=429, body="Too Many Requests\r\n"), "RateLimited", "too many requests (429)"),
        (Fault(status=502), "PricesUnavailable", "HTTP 502"),
        (Fault(keep=5_000), "PricesUnavailable", "no usable answer"),
        (Fault(hang=True), "PricesUnavailable", "Timeout"),
        (Fault(reset=True), "PricesUnavailable", "no usable answer"),
    ],
)
def test_a_fault_is_one_error_and_exit_3_and_the_next_fetch_succeeds(
    run: Process, fault: Fault, kind: str, said: str
) -> None:
    run.yahoo.misbehave(fault)
    code, answer = run.json("--fetch")
    assert (code, answer["error"]["kind"]) == (3, kind)
    assert said in answer["error"]["message"]
    assert {"subject", "have", "need", "remedy"} <= set(answer["error"])
    assert len(run.yahoo.charts_asked()) >= 3  # two more tries
    run.yahoo.recover()
    assert run("--fetch")[0] == 0


def test_another_security_under_the_ticker_is_refused_at_once(run: Process, market: Prices) -> None:
    run.yahoo.serve("META", market, instrumentType="ETF", longName="A Buffer ETF")
    code, out, err = run("--fetch", "--ticker", "FB")
    assert (code, out) == (3, "")
    assert "A Buffer ETF: instrumentType ETF instead of EQUITY" in err
    assert len(run.yahoo.charts_asked()) == 1


def test_an_unfinished_bar_is_left_out(run: Process, market: Prices) -> None:
    started = datetime.now(UTC)
    run.yahoo.misbehave(Fault(edit=with_bar_of_today))
    code, answer = run.json("--fetch")
    assert code == 0
    (meta,) = answer["securities"]
    assert meta["last"] == str(market.last)
    # Between a close and the next open the bar would lie in the future, and the client itself leaves it out.
    if CALENDAR.opens(CALENDAR.next_session(market.last)) <= started:
        assert "left out, since the newest completed session is" in meta["notes"][0]


def test_a_restatement_stops_until_it_is_accepted_and_stays_on_record(run: Process, market: Prices) -> None:
    assert run("--fetch")[0] == 0
    values = market.values.copy()
    values[100, COLUMNS.index("Close")] *= 1.001
    run.yahoo.serve("META", replace(market, values=values))
    code, _, err = run("--fetch")
    assert code == 3
    assert f"{market.sessions[100]}: Close" in err
    assert "--accept-restatement" in err
    assert run("--fetch", "--accept-restatement")[0] == 0
    code, out, _ = run()
    assert code == 0
    assert "not accepted" in out
    assert "accepted by" in out
    (meta,) = run.json()[1]["securities"]
    assert meta["fresh"]
    assert [record["accepted"] is not None for record in meta["restatements"]] == [False, True]


def test_a_day_is_taken_for_right_on_record(run: Process, market: Prices) -> None:
    values = market.values.copy()
    values[100:, :5] /= 2
    run.yahoo.serve("META", replace(market, values=values))
    day = str(market.sessions[100])
    assert run("--fetch")[0] == 3
    for wrong in (["--accept", day, "--reason", "x"], ["--ticker", "FB", "--accept", day], ["--reason", "x"]):
        assert run(*wrong)[0] == 2
    code, out, _ = run("--ticker", "FB", "--accept", day, "--reason", "looked up")
    assert code == 0
    assert f"META {day} accepted by " in out
    (meta,) = run.json("--ticker", "FB")[1]["securities"]
    assert [(one["day"], one["reason"]) for one in meta["accepted"]] == [(day, "looked up")]
    assert run("--fetch")[0] == 0


def test_a_damaged_snapshot_is_named(run: Process, tmp_path: Path) -> None:
    assert run("--fetch")[0] == 0
    (file,) = (tmp_path / "var" / "prices" / "META").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:999])
    assert f"damaged: snapshot {file}" in run("--ticker", "META")[1]


def test_of_several_securities_one_failure_does_not_stop_the_others(
    run: Process, market: Prices, tmp_path: Path
) -> None:
    for symbol in ("AAPL", "MSFT"):
        run.yahoo.serve(symbol, market)
    names = tmp_path / "tickers.txt"
    names.write_text("# a comment\nAAPL\nNIX  # nobody knows it\n\nMSFT\n")
    code, answer = run.json("--fetch", "--ticker", "FB", "--ticker", "META", "--tickers-file", str(names))
    assert code == 3
    assert [line["ticker"] for line in answer["securities"]] == ["META", "AAPL", "NIX", "MSFT"]
    assert answer["securities"][2]["error"]["kind"] == "UnknownSymbol"
    assert (answer["fetched"], answer["failed"]) == (3, 1)
    _, out, _ = run("--fetch", "--tickers-file", str(names))
    assert [line.split()[0] for line in out.splitlines() if line[:1].isupper()] == ["AAPL", "NIX", "MSFT"]
    assert "2 fetched, 1 failed" in out


def test_a_list_of_tickers_that_is_not_there_is_wrong_use(run: Process) -> None:
    code, _, err = run("--fetch", "--tickers-file", "nowhere.txt")
    assert code == 2
    assert "nowhere.txt" in err


def test_when_yahoo_refuses_three_in_a_row_the_rest_is_left_for_the_next_time(run: Process, market: Prices) -> None:
    tickers = [f"T{number}" for number in range(6)]
    for ticker in tickers:
        run.yahoo.serve(ticker, market)
    options = [option for ticker in tickers for option in ("--ticker", ticker)]
    run.yahoo.misbehave(UNTOUCHED, times=2)
    run.yahoo.misbehave(Fault(status=429, body="Too Many Requests\r\n"))
    code, answer = run.json("--fetch", *options)
    assert (code, answer["fetched"], answer["failed"], answer["not_asked"]) == (3, 2, 3, 1)
    run.yahoo.recover()
    code, answer = run.json("--fetch", *options)
    assert (code, answer["fetched"], answer["kept"]) == (0, 4, 2)


def test_an_interrupted_list_goes_on_without_fetching_again_what_is_there(run: Process, market: Prices) -> None:
    tickers = [f"T{number}" for number in range(12)]
    for ticker in tickers:
        run.yahoo.serve(ticker, market)
    options = [option for ticker in tickers for option in ("--ticker", ticker)]
    run.yahoo.misbehave(UNTOUCHED, times=5)
    run.yahoo.misbehave(Fault(hang=True), times=1)
    process = run.start("--fetch", *options)
    while len(run.yahoo.charts_asked()) < 6:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    run.yahoo.recover()
    run.yahoo.requests.clear()
    code, answer = run.json("--fetch", *options)
    assert (code, answer["kept"], answer["fetched"]) == (0, 5, 7)
    assert run.yahoo.charts_asked() == tickers[5:]
    assert run.json("--fetch", *options)[1]["fetched"] == 12  # that one had come to its end


def test_no_module_of_prefect_mlflow_keras_or_s3_is_loaded(run: Process) -> None:
    script = (
        "import sys; from flows.cli.main import main; main(['prices', '--fetch', '--json']); "
        "heavy = ('prefect', 'mlflow', 'keras', 'tensorflow', 's3fs', 'fsspec', 'botocore'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=run.environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["fetched"] == 1


MANY = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from flows.runs.clock import now
from tasks.prices.fetch_many import fetch_many
from tasks.settings import read_settings

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def fetch(first, last):
    tickers = [f"T{number}" for number in range(first, last)]
    outcomes = fetch_many(
        tickers, read_settings(), accept_restatement=False, now=now, show=lambda done, ticker: None, say=print
    )
    assert all(outcome.record for outcome in outcomes)
    return megabytes()

print(fetch(0, 50), fetch(50, 250))
"""


def test_memory_stays_flat_over_many_securities(run: Process, market: Prices) -> None:
    recent = replace(market, sessions=market.sessions[-600:].copy(), values=market.values[-600:].copy())
    for number in range(250):
        run.yahoo.serve(f"T{number}", recent)
    done = subprocess.run(
        [sys.executable, "-c", MANY], env=run.environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    after_some, after_all = map(float, done.stdout.split())
    assert after_all < after_some + 20
