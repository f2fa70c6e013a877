"""Reads prices from any source, and checks them: only completed sessions, none after the requested day."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from model.errors import PricesUnavailable, TooFewPrices
from model.market.calendar import ExchangeCalendar
from model.market.checks import ChecksConfig, check_prices
from model.market.findings import list_days
from model.market.prices import COLUMNS, Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.accepted import accepted_days
from tasks.prices.request import ResolvedRequest, calendar_for, calendar_notes
from tasks.prices.sources.files.read import read_files
from tasks.prices.sources.yahoo import address, fetch_chart, identify
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession


# If this many of the newest sessions are missing, the security is taken not to trade any more.
DELISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Download:
    """What Yahoo has of a security: not checked yet, and perhaps without the newest sessions.

    prices:   the completed sessions; without the newest one if some of its numbers are missing
    metadata: Yahoo's description of the symbol
    missing:  the newest completed sessions that are missing, or lack some numbers
    gap:      which numbers the newest session lacks, in words; empty where it lacks none
    """

    prices: Prices
    metadata: dict[str, str | None]
    missing: tuple[date, ...]
    gap: str


def read_prices(resolved: ResolvedRequest, settings: Settings, now: datetime) -> Prices:
    """Prices from files or the sample market, as known at the close of `as_of` or the newest completed session.

    PricesError where they cannot be read, are wrong, or are too few.
    """
    request = resolved.request
    if request.source == "csv":
        prices = _from_files(resolved, settings, now)
    else:
        until = resolved.until(resolved.calendar.last_completed(now))
        prices = known_until(sample_prices(until, request.market_seed, resolved.calendar), until)
    return check(used(prices, resolved.first, prices.last), settings)


def _from_files(resolved: ResolvedRequest, settings: Settings, now: datetime) -> Prices:
    """The completed sessions in the files, without empty rows."""
    request, security = resolved.request, resolved.security
    found = read_files(request.files, security, resolved.calendar.time_zone, request.columns, request.date_format)
    calendar = calendar_for(security, settings, found.sessions)
    completed = calendar.last_completed(now)
    prices = _without_empty(_without_unfinished(found, completed), calendar)
    prices = _with_older_noted(_without_gap_at_the_end(prices)[0])
    prices = known_until(prices, resolved.until(completed))
    return replace(prices, notes=(*prices.notes, *calendar_notes(calendar, prices.last)))


def download(
    security: Security, settings: Settings, now: datetime, session: "YahooSession", exchange: str | None = None
) -> Download:
    """Ask Yahoo once; PricesError if there is no answer, or it is about another security.

    exchange: the calendar that the user has named
    """
    chart = fetch_chart(security, session)
    known, notes = identify(chart, security, settings.prices.first_trade_date, exchange)
    calendar = calendar_for(known, settings, chart.sessions)
    completed = calendar.last_completed(now)
    prices = Prices(
        security=known,
        source="yahoo",
        origin=address(known.ticker),
        sessions=chart.sessions,
        values=chart.values,
        notes=(*notes, *calendar_notes(calendar, completed)),
    )
    whole = known_until(_without_unfinished(prices, completed), completed)
    prices, gap = _without_gap_at_the_end(whole)
    # A row that lacks numbers is a session whose prices come late, even where the calendar is not sure of it.
    missing = calendar.due_sessions(prices.last, completed) or ((whole.last,) if gap else ())
    prices = _without_empty(prices, calendar)
    return Download(prices=prices, metadata=chart.metadata, missing=missing, gap=gap)


def check(prices: Prices, settings: Settings) -> Prices:
    """The prices, with a note on each kind of odd but possible value; FaultyPrices if anything is wrong.

    Wrong values on days accepted with `tomorrow prices --accept` count as odd.
    """
    accepted = {one.day: str(one) for one in accepted_days(prices.security.ticker, settings)}
    limits = ChecksConfig(largest_move=settings.prices.largest_move, accepted=accepted)
    notes = check_prices(prices, calendar_for(prices.security, settings), limits)
    return replace(prices, notes=tuple(dict.fromkeys((*prices.notes, *notes))))


def used(prices: Prices, first: date | None, until: date) -> Prices:
    """The rows from `first` on (None: all) up to `until`; TooFewPrices if there is none."""
    known = known_until(prices, until)
    rows = known.since(first)
    if not len(rows):
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"none from {first} on; the newest is of {known.last}",
            need="at least one completed session",
            remedy="choose an earlier --from (backtest: --prices-from), or `from` under `securities` in mlflow.yaml",
        )
    return rows


def known_until(prices: Prices, until: date) -> Prices:
    """The rows up to the day `until`; TooFewPrices if there is none."""
    known = prices.until(until)
    is_empty = prices.source == "csv" and not len(prices)
    if not len(known):
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have="no row of prices" if is_empty else f"none on or before {until}",
            need="at least one completed session",
            remedy=f"look at {prices.origin}" if is_empty else "choose a later --as-of, or give older prices",
        )
    return known


def _without_unfinished(prices: Prices, completed: date) -> Prices:
    """The prices without sessions that are not completed; a note names these."""
    unfinished = prices.sessions[prices.sessions > np.datetime64(completed, "D")]
    if not len(unfinished):
        return prices
    days = str(unfinished[0]) if len(unfinished) == 1 else f"{unfinished[0]} to {unfinished[-1]}"
    note = f"left out, since the newest completed session is {completed}: {days} ({len(unfinished)} rows)"
    return replace(prices.until(completed), notes=(*prices.notes, note))


def _without_empty(prices: Prices, calendar: ExchangeCalendar) -> Prices:
    """The prices without empty rows; on days that the calendar is sure are sessions, they stay, as gaps."""
    if not len(prices):
        return prices
    empty = np.isnan(prices.values[:, :5]).all(axis=1)
    sure = calendar.is_sure(prices.sessions)
    empty &= ~(sure & np.isin(prices.sessions, calendar.sessions(prices.first, prices.last)))
    if not empty.any():
        return prices
    note = f"left out, empty rows on days when {calendar.exchange} did not trade: {list_days(prices.sessions[empty])}"
    kept = ~empty
    return replace(prices, sessions=prices.sessions[kept], values=prices.values[kept], notes=(*prices.notes, note))


def _with_older_noted(prices: Prices) -> Prices:
    """The prices, with a note if some are older than the security's first session: they may be another's."""
    first = prices.security.first_session
    older = int((prices.sessions < np.datetime64(first, "D")).sum()) if first is not None else 0
    if not older:
        return prices
    ticker = prices.security.ticker
    note = f"{older} rows are older than {first}, the first session of {ticker} by mlflow.yaml: are they of {ticker}?"
    return replace(prices, notes=(*prices.notes, note))


def _without_gap_at_the_end(prices: Prices) -> tuple[Prices, str]:
    """The prices without the newest row if that lacks numbers, which the source may add later; and what it lacks."""
    row = prices.values[-1] if len(prices) else np.empty(0)
    gaps = ", ".join(name for name, gap in zip(COLUMNS, np.isnan(row).tolist(), strict=False) if gap)
    if len(prices) < 2 or not gaps:
        return prices, ""
    gap = f"no {gaps} yet for {prices.last}"
    return replace(prices.until(prices.day(-2)), notes=(*prices.notes, f"left out: {gap}")), gap


def check_newest(found: Download, until: date) -> None:
    """Raise PricesUnavailable if the newest sessions up to a day are missing."""
    due = [day for day in found.missing if day <= until]
    ticker, last = found.prices.security.ticker, found.prices.last
    if len(due) >= DELISTED:
        raise PricesUnavailable(
            f"Yahoo's prices of {ticker}",
            have=f"none after {last}, for {len(due)} sessions: it looks delisted, renamed or suspended",
            need=f"every session up to {until}",
            remedy=f"look the ticker up at finance.yahoo.com; to use the prices that there are: --as-of {last}",
            source="yahoo",
            missing=[str(day) for day in due],
            delisted=True,
        )
    if due:
        raise PricesUnavailable(
            f"Yahoo's prices of {found.prices.security.ticker}",
            have=found.gap or f"none yet after {found.prices.last}",
            need=f"every session up to {until}",
            remedy="try again later, or choose an earlier --as-of",
            source="yahoo",
            missing=[str(day) for day in due],
        )
