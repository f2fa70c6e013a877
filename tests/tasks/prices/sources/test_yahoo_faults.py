"""What can go wrong with Yahoo's answers: each fault has its name, and none is taken for prices."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from model.errors import (
    FaultyPrices,
    PricesUnavailable,
    RateLimited,
    RestatedPrices,
    TomorrowError,
    UnknownSymbol,
)
from model.market.prices import COLUMNS, Prices
from tasks.prices.sources.yahoo import fetch_chart
from tests.facebook import AFTER_CLOSE, MARKET, META
from tests.fakes.abroad import Abroad
from tests.fakes.yahoo import HTML, FakeYahoo, Fault
from tests.tasks.prices.conftest import Fetch, quote


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


def test_an_empty_row_on_a_day_without_trading_is_left_out_and_that_is_said(yahoo: FakeYahoo, fetch: Fetch) -> None:
    days = MARKET.sessions.astype("datetime64[D]")
    place = int(np.searchsorted(days, np.datetime64("2012-07-04")))
    sessions = np.insert(days, place, np.datetime64("2012-07-04"))
    yahoo.serve("META", replace(MARKET, sessions=sessions, values=np.insert(MARKET.values, place, np.nan, axis=0)))
    prices = fetch()
    assert len(prices) == len(MARKET)
    assert "left out, empty rows on days when XNYS did not trade: 2012-07-04" in prices.notes


def test_an_empty_row_of_an_exchange_rate_is_waited_for_and_left_out_once_later_days_are_there(
    yahoo: FakeYahoo, fetch: Fetch
) -> None:
    christmas, never = date(2025, 12, 25), datetime(2030, 1, 1, tzinfo=UTC)
    rate = Abroad.of("EURUSD=X", first=date(2025, 6, 2), last=date(2025, 12, 30), delayed={christmas: never})

    def fetched(day: int) -> Prices:
        five_past_five = datetime(2025, 12, day, 22, 5, tzinfo=UTC)
        rate.show(yahoo, five_past_five)
        return fetch("EURUSD=X", now=five_past_five)

    assert fetched(24).last == date(2025, 12, 24)
    with pytest.raises(PricesUnavailable, match="yet for 2025-12-25"):
        fetched(25)
    after = fetched(26)
    assert (after.last, "2025-12-25" in after.sessions.astype(str)) == (date(2025, 12, 26), False)
    assert "1 session missing, a bank holiday: 2025-12-25" in after.notes


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
