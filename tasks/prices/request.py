"""A request for prices, resolved: which security, on which exchange, up to which day."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from model.config import PriceRequest
from model.errors import UsageError
from model.market.calendar import ExchangeCalendar
from model.market.security import SAMPLE, Security
from tasks.settings import Settings

# Yahoo's longest are those of options, such as AAPL270115C00250000, and of coins.
_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=&_-]{0,31}")

# yfinance takes such a name for an international securities number and asks other services about it.
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRequest:
    """A request that was checked, and what it means by the settings.

    security: what is asked for, under its present ticker
    calendar: the sessions of its exchange
    """

    request: PriceRequest
    security: Security
    calendar: ExchangeCalendar

    def until(self, completed: date) -> date:
        """The newest day whose prices may be used, where `completed` is the newest completed session."""
        return min(completed, self.request.as_of or completed)


def resolve(request: PriceRequest, settings: Settings, now: datetime) -> ResolvedRequest:
    """Resolve a request once, where a run begins; UsageError where it asks for what cannot be."""
    security = wanted_security(request, settings)
    calendar = calendar_for(security, settings)
    today = calendar.today(now)
    if request.as_of is not None and request.as_of > today:
        raise UsageError(
            f"--as-of {request.as_of}",
            have=f"a day to come: at the exchange it is {today}",
            need="today or a day before",
            remedy="choose an earlier day, or leave --as-of out",
        )
    return ResolvedRequest(request=request, security=security, calendar=calendar)


def wanted_security(request: PriceRequest, settings: Settings) -> Security:
    """The security that is asked for; UsageError where ticker, source and files do not go together."""
    ticker, source = request.ticker, request.source
    if not _TICKER.fullmatch(ticker):
        need = "up to 32 letters, digits and . ^ = & _ -, beginning with a letter, a digit or ^"
        raise UsageError(f"ticker {ticker!r}", have="no ticker", need=need, remedy="correct --ticker")
    if _ISIN.fullmatch(ticker.upper()):
        have, remedy = "an international securities number", "look the ticker up at finance.yahoo.com"
        raise UsageError(f"ticker {ticker}", have=have, need="Yahoo's ticker", remedy=remedy)
    if request.files and source != "csv":
        have, remedy = f"files with the source {source}", "add --source csv, or leave the files out"
        raise UsageError(f"--prices {request.files[0]}", have=have, need="the source csv", remedy=remedy)
    if source == "csv" and not request.files:
        need = "at least one file of prices"
        raise UsageError("--source csv", have="no files", need=need, remedy="add --prices FILE")
    if source == "csv" and "ticker" not in request.model_fields_set:
        need = "the ticker of the security that the prices are of"
        raise UsageError("--source csv", have="files without a ticker", need=need, remedy="add --ticker TICKER")
    if source != "csv" and (request.columns or request.date_format):
        option = "--columns" if request.columns else "--date-format"
        remedy = f"leave {option} out, or add --source csv"
        raise UsageError(option, have=f"the source {source}", need="files of prices", remedy=remedy)
    if request.vintage is not None and source != "yahoo":
        raise UsageError(
            f"--vintage {request.vintage}",
            have=f"the source {source}",
            need="the source yahoo, of whose answers snapshots are kept",
            remedy="leave --vintage out: files and the sample market are the same whenever they are read",
        )
    if source == "sample":
        return SAMPLE
    security = settings.security(ticker)
    if security == SAMPLE:
        raise UsageError(
            f"ticker {ticker}",
            have=f"the source {source}",
            need=f"the source sample: {SAMPLE.ticker} is the synthetic market",
            remedy="use --source sample, or another ticker",
        )
    return security


def calendar_for(security: Security, settings: Settings) -> ExchangeCalendar:
    """The calendar that a security trades by, without the closures that the settings name."""
    return ExchangeCalendar(security.exchange, settings.closures(security.exchange))
