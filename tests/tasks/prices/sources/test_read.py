"""Which source gives which security, and what does not go together."""

from datetime import UTC, date, datetime

import pytest

from model.config import PriceRequest
from model.errors import TooFewPrices, UsageError
from model.market.security import SAMPLE
from tasks.prices.sources.read import read_prices
from tasks.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def test_the_sample_market_reaches_the_newest_completed_session_and_is_sample_whatever_the_ticker() -> None:
    prices = read_prices(PriceRequest(ticker="FB", source="sample"), Settings(), NOW)
    assert prices.security is SAMPLE
    assert (prices.first, prices.last) == (date(2012, 1, 3), date(2026, 11, 20))
    assert "not a real security" in prices.notes[0]


def test_the_sample_market_as_of_a_day_is_the_same_market_cut_there() -> None:
    whole = read_prices(PriceRequest(source="sample", market_seed=7), Settings(), NOW)
    cut = read_prices(PriceRequest(source="sample", market_seed=7, as_of=date(2020, 2, 1)), Settings(), NOW)
    assert cut.last == date(2020, 1, 31)
    assert cut.fingerprint == whole.until(date(2020, 2, 1)).fingerprint


def test_a_closure_from_the_settings_is_no_session_of_the_sample_market() -> None:
    closed = Settings(extra_closures={"XNYS": (date(2026, 11, 19),)})
    prices = read_prices(PriceRequest(source="sample"), closed, NOW)
    assert str(prices.sessions[-2]) == "2026-11-18"


def test_before_the_sample_market_began_there_are_too_few_prices() -> None:
    with pytest.raises(TooFewPrices, match="none on or before 2011-01-01"):
        read_prices(PriceRequest(source="sample", as_of=date(2011, 1, 1)), Settings(), NOW)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (PriceRequest(source="csv"), "no files"),
        (PriceRequest(source="sample", files=("a.csv",)), "files with the source sample"),
        (PriceRequest(source="yahoo", files=("a.csv",)), "files with the source yahoo"),
        (PriceRequest(source="yahoo", ticker="SAMPLE"), "the synthetic market"),
        (PriceRequest(source="csv", ticker="sample", files=("a.csv",)), "the synthetic market"),
        (PriceRequest(source="yahoo", ticker=""), "no ticker"),
        (PriceRequest(source="yahoo", ticker="FB META"), "no ticker"),
        (PriceRequest(source="yahoo", ticker="../FB"), "no ticker"),
        (PriceRequest(source="yahoo", ticker="F" * 16), "no ticker"),
        (PriceRequest(source="yahoo", ticker="US30303M1027"), "securities number"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(wanted: PriceRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_prices(wanted, Settings(), NOW)
    assert caught.value.exit_code == 2
