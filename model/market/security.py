"""What is traded, and how to recognise it."""

from dataclasses import dataclass
from datetime import date

from model.errors import UsageError
from model.market.money import POINTS

_WITHOUT_VOLUME = ("CURRENCY", "INDEX", "MUTUALFUND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """One security under its present ticker.

    former_tickers: earlier symbols of the same security; a request for one of them means this security
    exchange:       the exchange's calendar by its ISO 10383 code, as exchange_calendars names it; `observed` where
                    sessions are the days that the prices have
    zone:           the exchange's time zone, where its calendar does not say it; None if not known
    currency, kind: as Yahoo's chart metadata gives them (`USD`, `EQUITY`); None if not known yet
    first_session:  its first trading day; None if not known yet
    """

    ticker: str
    name: str = ""
    former_tickers: tuple[str, ...] = ()
    exchange: str = "XNYS"
    currency: str | None = None
    kind: str | None = None
    first_session: date | None = None
    zone: str | None = None

    @property
    def has_volume(self) -> bool:
        """Whether shares of it are traded: an index or a currency pair has no volume."""
        return self.kind not in _WITHOUT_VOLUME

    @property
    def unit(self) -> str | None:
        """What its prices are in, as Money takes it: points of an index, nothing for an exchange rate."""
        return POINTS if self.kind == "INDEX" else None if self.kind == "CURRENCY" else self.currency

    def has_ticker(self, ticker: str) -> bool:
        """Whether `ticker` is its present or a former one."""
        return ticker.upper() in (self.ticker, *self.former_tickers)


SAMPLE = Security(ticker="SAMPLE", name="the synthetic sample market", currency="USD", kind="SYNTHETIC")


def check_sample(ticker: str) -> None:
    """UsageError where another security is named for the synthetic market: its prices would not be that one's."""
    if not SAMPLE.has_ticker(ticker):
        raise UsageError(
            f"--ticker {ticker}",
            have=f"--source sample, whose only security is the synthetic {SAMPLE.ticker}",
            need="the source yahoo or csv for any other security",
            remedy=f"leave --ticker out, or use real prices: --source yahoo, or --source csv --prices {ticker}.csv",
        )
