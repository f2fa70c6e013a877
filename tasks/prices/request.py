"""Resolves a request for prices: which security, on which exchange, from which day and up to which."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from model.config import PriceRequest
from model.errors import UsageError
from model.market.calendar import OBSERVED, ExchangeCalendar, code_of
from model.market.prices import Days
from model.market.security import SAMPLE, Security, check_sample
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.sources.yahoo_exchanges import calendar_by_ticker
from tasks.settings import Settings

# Yahoo's longest tickers are those of options, such as AAPL270115C00250000, and of coins.
_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=&_-]{0,31}")

# yfinance takes such a name for an ISIN, and asks other services about it.
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")

# How long before its last day a note says that a calendar ends.
_SAID_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRequest:
    """A checked request, with what it means under the settings.

    security: the requested security, under its present ticker, as its newest fetch described it
    calendar: the sessions of its exchange, as far as they are known before the prices are read
    first:    the first day whose prices are used; None for all of them
    """

    request: PriceRequest
    security: Security
    calendar: ExchangeCalendar
    first: date | None = None

    def until(self, completed: date) -> date:
        """The newest day whose prices may be used, where `completed` is the newest completed session."""
        return min(completed, self.request.as_of or completed)


def resolve(request: PriceRequest, settings: Settings, now: datetime) -> ResolvedRequest:
    """Resolve a request, once at the beginning of a run; UsageError where its options contradict each other."""
    store = SnapshotStore(settings)
    security = remembered(store, wanted_security(request, settings), request)
    calendar = calendar_for(security, settings)
    if request.source == "yahoo" and not calendar.knows_all:
        _, prices, _ = store.newest_readable(security.ticker)
        calendar = calendar if prices is None else calendar_for(security, settings, prices.sessions)
    today = calendar.today(now)
    if request.as_of is not None and request.as_of > today:
        raise UsageError(
            f"--as-of {request.as_of}",
            have=f"a day in the future: at the exchange it is {today}",
            need="today or an earlier day",
            remedy="choose an earlier day, or leave --as-of out",
        )
    first = request.first or settings.first_day(security.ticker)
    last = request.as_of or today
    if first is not None and first > last:
        raise UsageError(
            f"prices from {first} on",
            have=f"a day after {last}, the newest day that may be used",
            need="an earlier day",
            remedy="choose an earlier --from (backtest: --prices-from), or `from` under `securities` in mlflow.yaml",
        )
    return ResolvedRequest(request=request, security=security, calendar=calendar, first=first)


def wanted_security(request: PriceRequest, settings: Settings) -> Security:
    """The requested security; UsageError where ticker, source, files and exchange do not fit together."""
    _check_ticker(request.ticker)
    _check_source(request)
    if request.source == "sample":
        return SAMPLE
    security = settings.security(request.ticker, calendar_by_ticker(request.ticker) or "XNYS")
    if security == SAMPLE:
        raise UsageError(
            f"ticker {request.ticker}",
            have=f"--source {request.source}, and {SAMPLE.ticker} is the synthetic market",
            need="--source sample",
            remedy="use --source sample, or another ticker",
        )
    if request.exchange is None:
        return security
    code_of(request.exchange)
    return replace(security, exchange=request.exchange)


def _check_ticker(ticker: str) -> None:
    """UsageError where the text cannot be a ticker."""
    if not _TICKER.fullmatch(ticker):
        need = "up to 32 letters, digits and . ^ = & _ -, beginning with a letter, a digit or ^"
        raise UsageError(f"ticker {ticker!r}", have="not a ticker", need=need, remedy="correct --ticker")
    if _ISIN.fullmatch(ticker.upper()):
        have, remedy = "an international securities number (ISIN)", "look the ticker up at finance.yahoo.com"
        raise UsageError(f"ticker {ticker}", have=have, need="Yahoo's ticker", remedy=remedy)


def _check_source(request: PriceRequest) -> None:
    """UsageError where an option does not fit the source."""
    source = request.source
    if request.files and source != "csv":
        have, remedy = f"--source {source}, which reads no files", "add --source csv, or leave --prices out"
        raise UsageError(f"--prices {request.files[0]}", have=have, need="--source csv", remedy=remedy)
    if source == "csv" and not request.files:
        need = "at least one file of prices"
        raise UsageError("--source csv", have="no files are named", need=need, remedy="add --prices FILE")
    if source == "csv" and "ticker" not in request.model_fields_set:
        need = "the ticker of the security whose prices the files hold"
        raise UsageError("--source csv", have="files without a ticker", need=need, remedy="add --ticker TICKER")
    if source == "sample" and "ticker" in request.model_fields_set:
        check_sample(request.ticker)
    if source != "csv" and (request.columns or request.date_format):
        option = "--columns" if request.columns else "--date-format"
        remedy = f"leave {option} out, or add --source csv"
        raise UsageError(option, have=f"--source {source}, which reads no files", need="--source csv", remedy=remedy)
    if request.vintage is not None and source != "yahoo":
        raise UsageError(
            f"--vintage {request.vintage}",
            have=f"--source {source}, which has no snapshots",
            need="--source yahoo",
            remedy="leave --vintage out: files and the sample market do not change between reads",
        )
    if source == "sample" and request.exchange is not None:
        raise UsageError(
            f"--exchange {request.exchange}",
            have="--source sample, which trades on New York's days only",
            need="--source yahoo or --source csv",
            remedy="leave --exchange out",
        )


def remembered(store: SnapshotStore, security: Security, request: PriceRequest) -> Security:
    """The security; one of Yahoo's that mlflow.yaml does not describe is described by its newest good fetch."""
    if request.source != "yahoo" or security.kind is not None:
        return security
    known = store.newest(security.ticker)
    found = security if known is None else known.security
    return found if request.exchange is None else replace(found, exchange=request.exchange)


def calendar_for(security: Security, settings: Settings, sessions: Days | None = None) -> ExchangeCalendar:
    """The calendar of a security's exchange, less the closures in the settings.

    sessions: the days of its prices; they decide where the calendar is not sure
    """
    # Closures may be listed under the security's own code or the one that it stands for: XNAS has New York's days.
    codes = dict.fromkeys((security.exchange, code_of(security.exchange)))
    closures = tuple(day for code in codes for day in settings.closures(code))
    seen = b"" if sessions is None else ExchangeCalendar.bytes_of(sessions)
    return ExchangeCalendar(security.exchange, closures, security.zone, seen)


def calendar_notes(calendar: ExchangeCalendar, last: date) -> tuple[str, ...]:
    """Notes on the calendar of prices up to the day `last`, as on assumed sessions."""
    presumed = "the days with prices count as its sessions, and future sessions are assumed"
    if calendar.trouble:
        return (f"{calendar.trouble}: {presumed}",)
    if calendar.exchange == OBSERVED:
        return (f"no calendar of its exchange is known: {presumed} (--exchange names a calendar)",)
    until = calendar.good_until
    if until is not None and last > until - _SAID_BEFORE:
        later = "later sessions are assumed, without holidays, until exchange-calendars is updated"
        return (f"the calendar of {calendar.exchange} ends on {until}: {later}",)
    return ()
