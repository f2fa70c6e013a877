"""Prices from any source, as one checked value: completed sessions only, none after the day that is asked for."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from model.config import PriceRequest
from model.errors import PricesUnavailable, TooFewPrices, UsageError
from model.market.calendar import ExchangeCalendar
from model.market.checks import ChecksConfig, check_prices
from model.market.prices import COLUMNS, Prices
from model.market.security import SAMPLE, Security
from model.market.synthetic import sample_prices
from tasks.prices.sources.csv_files import read_csv_files
from tasks.prices.sources.yahoo import address, fetch_chart, identify
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession

_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=-]{0,14}")

# yfinance takes such a name for an international securities number and asks other services about it.
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Download:
    """What Yahoo has of a security: sound, but perhaps without the newest sessions.

    prices:   every completed session that Yahoo has the numbers of
    metadata: what Yahoo says that the symbol is
    missing:  the newest completed sessions that Yahoo does not have, or not all numbers of
    gap:      which numbers those are, in words; empty where the whole session is missing
    """

    prices: Prices
    metadata: dict[str, str | None]
    missing: tuple[date, ...]
    gap: str


def read_prices(wanted: PriceRequest, settings: Settings, now: datetime) -> Prices:
    """Prices from files or the sample market, as known at the close of `as_of` or the newest completed session."""
    security = wanted_security(wanted, settings)
    calendar = calendar_for(security, settings)
    completed = calendar.last_completed(now)
    as_of = as_of_day(wanted, calendar, now)
    until = min(completed, as_of or completed)
    if wanted.source == "csv":
        prices = _without_unfinished(read_csv_files(wanted.files, security), completed)
    else:
        prices = sample_prices(until, wanted.market_seed, calendar)
    prices = cut(prices, until)
    check(prices, settings)
    return prices


def download(security: Security, settings: Settings, now: datetime, session: "YahooSession") -> Download:
    """Ask Yahoo once, and take nothing but what is sound: PricesError says what is wrong otherwise."""
    chart = fetch_chart(security, session)
    known, notes = identify(chart, security, settings.prices.first_trade_date)
    calendar = calendar_for(known, settings)
    completed = calendar.last_completed(now)
    prices = Prices(
        security=known,
        source="yahoo",
        origin=address(known.ticker),
        sessions=chart.sessions,
        values=chart.values,
        notes=notes,
    )
    prices, gap = _without_gap_at_the_end(cut(_without_unfinished(prices, completed), completed))
    check(prices, settings)
    missing = calendar.sessions(prices.last, completed)[1:]
    return Download(
        prices=prices,
        metadata=chart.metadata,
        missing=tuple(date.fromisoformat(str(day)) for day in missing),
        gap=gap,
    )


def check(prices: Prices, settings: Settings) -> None:
    """Raise FaultyPrices where anything is wrong by the settings' measure."""
    limits = ChecksConfig(largest_move=settings.prices.largest_move)
    check_prices(prices, calendar_for(prices.security, settings), limits)


def calendar_for(security: Security, settings: Settings) -> ExchangeCalendar:
    """The calendar that a security trades by, without the closures that the settings name."""
    return ExchangeCalendar(security.exchange, settings.closures(security.exchange))


def cut(prices: Prices, until: date) -> Prices:
    """What was known at the close of a day; TooFewPrices where that is nothing."""
    known = prices.until(until)
    if not len(known):
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"none on or before {until}",
            need="at least one completed session",
            remedy="choose a later --as-of, or give older prices",
        )
    return known


def wanted_security(wanted: PriceRequest, settings: Settings) -> Security:
    """The security that is asked for; UsageError where ticker, source and files do not go together."""
    if not _TICKER.fullmatch(wanted.ticker):
        raise UsageError(
            f"ticker {wanted.ticker!r}",
            have="no ticker",
            need="up to 15 letters, digits and . ^ = -, beginning with a letter, a digit or ^",
            remedy="correct --ticker",
        )
    if _ISIN.fullmatch(wanted.ticker.upper()):
        raise UsageError(
            f"ticker {wanted.ticker}",
            have="an international securities number",
            need="Yahoo's ticker",
            remedy="look the ticker up at finance.yahoo.com",
        )
    if wanted.files and wanted.source != "csv":
        raise UsageError(
            f"--prices {wanted.files[0]}",
            have=f"files with the source {wanted.source}",
            need="the source csv",
            remedy="add --source csv, or leave the files out",
        )
    if wanted.source == "csv" and not wanted.files:
        raise UsageError(
            "--source csv", have="no files", need="at least one file of prices", remedy="add --prices FILE"
        )
    if wanted.vintage is not None and wanted.source != "yahoo":
        raise UsageError(
            f"--vintage {wanted.vintage}",
            have=f"the source {wanted.source}",
            need="the source yahoo, of whose answers snapshots are kept",
            remedy="leave --vintage out: files and the sample market are the same whenever they are read",
        )
    if wanted.source == "sample":
        return SAMPLE
    security = settings.security(wanted.ticker)
    if security == SAMPLE:
        raise UsageError(
            f"ticker {wanted.ticker}",
            have=f"the source {wanted.source}",
            need=f"the source sample: {SAMPLE.ticker} is the synthetic market",
            remedy="use --source sample, or another ticker",
        )
    return security


def as_of_day(wanted: PriceRequest, calendar: ExchangeCalendar, now: datetime) -> date | None:
    """The day that is asked for; UsageError for one to come."""
    today = calendar.today(now)
    if wanted.as_of is not None and wanted.as_of > today:
        raise UsageError(
            f"--as-of {wanted.as_of}",
            have=f"a day to come: at the exchange it is {today}",
            need="today or a day before",
            remedy="choose an earlier day, or leave --as-of out",
        )
    return wanted.as_of


def _without_unfinished(prices: Prices, completed: date) -> Prices:
    """The rows of completed sessions; a note names the others."""
    unfinished = prices.sessions[prices.sessions > np.datetime64(completed, "D")]
    if not len(unfinished):
        return prices
    days = str(unfinished[0]) if len(unfinished) == 1 else f"{unfinished[0]} to {unfinished[-1]}"
    note = f"left out, since the newest completed session is {completed}: {days} ({len(unfinished)} rows)"
    return replace(prices.until(completed), notes=(*prices.notes, note))


def _without_gap_at_the_end(prices: Prices) -> tuple[Prices, str]:
    """Without a newest row that lacks numbers, since Yahoo has not got them yet; and in words what is lacking."""
    row = prices.values[-1]
    gaps = ", ".join(name for name, gap in zip(COLUMNS, np.isnan(row).tolist(), strict=True) if gap)
    if len(prices) < 2 or not gaps:
        return prices, ""
    gap = f"no {gaps} yet for {prices.last}"
    return replace(prices.until(prices.day(-2)), notes=(*prices.notes, f"left out: {gap}")), gap


def demand_newest(found: Download, until: date) -> None:
    """PricesUnavailable where any session up to a day is missing at the end."""
    due = [day for day in found.missing if day <= until]
    if due:
        raise PricesUnavailable(
            f"Yahoo's prices of {found.prices.security.ticker}",
            have=found.gap or f"none yet after {found.prices.last}",
            need=f"every session up to {until}",
            remedy="try again later, or choose an earlier --as-of",
            source="yahoo",
            missing=[str(day) for day in due],
        )
