"""Finds the security of prices: by the ticker in a table, or by the name of a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import WrongSecurity
from model.market.security import Security
from tasks.prices.sources.files.layout import Layout
from tasks.prices.sources.files.names import LOOSE_TICKERS, plain
from tasks.prices.sources.files.tables.container import SUFFIXES
from tasks.prices.sources.files.tables.sheet import Line, Sheet, shortened

# Words in a file's name that are not a ticker.
_ORDINARY = frozenset(
    {
        *("data", "training", "train", "test", "price", "prices", "daily", "day", "historical", "history", "hist"),
        *("stock", "stocks", "quotes", "eod", "ohlc", "ohlcv", "adj", "adjusted", "unadjusted", "yahoo", "nasdaq"),
        *("nyse", "nse", "bse", "stooq", "tiingo", "quandl", "wiki", "kaggle", "full", "max", "all", "new", "old"),
        *("first", "second", "part", "part1", "part2", "from", "to", "d", "us", "1d", "1day", "usd", "download"),
        *("export", "table", "csv", "txt"),
    }
)
_IN_NAME = re.compile(r"\^?[A-Z]{1,5}|\^?[A-Z0-9]{1,10}[.=-][A-Z]{1,4}")
_STOOQ = re.compile(r"([a-z0-9-]+)[._]us(?:[._]d)?")
_MARKET = re.compile(r"^(?:[A-Z]{2,8}:)|(?:[. ]US(?: EQUITY)?)$")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The lines of one security in a table, and its ticker; None where the table has none."""

    sheet: Sheet
    layout: Layout
    lines: tuple[Line, ...]
    ticker: str | None = None


def parts(sheet: Sheet, layouts: Sequence[Layout]) -> tuple[Part, ...]:
    """A table's parts: one per ticker in it; one part where it has none."""
    lines = sheet.lines[layouts[0].first :]
    if layouts[0].ticker is not None:
        return tuple(Part(sheet=sheet, layout=each, lines=lines, ticker=each.ticker) for each in layouts)
    (layout,) = layouts
    if "Ticker" not in layout.places:
        return (Part(sheet=sheet, layout=layout, lines=lines),)
    by_ticker: dict[str, list[Line]] = {}
    for line in lines:
        if layout.repeats_header(line):
            continue
        by_ticker.setdefault(layout.cell(line, "Ticker"), []).append(line)
    named = [ticker for ticker in by_ticker if ticker]
    title = plain(layout.titles.get("Ticker", ""))
    if len(named) < 2 and (not named or (title in LOOSE_TICKERS and not _IN_NAME.fullmatch(named[0]))):
        return (Part(sheet=sheet, layout=layout, lines=lines),)
    return tuple(Part(sheet=sheet, layout=layout, lines=tuple(by_ticker[ticker]), ticker=ticker) for ticker in named)


def is_called(security: Security, text: str) -> bool:
    """Whether a text is a present or former ticker of a security, in the form of an exchange or a data vendor."""
    written = _MARKET.sub("", text.strip().upper())
    tickers = (security.ticker, *security.former_tickers)
    return any(
        written == ticker.upper() or _bare(written) in (_bare(ticker), _bare(_first(ticker))) for ticker in tickers
    )


def _bare(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def _first(ticker: str) -> str:
    """A ticker without Yahoo's ending for its exchange."""
    return ticker.rpartition(".")[0] or ticker


def part_of(security: Security, found: Sequence[Part], subject: str) -> tuple[Part, ...]:
    """The parts that belong to a security; WrongSecurity where all belong to others."""
    exact = [part for part in found if part.ticker is not None and part.ticker.upper() == security.ticker.upper()]
    own = exact or [part for part in found if part.ticker is None or is_called(security, part.ticker)]
    if own:
        return tuple(own)
    tickers = sorted({part.ticker for part in found if part.ticker is not None})
    raise WrongSecurity(
        subject,
        have=f"prices of {_listed(tickers)}",
        need=f"prices of {security.ticker}",
        remedy="choose one with --ticker, or give another file with --prices",
        tickers=tickers,
    )


def _listed(tickers: Sequence[str]) -> str:
    shown = ", ".join(shortened(ticker, 30) for ticker in tickers[:10])
    return shown if len(tickers) <= 10 else f"{shown} and {len(tickers) - 10} more"


def names_security(name: str, security: Security) -> bool:
    """Whether a file's or a sheet's name begins with a security's ticker."""
    stem = _stem(name).upper()
    for ticker in (security.ticker, *security.former_tickers):
        for written in (ticker.upper(), ticker.upper().lstrip("^"), re.sub(r"[^A-Z0-9]", "_", ticker.upper())):
            if stem == written or re.match(rf"{re.escape(written)}(?![A-Z0-9]|[.=-][A-Z])", stem):
                return True
    return False


def ticker_in_name(name: str) -> str | None:
    """The ticker in a file's name, such as KO.csv, FB_2012_2020.csv or aapl.us.txt; None where there is none."""
    stem = _stem(name)
    if (stooq := _STOOQ.fullmatch(stem)) is not None:
        return stooq[1].upper()
    if _IN_NAME.fullmatch(stem) and stem.lower() not in _ORDINARY:
        return stem
    first, *others = [part for part in re.split(r"[_\s,()-]+", stem) if part]
    if not _IN_NAME.fullmatch(first) or first.lower() in _ORDINARY:
        return None
    ordinary = all(part.isdigit() or part.lower() in _ORDINARY for part in others)
    return first if ordinary else None


def _stem(name: str) -> str:
    """A name without folders and without the endings of known kinds of files."""
    stem = Path(name).name
    while (suffix := Path(stem).suffix.lower()) in SUFFIXES:
        stem = stem[: -len(suffix)]
    return stem
