"""`tomorrow prices`: what is stored, and a fetch of one or many securities. It needs neither Prefect nor MLflow."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.runs.clock import now
from model.config import PriceRequest
from model.errors import RateLimited, TomorrowError
from tasks.prices.batch import Batch
from tasks.prices.fetch import fetch_prices
from tasks.prices.fetch_record import FetchRecord
from tasks.prices.inventory import Holding, take_stock
from tasks.prices.request import resolve, wanted_security
from tasks.prices.retry import patiently
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.sources.yahoo import yahoo_session
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession

# So many securities in a row that Yahoo refuses for the number of requests: it will refuse the next one as well.
RATE_LIMITED_IN_A_ROW = 3
LOG_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one security.

    record: its fetch; the one from before where it was `kept`, since an interrupted fetch had got it already
    error:  why there is none; both are None where it was not asked for any more
    """

    ticker: str
    record: FetchRecord | None = None
    kept: bool = False
    error: TomorrowError | None = None


def named_securities(tickers: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The present tickers of what is named, each once; UsageError where something can be none."""
    wanted = (PriceRequest(ticker=ticker) for ticker in tickers)
    return tuple(dict.fromkeys(wanted_security(prices, settings).ticker for prices in wanted))


def stocktaking(tickers: Sequence[str], settings: Settings) -> list[Holding]:
    """What is stored of the securities that are named, down to the last file; of all, if none is."""
    store, at = SnapshotStore(settings), now()
    return [take_stock(store, ticker, settings, at, all_of_it=bool(tickers)) for ticker in tickers or store.tickers()]


def fetch_all(named: Sequence[str], settings: Settings, *, accept_restatement: bool) -> list[Outcome]:
    """Fetch securities one after the other, with a pause between; a failure does not stop the others.

    If none is named, those that are stored, and if nothing is stored, the one that stands for all defaults.
    """
    store = SnapshotStore(settings)
    tickers = named or store.tickers() or named_securities((PriceRequest().ticker,), settings)
    batch = Batch(tickers, settings, now())
    outcomes: list[Outcome] = []
    refused = 0
    with yahoo_session(settings.prices.timeout) as session, fetching_progress(len(tickers)) as show:
        for ticker in tickers:
            if refused == RATE_LIMITED_IN_A_ROW:
                outcomes.append(Outcome(ticker=ticker))
                continue
            if batch.has(ticker, store, now()):
                outcomes.append(Outcome(ticker=ticker, record=store.newest(ticker), kept=True))
            else:
                if any(not outcome.kept for outcome in outcomes):
                    time.sleep(settings.prices.pause)
                outcomes.append(_fetch(ticker, settings, session, accept_restatement))
                refused = refused + 1 if isinstance(outcomes[-1].error, RateLimited) else 0
            show(len(outcomes), ticker)
    if refused < RATE_LIMITED_IN_A_ROW:
        batch.end()
    return outcomes


def _fetch(ticker: str, settings: Settings, session: "YahooSession", accept_restatement: bool) -> Outcome:
    wanted = PriceRequest(ticker=ticker, source="yahoo", accept_restatement=accept_restatement)
    try:
        resolved = resolve(wanted, settings, now())
        fetched = patiently(
            lambda: fetch_prices(resolved, settings, now(), session=session),
            settings.prices.retries,
            say=_say,
        )
    except TomorrowError as error:
        # What led to it holds on to Yahoo's whole answer.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return Outcome(ticker=ticker, error=error)
    return Outcome(ticker=ticker, record=fetched.record)


@contextmanager
def fetching_progress(total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal, else a line now and then, both on standard error."""
    if total > 1 and sys.stderr.isatty():
        with _bar(total) as show:
            yield show
    else:
        yield _log(total)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("fetching"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[ticker]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("fetching", total=total, ticker="")
        yield lambda done, ticker: progress.update(task, completed=done, ticker=ticker)


def _log(total: int) -> Callable[[int, str], None]:
    last = [time.monotonic()]

    def show(done: int, ticker: str) -> None:
        if total > 1 and (done == total or time.monotonic() - last[0] >= LOG_EVERY_SECONDS):
            last[0] = time.monotonic()
            _say(f"{done} of {total} securities, newest {ticker}")

    return show


def _say(line: str) -> None:
    sys.stderr.write(f"tomorrow: {line}\n")
