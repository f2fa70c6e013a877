"""Fetches many securities, one after the other; after an interruption it continues where it stopped."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from model.config import PriceRequest
from model.errors import RateLimited, TomorrowError
from model.market.calendar import ExchangeCalendar
from tasks.prices.fetch import fetch_prices
from tasks.prices.fetch_record import FetchRecord
from tasks.prices.inventory import missing_sessions
from tasks.prices.request import resolve, wanted_security
from tasks.prices.retry import patiently
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.sources.yahoo import yahoo_session
from tasks.settings import Settings
from tasks.system.durable_file import make_folder_durably, write_durably

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession

# After this many rate-limited securities in a row, the rest are not asked for: Yahoo would refuse them, too.
RATE_LIMITED_IN_A_ROW = 3

Clock = Callable[[], datetime]
Show = Callable[[int, str], None]
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result for one security.

    record: its fetch
    kept:   whether that fetch was made before an interruption of the same list
    error:  why there is no fetch; record and error are None if it was not asked for, because of rate limits
    """

    ticker: str
    record: FetchRecord | None = None
    kept: bool = False
    error: TomorrowError | None = None


def named_securities(tickers: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The present tickers of the named securities, each once; UsageError for a name that cannot be a ticker."""
    requests = (PriceRequest(ticker=ticker) for ticker in tickers)
    return tuple(dict.fromkeys(wanted_security(request, settings).ticker for request in requests))


def fetchable(named: Sequence[str], settings: Settings) -> Sequence[str]:
    """The tickers to fetch: the named ones, else all stored ones, else the default security."""
    return named or SnapshotStore(settings).tickers() or named_securities((PriceRequest().ticker,), settings)


def fetch_many(
    tickers: Sequence[str],
    settings: Settings,
    *,
    accept_restatement: bool,
    first: date | None = None,
    now: Clock,
    show: Show,
    say: Say,
) -> list[Outcome]:
    """Fetch securities one after the other, with a pause between; a failure does not stop the others.

    show: called after each security with how many are done, and its ticker
    say:  called with a sentence before each retry
    """
    store = SnapshotStore(settings)
    mark = _mark(tickers, settings)
    begun = _begun_before(mark, now())
    if begun is None:
        make_folder_durably(mark.parent)
        write_durably(mark, lambda place: place.write_text(now().isoformat(), encoding="ascii"))
    outcomes: list[Outcome] = []
    refused = 0
    with yahoo_session(settings.prices.timeout) as session:
        for ticker in tickers:
            if refused == RATE_LIMITED_IN_A_ROW:
                outcomes.append(Outcome(ticker=ticker))
                continue
            record = _kept(ticker, store, begun, settings, now()) if begun else None
            if record is not None:
                outcomes.append(Outcome(ticker=ticker, record=record, kept=True))
            else:
                if any(not outcome.kept for outcome in outcomes):
                    time.sleep(settings.prices.pause)
                request = PriceRequest(
                    ticker=ticker, source="yahoo", accept_restatement=accept_restatement, first=first
                )
                outcomes.append(_fetch(request, settings, session, now, say))
                refused = refused + 1 if isinstance(outcomes[-1].error, RateLimited) else 0
            show(len(outcomes), ticker)
    if refused < RATE_LIMITED_IN_A_ROW:
        mark.unlink(missing_ok=True)
    return outcomes


def _fetch(request: PriceRequest, settings: Settings, session: "YahooSession", now: Clock, say: Say) -> Outcome:
    try:
        resolved = resolve(request, settings, now())
        fetched = patiently(
            lambda: fetch_prices(resolved, settings, now(), session=session), settings.prices.retries, say=say
        )
    except TomorrowError as error:
        # Its traceback and causes would keep Yahoo's whole answer in memory.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return Outcome(ticker=request.ticker, error=error)
    return Outcome(ticker=request.ticker, record=fetched.record)


def _mark(tickers: Sequence[str], settings: Settings) -> Path:
    """The file with the time at which the fetch of a list began; it is removed when the list is done."""
    digest = hashlib.sha256("\n".join(sorted(tickers)).encode()).hexdigest()[:16]
    return settings.home / "prices" / f"fetching-{digest}.txt"


def _begun_before(mark: Path, now: datetime) -> datetime | None:
    """When an interrupted fetch of the same list began; None if there was none, or another session has ended since."""
    try:
        begun = datetime.fromisoformat(mark.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    calendar = ExchangeCalendar()
    return begun if calendar.last_completed(begun) == calendar.last_completed(now) else None


def _kept(ticker: str, store: SnapshotStore, begun: datetime, settings: Settings, now: datetime) -> FetchRecord | None:
    """The fetch of a security after the list was begun; None where there is none, or it lacks sessions."""
    record = store.newest(ticker)
    if record is None or record.fetched_at < begun or missing_sessions(record, settings, now):
        return None
    return record
