"""Assigns files to securities, and finds the securities where only files are named."""

from collections.abc import Sequence
from pathlib import Path

from model.errors import TomorrowError, UsageError
from model.market.security import Security
from tasks.prices.sources.files.read import files_in, tickers_in
from tasks.prices.sources.files.tickers import is_called, names_security, ticker_in_name

Chosen = list[tuple[str, tuple[str, ...]]]


def choose(files: Sequence[str], tickers: Sequence[str]) -> Chosen:
    """The tickers, each with its files; UsageError for a ticker without files, or a file without one clear ticker."""
    if len(tickers) == 1:
        return [(tickers[0], tuple(files))]
    every = [each for file in files for each in (files_in(file) if Path(file).is_dir() else (file,))]
    return _of_named(every, tickers) if tickers else _by_what_they_say(every)


def _of_named(files: Sequence[str], tickers: Sequence[str]) -> Chosen:
    """Each ticker's files: by the files' names, else by their contents."""
    chosen: dict[str, list[str]] = {ticker: [] for ticker in tickers}
    for file in files:
        own = [ticker for ticker in tickers if names_security(file, Security(ticker=ticker.upper()))]
        if not own:
            said = tickers_in(file)
            own = [t for t in tickers if any(is_called(Security(ticker=t.upper()), each) for each in said)]
        for ticker in own:
            chosen[ticker].append(file)
    for ticker, own in chosen.items():
        if not own:
            raise UsageError(
                f"--ticker {ticker}",
                have="no file with this ticker in its name or columns",
                need="at least one file of each ticker",
                remedy=f"rename its file to {ticker}.csv, or run the command for this ticker alone",
            )
    return [(ticker, tuple(own)) for ticker, own in chosen.items()]


def _by_what_they_say(files: Sequence[str]) -> Chosen:
    """The ticker of each file: from the file's name, else the only one in its contents."""
    chosen: dict[str, list[str]] = {}
    for file in files:
        ticker = ticker_in_name(file)
        if ticker is None:
            found = _tickers_in(file)
            if len(found) != 1:
                raise _unsaid(file, found)
            ticker = found[0].upper().removesuffix(".US")
        chosen.setdefault(ticker, []).append(file)
    return [(ticker, tuple(own)) for ticker, own in chosen.items()]


def _tickers_in(file: str) -> tuple[str, ...]:
    """The tickers in a file's contents; none where it cannot be read, which a later step reports."""
    try:
        return tickers_in(file)
    except TomorrowError:
        return ()


def _unsaid(file: str, found: Sequence[str]) -> UsageError:
    have = "neither the file's name nor its contents give the ticker"
    if found:
        have = f"prices of {len(found)} securities: {', '.join(found[:10])}{', ...' if len(found) > 10 else ''}"
    return UsageError(
        f"--prices {file}",
        have=have,
        need="the ticker of the security whose prices these are",
        remedy="add --ticker TICKER",
    )
