"""What does not go together in a request for prices, and what a request means."""

from datetime import UTC, date, datetime

import pytest

from model.config import PriceRequest
from model.errors import UsageError
from tasks.prices.request import resolve
from tasks.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (PriceRequest(source="csv"), "no files"),
        (PriceRequest(source="sample", files=("a.csv",)), "--source sample, which reads no files"),
        (PriceRequest(source="yahoo", files=("a.csv",)), "--source yahoo, which reads no files"),
        (PriceRequest(source="yahoo", ticker="SAMPLE"), "the synthetic market"),
        (PriceRequest(source="csv", ticker="sample", files=("a.csv",)), "the synthetic market"),
        (PriceRequest(source="sample", ticker="META"), "--ticker META: --source sample"),
        (PriceRequest(source="yahoo", ticker=""), "not a ticker"),
        (PriceRequest(source="yahoo", ticker="FB META"), "not a ticker"),
        (PriceRequest(source="yahoo", ticker="../FB"), "not a ticker"),
        (PriceRequest(source="yahoo", ticker="F" * 33), "not a ticker"),
        (PriceRequest(source="csv", files=("a.csv",)), "files without a ticker"),
        (PriceRequest.model_validate({"ticker": None, "source": "csv", "files": ["a.csv"]}), "files without a ticker"),
        (PriceRequest(source="yahoo", columns=("close=x",)), "--source yahoo"),
        (PriceRequest(source="sample", date_format="%d/%m/%Y"), "--source sample"),
        (PriceRequest(source="yahoo", ticker="US30303M1027"), "securities number"),
        (PriceRequest(source="sample", exchange="XETR"), "--exchange XETR: --source sample"),
        *((PriceRequest(exchange=code), "no calendar of that name") for code in ("NOSUCH", "", "xetr", "XNYS\n")),
    ],
)
def test_what_does_not_go_together_is_wrong_use(wanted: PriceRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resolve(wanted, Settings(), NOW)
    assert caught.value.exit_code == 2


def test_a_resolved_request_knows_the_newest_day_whose_prices_may_be_used() -> None:
    completed = date(2026, 11, 19)
    assert resolve(PriceRequest(source="sample"), Settings(), NOW).until(completed) == completed
    before = PriceRequest(source="sample", as_of=date(2020, 1, 31))
    assert resolve(before, Settings(), NOW).until(completed) == date(2020, 1, 31)
    today = PriceRequest(source="sample", as_of=date(2026, 11, 20))
    assert resolve(today, Settings(), NOW).until(completed) == completed


@pytest.mark.parametrize(
    "ticker", ["M&M.NS", "BAJAJ-AUTO.NS", "BRK-B", "AAPL270115C00250000", "0700.HK", "^GSPC", "EURUSD=X", "A_B"]
)
def test_tickers_as_yahoo_has_them_are_taken(ticker: str) -> None:
    assert resolve(PriceRequest(ticker=ticker), Settings(), NOW).security.ticker == ticker


@pytest.mark.parametrize("read_by_yaml", [True, False, 448, 1e5, date(2020, 1, 1)])
def test_a_ticker_that_yaml_takes_for_something_else_is_told_to_be_quoted(read_by_yaml: object) -> None:
    with pytest.raises(ValueError, match=r'in quotes.*write ticker: "ON"'):
        PriceRequest.model_validate({"ticker": read_by_yaml})


@pytest.mark.parametrize("exchange", ["XNYS", "XNAS", "NYSE"])
def test_a_closure_holds_under_every_code_of_an_exchange(exchange: str) -> None:
    settings = Settings(extra_closures={"XNYS": (date(2026, 11, 18),)})
    calendar = resolve(PriceRequest(ticker="KO", exchange=exchange), settings, NOW).calendar
    assert calendar.next_session(date(2026, 11, 17)) == date(2026, 11, 19)
