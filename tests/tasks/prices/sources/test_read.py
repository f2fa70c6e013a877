"""Which source gives which security, and up to which day."""

from datetime import UTC, date, datetime

import pytest

from model.config import PriceRequest
from model.errors import TooFewPrices
from model.market.prices import Prices
from model.market.security import SAMPLE
from tasks.prices.request import resolve
from tasks.prices.sources.read import read_prices
from tasks.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def read(request: PriceRequest, settings: Settings) -> Prices:
    return read_prices(resolve(request, settings, NOW), settings, NOW)


def test_the_sample_market_reaches_the_newest_completed_session_and_is_no_security() -> None:
    prices = read(PriceRequest(source="sample"), Settings())
    assert prices.security is SAMPLE
    assert (prices.first, prices.last) == (date(2012, 1, 3), date(2026, 11, 20))
    assert "not a real security" in prices.notes[0]


def test_the_sample_market_as_of_a_day_is_the_same_market_cut_there() -> None:
    whole = read(PriceRequest(source="sample", market_seed=7), Settings())
    cut = read(PriceRequest(source="sample", market_seed=7, as_of=date(2020, 2, 1)), Settings())
    assert cut.last == date(2020, 1, 31)
    assert cut.fingerprint == whole.until(date(2020, 2, 1)).fingerprint


def test_a_closure_from_the_settings_is_no_session_of_the_sample_market() -> None:
    closed = Settings(extra_closures={"XNYS": (date(2026, 11, 19),)})
    prices = read(PriceRequest(source="sample"), closed)
    assert str(prices.sessions[-2]) == "2026-11-18"


def test_before_the_sample_market_began_there_are_too_few_prices() -> None:
    with pytest.raises(TooFewPrices, match="none on or before 2011-01-01"):
        read(PriceRequest(source="sample", as_of=date(2011, 1, 1)), Settings())
