"""Facebook for tests: its row in the table, and a synthetic market in place of its prices."""

from datetime import UTC, date, datetime
from pathlib import Path

from model.config import PriceRequest
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.fetch import FetchedPrices, fetch_prices
from tasks.prices.request import resolve
from tasks.settings import PriceSettings, RetrySettings, SecuritySettings, Settings
from tests.fakes.yahoo import FakeYahoo

FACEBOOK = SecuritySettings(
    ticker="META",
    name="Facebook",
    former_tickers=("FB",),
    currency="USD",
    kind="EQUITY",
    first_session=date(2012, 1, 3),
)
META = Security(**FACEBOOK.model_dump(exclude_none=True))
CALENDAR = ExchangeCalendar()
LAST = date(2013, 3, 28)
MARKET = sample_prices(LAST, 0, CALENDAR)
AFTER_CLOSE = datetime(2013, 3, 28, 22, 0, tzinfo=UTC)
AT_ONCE = RetrySettings(unavailable=(0, 0, 0), rate_limited=(0, 0, 0), command_line=(0, 0))


def facebook_settings(home: Path, **prices: object) -> Settings:
    """Settings with Facebook in the table, and no waiting."""
    asked = PriceSettings.model_validate({"pause": 0, "retries": AT_ONCE, **prices})
    return Settings(home=home, securities=(FACEBOOK,), prices=asked)


def obtain(
    yahoo: FakeYahoo, settings: Settings, ticker: str = "FB", now: datetime = AFTER_CLOSE, **wanted: object
) -> FetchedPrices:
    """Ask the fake once for prices."""
    config = PriceRequest.model_validate({"ticker": ticker, "source": "yahoo", **wanted})
    with yahoo.session() as session:
        return fetch_prices(resolve(config, settings, now), settings, now, session=session)


def until(day: str) -> Prices:
    """The market up to a day."""
    return MARKET.until(date.fromisoformat(day))
