"""Yahoo through the real client, against a loopback server that speaks its protocol."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import (
    ConfigurationError,
    FaultyPrices,
    PricesUnavailable,
    RateLimited,
    RestatedPrices,
    TomorrowError,
    UnknownSymbol,
    WrongSecurity,
)
from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.sources.yahoo import fetch_chart
from tasks.settings import Settings
from tests.facebook import AFTER_CLOSE, MARKET, META, facebook_settings, obtain
from tests.fakes.yahoo import HTML, FakeYahoo, Fault
from tests.project import ROOT


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    with FakeYahoo() as server:
        server.serve("META", MARKET)
        yield server


@pytest.fixture
def fetch(yahoo: FakeYahoo, tmp_path: Path) -> "Fetch":
    return Fetch(yahoo, facebook_settings(tmp_path))


@dataclass
class Fetch:
    """Asks the fake for prices, by default for FB after the close of the newest session."""

    yahoo: FakeYahoo
    settings: Settings

    def __call__(self, ticker: str = "FB", now: datetime = AFTER_CLOSE, **wanted: object) -> Prices:
        return obtain(self.yahoo, self.settings, ticker, now, **wanted).prices


def quote(answer: dict[str, Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = answer["chart"]["result"][0]["indicators"]["quote"][0]
    return columns


def test_fb_is_fetched_as_meta_with_every_number_as_yahoo_gave_it(yahoo: FakeYahoo, fetch: Fetch) -> None:
    prices = fetch("fb")
    assert yahoo.charts_asked() == ["META"]
    assert (prices.sessions == MARKET.sessions).all()
    assert (prices.values == MARKET.values).all()
    assert (prices.security, prices.source, prices.notes) == (META, "yahoo", ())


def test_one_cookie_serves_until_something_goes_wrong(yahoo: FakeYahoo) -> None:
    def cookies() -> int:
        return sum(host == "fc.yahoo.com" for host, _ in yahoo.requests)

    with yahoo.session() as session:
        for _ in range(3):
            fetch_chart(META, session)
        assert cookies() == 1
        yahoo.misbehave(Fault(status=500), times=2)
        with pytest.raises(PricesUnavailable):
            fetch_chart(META, session)
        fetch_chart(META, session)
        assert cookies() > 1


def test_prices_are_not_adjusted_for_dividends(yahoo: FakeYahoo, fetch: Fetch) -> None:
    values = MARKET.values.copy()
    values[:, COLUMNS.index("Adj Close")] *= 0.9
    yahoo.serve("META", replace(MARKET, values=values))
    assert (fetch().values == values).all()


@pytest.mark.slow
def test_yahoo_can_be_asked_after_tensorflow_has_shown_its_own_curl_to_the_process() -> None:
    script = """
import tensorflow
from tasks.prices.sources.yahoo import fetch_chart
from tests.facebook import MARKET, META
from tests.fakes.yahoo import FakeYahoo
with FakeYahoo() as yahoo, yahoo.session() as session:
    yahoo.serve("META", MARKET)
    print(len(fetch_chart(META, session).sessions) == len(MARKET))
"""
    here = ROOT
    done = subprocess.run([sys.executable, "-c", script], check=True, cwd=here, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


@pytest.mark.slow
def test_nothing_is_kept_on_disk(tmp_path: Path) -> None:
    script = """
from tasks.prices.sources.yahoo import fetch_chart
from tests.facebook import MARKET, META
from tests.fakes.yahoo import FakeYahoo
with FakeYahoo() as yahoo, yahoo.session() as session:
    yahoo.serve("META", MARKET)
    fetch_chart(META, session)
