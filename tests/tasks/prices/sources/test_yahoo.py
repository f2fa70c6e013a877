"""Yahoo through the real client, against a loopback server that speaks its protocol."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from model.errors import (
    FaultyPrices,
    PricesUnavailable,
    WrongSecurity,
)
from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.sources.yahoo import fetch_chart
from tests.facebook import MARKET, META, facebook_settings, obtain
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.project import ROOT
from tests.tasks.prices.conftest import Fetch


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


@pytest.mark.parametrize("described", [{"exchangeName": "CAI"}, {"instrumentType": "MUTUALFUND"}])
def test_without_a_calendar_the_sessions_are_the_days_that_the_prices_have(
    yahoo: FakeYahoo, fetch: Fetch, described: dict[str, str]
) -> None:
    open_days = (MARKET.sessions.astype(int) + 3) % 7 != 2  # none is a Wednesday
    served = replace(MARKET, sessions=MARKET.sessions[open_days], values=MARKET.values[open_days])
    yahoo.serve("COMI.CA", served, **described)
    prices = fetch("COMI.CA", now=datetime(2013, 3, 28, 22, 30, tzinfo=UTC))
    assert len(prices) == len(served)
    assert (prices.security.exchange, prices.security.zone) == ("observed", "America/New_York")
    assert prices.notes == (
        "no calendar of its exchange is known: the days with prices count as its sessions, and future sessions are "
        "assumed (--exchange names a calendar)",
    )


@pytest.mark.parametrize("kind", ["INDEX", "CURRENCY"])
def test_what_has_no_shares_needs_no_volume(yahoo: FakeYahoo, fetch: Fetch, kind: str) -> None:
    values = MARKET.values.copy()
    values[:, COLUMNS.index("Volume")] = 0
    yahoo.serve("^X", replace(MARKET, values=values), instrumentType=kind)
    assert len(fetch("^X")) == len(MARKET)
    yahoo.serve("SHARE", replace(MARKET, values=values))
    assert not fetch("SHARE").has_volume


def test_a_share_that_is_traded_on_some_days_needs_a_volume_on_all(yahoo: FakeYahoo, fetch: Fetch) -> None:
    values = MARKET.values.copy()
    values[5:, COLUMNS.index("Volume")] = 0
    yahoo.serve("SHARE", replace(MARKET, values=values))
    with pytest.raises(FaultyPrices, match="Volume missing, zero or negative"):
        fetch("SHARE")


def test_another_calendar_is_advised_only_where_the_exchange_is_another(yahoo: FakeYahoo, fetch: Fetch) -> None:
    yahoo.serve("META", MARKET, currency="EUR")
    with pytest.raises(WrongSecurity, match="currency EUR instead of USD") as refused:
        fetch()
    assert "--exchange" not in str(refused.value.remedy)
    yahoo.serve("META", MARKET, exchangeName="GER")
    with pytest.raises(WrongSecurity, match="exchange XETR instead of XNYS") as refused:
        fetch()
    assert "--exchange XETR" in str(refused.value.remedy)
