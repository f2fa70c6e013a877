"""Daily prices from Yahoo, through yfinance, which is used here alone.

Every fault becomes PricesUnavailable, RateLimited, UnknownSymbol or WrongSecurity. Nothing is retried here.
"""

import logging
import os
import threading
import warnings
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from model.errors import PricesUnavailable, RateLimited, UnknownSymbol, WrongSecurity
from model.market.calendar import OBSERVED, same_exchange
from model.market.prices import COLUMNS, Days, Values
from model.market.security import Security
from tasks.prices.sources.yahoo_exchanges import CALENDARS

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession

# Prices are requested from this day on, or from the security's first session if that is later.
EARLIEST = date(1990, 1, 1)

# yfinance has one session and one cache for the whole process.
_one_at_a_time = threading.Lock()

_METADATA = (
    *("symbol", "instrumentType", "currency", "firstTradeDate", "longName"),
    *("exchangeName", "fullExchangeName", "exchangeTimezoneName"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Yahoo's answer for one symbol.

    sessions: (n,) datetime64[D], strictly increasing; the newest may not be over yet
    values:   (n, 6) float64 in the order of COLUMNS, NaN where Yahoo has no number
    metadata: Yahoo's description of the symbol, as text
    """

    sessions: Days
    values: Values
    metadata: dict[str, str | None]


def yahoo_session(timeout: float) -> "YahooSession":
    """A session for any number of securities, one after the other; to be used in a `with` statement.

    timeout: seconds for each request
    """
    from tasks.prices.sources.yahoo_session import YahooSession  # imported here: it loads curl

    return YahooSession(timeout)


def address(ticker: str) -> str:
    """The page where a person finds the same prices."""
    return f"https://finance.yahoo.com/quote/{ticker}/history"


@cache
def client_versions() -> dict[str, str]:
    """Name -> version of the libraries that read Yahoo's answers, since releases differ in that."""
    return {name: version(name) for name in ("yfinance", "curl_cffi", "pandas", "exchange-calendars")}


def fetch_chart(security: Security, session: "YahooSession") -> Chart:
    """Ask Yahoo once for the whole history of a security, unadjusted for dividends; PricesError where it fails."""
    import yfinance  # imported here: it takes over a second, and is configured just before each use
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError

    symbol = security.ticker
    try:
        with _one_at_a_time:
            return _ask(yfinance, symbol, _start(security), session)
    except YFRateLimitError:
        raise RateLimited(
            f"Yahoo's prices of {symbol}",
            have="too many requests (429)",
            need="fewer requests from this address",
            remedy="wait half an hour or more before the next try",
            source="yahoo",
        ) from None
    except YFPricesMissingError as error:
        reason = error.yahoo_reason or ""
        if reason.startswith("No data found"):
            raise UnknownSymbol(
                f"ticker {symbol}",
                have=f"Yahoo says: {reason}",
                need="a symbol that Yahoo knows",
                remedy="look the ticker up at finance.yahoo.com",
                source="yahoo",
            ) from None
        raise _unavailable(symbol, reason or f"no prices since {_start(security)} ({session.came})") from error
    # yfinance passes on what its libraries raise for a broken connection or answer: curl's errors, three kinds of JSON
    # errors, KeyError and ValueError for an answer of another shape. All mean that there is no usable answer.
    except Exception as error:
        what = f"{type(error).__name__}: {_first_line(error)}"
        raise _unavailable(symbol, f"no usable answer ({session.came} came; {what})") from error


def _start(security: Security) -> date:
    """The first day to request: one day early, since yfinance uses New York's time, where the day begins later."""
    return max(security.first_session or EARLIEST, EARLIEST) - timedelta(days=1)


def _ask(client: Any, symbol: str, start: date, session: "YahooSession") -> Chart:
    _prepare(client)
    ticker = client.Ticker(symbol, session=session)
    # Otherwise yfinance requests the time zone first, and caches an error answer as long as the process lives.
    ticker._tz = "America/New_York"
    # Otherwise it would request a new cookie at each fetch, since its cache on disk is off.
    ticker._data._cookie = True if session.has_cookie else None
    frame = ticker.history(
        start=start.isoformat(),  # without `end`: with it, an error answer would be cached likewise
        interval="1d",
        auto_adjust=False,
        actions=False,
        keepna=True,
        timeout=session.seconds,
    )
    sessions = frame.index.tz_localize(None).to_numpy().astype("datetime64[D]")
    values = np.ascontiguousarray(frame[list(COLUMNS)].to_numpy(dtype=np.float64))
    if not len(sessions) or not bool((np.diff(sessions) > np.timedelta64(0, "D")).all()):
        raise ValueError("no rows, or a day that occurs twice")
    if sessions[0] < np.datetime64(start, "D"):
        raise ValueError(f"a row of {sessions[0]}, before the requested days")
    # One key at a time: reading all of them would send another request.
    metadata = {key: _text(ticker.history_metadata.get(key)) for key in _METADATA}
    return Chart(sessions=sessions, values=values, metadata=metadata)


def _prepare(client: Any) -> None:
    """Let yfinance raise its errors, cache nothing and log no warnings."""
    client.config.debug.hide_exceptions = False
    client.data.YfData.cache_get.cache_clear()
    # Where no folder can be made, it does not use its caches on disk, one of which is a pickle.
    client.set_tz_cache_location(os.devnull)
    # It warns of every cookie that Yahoo does not give, although prices do not depend on them.
    logging.getLogger("yfinance").setLevel(logging.ERROR)
    # pandas warns at each fetch about deprecated calls in yfinance.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")


def identify(
    chart: Chart,
    security: Security,
    first_trade_date: Literal["warning", "error"] = "warning",
    exchange: str | None = None,
) -> tuple[Security, tuple[str, ...]]:
    """The security, completed from the chart, and notes on unexpected values; WrongSecurity if it is another one.

    first_trade_date: whether an unexpected first trading day is a note or an error
    exchange:         the calendar that the user has named, in place of Yahoo's
    """
    for key in ("symbol", "instrumentType", "currency"):
        if chart.metadata[key] is None:
            raise _unavailable(security.ticker, f"an answer that does not say its {key}")
    first = chart.metadata["firstTradeDate"]
    expected = {"symbol": security.ticker, "instrumentType": security.kind, "currency": security.currency}
    differing = [
        f"{key} {chart.metadata[key]} instead of {wanted}"
        for key, wanted in expected.items()
        if wanted is not None and chart.metadata[key] != wanted
    ]
    found = _calendar_of(chart.metadata)
    is_checked = security.kind is not None and exchange is None and OBSERVED not in (found, security.exchange)
    is_moved = is_checked and not same_exchange(found, security.exchange)
    if is_moved:
        differing.append(f"exchange {found} instead of {security.exchange}")
    notes = []
    if security.first_session is not None and first != security.first_session.isoformat():
        notes.append(f"Yahoo gives {first or 'no date'} as its first trading day, not {security.first_session}")
        differing += notes if first_trade_date == "error" else []
    if differing:
        raise WrongSecurity(
            f"ticker {security.ticker}",
            have=f"Yahoo's answer is {chart.metadata['longName'] or 'another security'}: {', '.join(differing)}",
            need=security.name or f"the {security.kind} in {security.currency} that it was before",
            remedy="ask for its present ticker, or correct its row under `securities` in mlflow.yaml"
            + (f", or name the calendar: --exchange {found}" if is_moved else ""),
            source="yahoo",
            metadata=chart.metadata,
        )
    return _described(security, chart.metadata, exchange), tuple(notes)


def _calendar_of(metadata: dict[str, str | None]) -> str:
    """The calendar that a security trades by; `observed` where none is known.

    For mutual funds, too: they are not traded on an exchange, and their prices keep no calendar.
    """
    if metadata["instrumentType"] == "MUTUALFUND":
        return OBSERVED
    return CALENDARS.get(metadata["exchangeName"] or "", OBSERVED)


def _described(security: Security, metadata: dict[str, str | None], exchange: str | None) -> Security:
    """The security with its unknown fields filled in from the chart."""
    if exchange is not None:
        security = replace(security, exchange=exchange)
    if security.zone is None and security.exchange == OBSERVED:
        security = replace(security, zone=metadata["exchangeTimezoneName"])
    if security.kind is not None:
        return security
    exchange = exchange or _calendar_of(metadata)
    return replace(
        security,
        zone=metadata["exchangeTimezoneName"] if exchange == OBSERVED else None,
        name=metadata["longName"] or security.name,
        exchange=exchange,
        kind=metadata["instrumentType"],
        currency=metadata["currency"],
        first_session=_day(metadata["firstTradeDate"]),
    )


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        return None


def _unavailable(symbol: str, have: str) -> PricesUnavailable:
    return PricesUnavailable(
        f"Yahoo's prices of {symbol}",
        have=have,
        need="a complete answer",
        remedy="try again later, or use files with --source csv",
        source="yahoo",
    )


def _text(value: Any) -> str | None:
    """A value of the metadata as text; a time as its day."""
    if hasattr(value, "date"):
        value = value.date()
    return None if value is None else str(value)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].partition(" See http")[0][:200] if lines else "no details"