"""
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    here = ROOT
    subprocess.run([sys.executable, "-c", script], check=True, cwd=here, env=places)
    assert list(tmp_path.rglob("*")) == []


def test_todays_unfinished_bar_is_left_out_and_that_is_said(fetch: Fetch) -> None:
    during = datetime(2013, 3, 28, 18, 0, tzinfo=UTC)
    prices = fetch(now=during)
    assert prices.last == date(2013, 3, 27)
    assert "left out, since the newest completed session is 2013-03-27: 2013-03-28" in prices.notes[0]


def test_as_of_shows_what_was_known_that_day(fetch: Fetch) -> None:
    prices = fetch(as_of=date(2012, 12, 25))
    assert prices.last == date(2012, 12, 24)
    assert (prices.values == MARKET.values[: len(prices)]).all()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"instrumentType": "ETF", "longName": "A Buffer ETF"}, "A Buffer ETF: instrumentType ETF instead of EQUITY"),
        ({"currency": "EUR"}, "currency EUR instead of USD"),
        ({"symbol": "FB"}, "symbol FB instead of META"),
    ],
)
def test_another_security_under_the_symbol_is_refused(
    yahoo: FakeYahoo, fetch: Fetch, metadata: dict[str, str], message: str
) -> None:
    yahoo.serve("META", MARKET, **metadata)
    with pytest.raises(WrongSecurity, match=message) as caught:
        fetch()
    assert caught.value.exit_code == 3


def test_an_answer_that_does_not_say_what_it_is_cannot_be_used(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.serve("META", MARKET, symbol=None)
    with pytest.raises(PricesUnavailable, match="does not say its symbol"):
        fetch()


def test_another_first_trading_day_is_noted(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.serve("META", MARKET, firstTradeDate=1_000_000_000)
    assert fetch().notes == ("Yahoo gives 2001-09-08 as its first trading day, not 2012-01-03",)


def test_another_first_trading_day_can_be_made_an_error(yahoo: FakeYahoo, tmp_path: Path) -> None:
    yahoo.serve("META", MARKET, firstTradeDate=1_000_000_000)
    with pytest.raises(WrongSecurity, match="2001-09-08 as its first trading day"):
        obtain(yahoo, facebook_settings(tmp_path, first_trade_date="error"))


def test_an_unknown_ticker_is_taken_as_yahoo_describes_it_and_is_that_from_then_on(
    yahoo: FakeYahoo, fetch: Fetch
) -> None:
    described = {"longName": "SPDR S&P 500", "exchangeName": "PCX", "firstTradeDate": 728317800}
    yahoo.serve("SPY", MARKET, instrumentType="ETF", **described)
    expected = Security(
        ticker="SPY",
        name="SPDR S&P 500",
        exchange="XNYS",
        currency="USD",
        kind="ETF",
        first_session=date(1993, 1, 29),
    )
    assert fetch("spy").security == expected
    yahoo.serve("SPY", MARKET, instrumentType="ETF", **{**described, "longName": "SPY Trust"})
    assert fetch("SPY").security == expected
    yahoo.serve("SPY", MARKET, instrumentType="EQUITY", **described)
    with pytest.raises(WrongSecurity, match="instrumentType EQUITY instead of ETF"):
        fetch("SPY")
    yahoo.serve("SPY", MARKET, instrumentType="ETF", **{**described, "exchangeName": "LSE"})
    with pytest.raises(WrongSecurity, match="exchange XLON instead of XNYS"):
        fetch("SPY")


def test_a_security_trades_by_its_own_exchanges_calendar(yahoo: FakeYahoo, fetch: Fetch) -> None:
    london = ExchangeCalendar("XLON")
    market = sample_prices(date(2013, 3, 28), 1, london)
    described = {"exchangeName": "LSE", "exchangeTimezoneName": "Europe/London", "currency": "GBp"}
    yahoo.serve("VOD.L", market, **described)
    prices = fetch("VOD.L")
    assert prices.security.exchange == "XLON"
    assert "2012-06-05" not in prices.sessions.astype(str)  # the Queen's jubilee
    assert len(prices) == len(market)


def test_an_exchange_that_is_not_known_asks_for_a_row_in_the_table(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.serve("X.XX", MARKET, exchangeName="XXX", fullExchangeName="Nowhere")
    with pytest.raises(ConfigurationError, match=r"the exchange XXX \(Nowhere\)"):
        fetch("X.XX")


@pytest.mark.parametrize("kind", ["INDEX", "CURRENCY"])
def test_what_has_no_shares_needs_no_volume(yahoo: FakeYahoo, fetch: Fetch, kind: str) -> None:
    values = MARKET.values.copy()
    values[:, COLUMNS.index("Volume")] = 0
    yahoo.serve("^X", replace(MARKET, values=values), instrumentType=kind)
    assert len(fetch("^X")) == len(MARKET)
    yahoo.serve("SHARE", replace(MARKET, values=values))
    with pytest.raises(FaultyPrices, match="Volume missing, zero or negative"):
        fetch("SHARE")


def test_an_unknown_symbol_is_said_to_be_unknown(fetch: Fetch) -> None:
    with pytest.raises(UnknownSymbol, match="ticker NIX: Yahoo says: No data found"):
        fetch("NIX")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=429, body="Too Many Requests\r\n"), RateLimited),
        (Fault(status=401, body='{"finance":{"result":null,"error":{"code":"Unauthorized"}}}'), PricesUnavailable),
        (Fault(status=403), PricesUnavailable),
        (Fault(status=500), PricesUnavailable),
        (Fault(status=502), PricesUnavailable),
        (
            Fault(status=503, body='{"chart":{"result":null,"error":{"code":"x","description":"Down"}}}'),
            PricesUnavailable,
        ),
        (Fault(body="<html>Will be right back</html>"), PricesUnavailable),
        (Fault(body=HTML), PricesUnavailable),
        (Fault(body=""), PricesUnavailable),
        (Fault(keep=5_000), PricesUnavailable),
        (Fault(reset=True), PricesUnavailable),
        (Fault(edit=lambda answer: quote(answer).pop("close")), PricesUnavailable),
        (Fault(edit=lambda answer: quote(answer)["close"].pop()), PricesUnavailable),
        (Fault(edit=lambda answer: answer["chart"]["result"].clear()), PricesUnavailable),
    ],
)
def test_a_fault_is_named_and_a_later_try_in_the_same_process_succeeds(
    yahoo: FakeYahoo, fetch: Fetch, fault: Fault, error: type[TomorrowError]
) -> None:
    yahoo.misbehave(fault)
    with pytest.raises(TomorrowError) as caught:
        fetch()
    assert type(caught.value) is error
    assert "META" in str(caught.value)
    yahoo.recover()
    assert len(fetch()) == len(MARKET)


def test_a_server_that_does_not_answer_is_given_up(yahoo: FakeYahoo) -> None:
    yahoo.misbehave(Fault(hang=True))
    with pytest.raises(PricesUnavailable, match="Timeout"):
        fetch_chart(META, yahoo.session(timeout=0.3))


def test_nobody_listening_is_prices_unavailable(yahoo: FakeYahoo) -> None:
    session = yahoo.session(timeout=2)
    yahoo.__exit__()
    with pytest.raises(PricesUnavailable, match="nothing came; ConnectionError"):
        fetch_chart(META, session)


@pytest.mark.parametrize("kind", ["cookie", "crumb"])
def test_prices_are_had_without_a_cookie_or_crumb(yahoo: FakeYahoo, fetch: Fetch, kind: str) -> None:
    yahoo.misbehave(Fault(status=429, body="Too Many Requests\r\n"), to=kind)
    assert len(fetch()) == len(MARKET)


@pytest.mark.parametrize("status", [401, 500])
def test_one_fault_alone_heals_itself(yahoo: FakeYahoo, fetch: Fetch, status: int) -> None:
    yahoo.misbehave(Fault(status=status), times=1)
    assert len(fetch()) == len(MARKET)


def test_what_came_is_said(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.misbehave(Fault(status=502))
    with pytest.raises(PricesUnavailable, match=rf"HTTP 502, {len(HTML)} bytes of text/html came") as caught:
        fetch()
    assert caught.value.data["source"] == "yahoo"


def test_no_rows_is_to_be_tried_again(yahoo: FakeYahoo, fetch: Fetch) -> None:
    def none(answer: dict[str, Any]) -> None:
        answer["chart"]["result"][0].pop("timestamp")
        answer["chart"]["result"][0]["indicators"] = {"quote": [{}], "adjclose": [{}]}

    yahoo.misbehave(Fault(edit=none))
    with pytest.raises(PricesUnavailable, match="no prices since 2012-01-02"):
        fetch()


def change(column: str, value: float | None, row: int = 50) -> Fault:
    def edit(answer: dict[str, Any]) -> None:
        indicators = answer["chart"]["result"][0]["indicators"]
        place = indicators["adjclose"][0] if column == "adjclose" else indicators["quote"][0]
        place[column][row] = value

    return Fault(edit=edit)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (change("open", None), "Open not a number"),
        (change("close", None), "Close not a number"),
        (change("adjclose", None), "Adj Close not a number"),
        (change("volume", None), "Volume missing, zero or negative"),
        (change("low", 0.0), "Low zero"),
        (change("close", -1.0), "Close negative"),
        (change("high", 1.0), "High below Low"),
        (change("adjclose", 1e4), "Adj Close above Close"),
    ],
)
def test_a_wrong_number_is_named_with_its_day(yahoo: FakeYahoo, fetch: Fetch, fault: Fault, message: str) -> None:
    yahoo.misbehave(fault)
    with pytest.raises(FaultyPrices, match=f"{message}.*: {MARKET.sessions[50]}"):
        fetch()


def test_rows_out_of_order_are_sorted(yahoo: FakeYahoo, fetch: Fetch) -> None:
    def reverse(answer: dict[str, Any]) -> None:
        result = answer["chart"]["result"][0]
        for column in (result["timestamp"], *quote(answer).values(), result["indicators"]["adjclose"][0]["adjclose"]):
            column.reverse()

    yahoo.misbehave(Fault(edit=reverse))
    assert (fetch().values == MARKET.values).all()


def test_a_dividend_to_come_makes_no_row(yahoo: FakeYahoo, fetch: Fetch) -> None:
    def announce(answer: dict[str, Any]) -> None:
        ex_date = answer["chart"]["result"][0]["timestamp"][-1] + 7 * 86_400
        dividends = {str(ex_date): {"amount": 0.5, "date": ex_date}}
        answer["chart"]["result"][0]["events"] = {"dividends": dividends}

    yahoo.misbehave(Fault(edit=announce))
    assert fetch(now=AFTER_CLOSE + timedelta(hours=1)).last == MARKET.last


def test_a_day_that_stands_twice_with_other_numbers_is_a_restatement(yahoo: FakeYahoo, fetch: Fetch) -> None:
    fetch()

    def double(answer: dict[str, Any]) -> None:
        result = answer["chart"]["result"][0]
        for column in (result["timestamp"], *quote(answer).values(), result["indicators"]["adjclose"][0]["adjclose"]):
            column.insert(50, column[50])
        for name in ("open", "high", "low", "close"):
            quote(answer)[name][50] *= 1.01

    yahoo.misbehave(Fault(edit=double))
    with pytest.raises(RestatedPrices, match=f"- {MARKET.sessions[50]}: Open"):
        fetch()


def test_a_missing_block_of_adjusted_prices_is_a_restatement(yahoo: FakeYahoo, fetch: Fetch) -> None:
    values = MARKET.values.copy()
    values[:100, COLUMNS.index("Adj Close")] *= 0.98
    values[:200, COLUMNS.index("Adj Close")] *= 0.99
    yahoo.serve("META", replace(MARKET, values=values))
    fetch()
    yahoo.misbehave(Fault(edit=lambda answer: answer["chart"]["result"][0]["indicators"].pop("adjclose")))
    with pytest.raises(RestatedPrices, match="200 sessions of the past changed irregularly"):
        fetch()


def test_a_row_without_numbers_is_named(yahoo: FakeYahoo, fetch: Fetch) -> None:
    def empty(answer: dict[str, Any]) -> None:
        for column in quote(answer).values():
            column[50] = None
        answer["chart"]["result"][0]["indicators"]["adjclose"][0]["adjclose"][50] = None

    yahoo.misbehave(Fault(edit=empty))
    with pytest.raises(FaultyPrices, match=f"not a number: {MARKET.sessions[50]}"):
        fetch()


def test_a_newest_row_without_its_close_is_to_be_tried_again(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.misbehave(Fault(edit=lambda answer: quote(answer)["close"].__setitem__(-1, None)))
    with pytest.raises(PricesUnavailable, match="no Close yet for 2013-03-28"):
        fetch()


def test_a_newest_session_that_is_not_there_is_to_be_tried_again(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.serve("META", MARKET.until(date(2013, 3, 26)))
    with pytest.raises(PricesUnavailable, match="none yet after 2013-03-26") as caught:
        fetch()
    assert caught.value.data["missing"] == ["2013-03-27", "2013-03-28"]
    assert fetch(as_of=date(2013, 3, 26)).last == date(2013, 3, 26)


def test_a_missing_session_within_is_named(yahoo: FakeYahoo, fetch: Fetch) -> None:
    kept = np.delete(np.arange(len(MARKET)), 50)
    yahoo.serve("META", replace(MARKET, sessions=MARKET.sessions[kept], values=MARKET.values[kept]))
    with pytest.raises(FaultyPrices, match=f"1 session missing: {MARKET.sessions[50]}"):
        fetch()
