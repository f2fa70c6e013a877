"""Other series as inputs beside a security's prices: from files that the request names, or from Yahoo.

A ticker of Yahoo's is fetched, checked and kept as a snapshot like the prices of any security. What was known at each
session's close is then put beside the prices (model/market/alignment.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from model.artifact.other_series import silent_series
from model.artifact.scale import MovementScale
from model.artifact.series_input import SeriesInput
from model.config import PriceRequest
from model.errors import PricesError, PricesUnavailable, TomorrowError, UsageError
from model.market.alignment import LONGEST_STALE, Observed, beside
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.security import Security
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import ResolvedRequest, calendar_for, resolve, wanted_security
from tasks.prices.sources.files.series import FROM_FILE, series_in_file
from tasks.prices.sources.files.tickers import names_security
from tasks.prices.sources.read import read_prices
from tasks.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundSeries:
    """What was found of another series: its values; None where it could not be had, and why."""

    series: SeriesInput
    observed: Observed | None = None
    fault: str = ""


def from_files(
    series: SeriesInput, request: PriceRequest, prices: Prices, settings: Settings, now: datetime
) -> FoundSeries | None:
    """A series from the request's files: a column of its name, or a file of prices that is named after it.

    None where no file has it. PricesError where one cannot be used.
    """
    try:
        return _from_files(series, request, prices, settings, now)
    except PricesError as error:
        given = error.remedy.replace("--prices", "--inputs")
        raise type(error)(error.subject, have=error.have, need=error.need, remedy=given, **error.data) from None


def _from_files(
    series: SeriesInput, request: PriceRequest, prices: Prices, settings: Settings, now: datetime
) -> FoundSeries | None:
    calendar = calendar_for(prices.security, settings, prices.sessions)
    for file in request.series_files:
        observed = series_in_file(file, series, calendar)
        if observed is not None:
            return FoundSeries(series=series, observed=observed)
    security = Security(ticker=series.name.upper())
    named = tuple(file for file in request.series_files if names_security(file, security))
    if not named:
        return None
    asked = PriceRequest(ticker=series.name, source="csv", files=named)
    read = read_prices(resolve(asked, settings, now), settings, now)
    observed = of_prices(series, read, settings)
    return FoundSeries(series=series, observed=replace(observed, fingerprint=FROM_FILE + observed.fingerprint))


def to_fetch(
    series: SeriesInput, request: PriceRequest, prices: Prices, settings: Settings, now: datetime, *, own: bool = False
) -> ResolvedRequest:
    """The request for a series at Yahoo, as it was known when the newest of `prices` were.

    PricesUnavailable where the prices are not Yahoo's, so that no other series is asked for there, or the series is one
    from a file: what Yahoo has under the same name is something else. UsageError where Yahoo has no such tickers.

    own: whether it was from a file when the version was trained
    """
    if request.source != "yahoo" or own:
        trained = "the version was trained with one from a file"
        raise PricesUnavailable(
            f"the series {series.name}",
            have=f"{trained if own else f'--source {request.source}'}, and no file with it{_given(request)}",
            need="a file with a column of exactly that name, or named after it",
            remedy="give the file with --inputs FILE, or leave the series out: --set series=[]",
            source=request.source,
        )
    as_of = request.as_of or (None if request.vintage is None else prices.last)
    asked = PriceRequest(ticker=series.name, source="yahoo")
    try:
        security = wanted_security(asked, settings)
    except UsageError as error:
        raise UsageError(
            f"the series {series.name}",
            have=f"in no file of --inputs, and at Yahoo: {error.subject}: {error.have}",
            need="a column of that name in a file, or a ticker of Yahoo's",
            remedy="give the file with --inputs FILE, or correct the name in `series` of the configuration",
        ) from None
    if as_of is not None:
        calendar = calendar_for(security, settings)
        asked = asked.model_copy(update={"as_of": min(as_of, calendar.today(now))})
    return resolve(asked, settings, now)


def _given(request: PriceRequest) -> str:
    """The files in which a series was looked for, by name."""
    names = ", ".join(Path(file).name for file in request.series_files)
    return f" among those of --inputs: {names}" if names else ""


def of_prices(series: SeriesInput, prices: Prices, settings: Settings) -> Observed:
    """Daily prices of another security as a series, each known when its session was over."""
    columns = {series.name: "Close", f"{series.name} High": "High", f"{series.name} Low": "Low"}
    calendar: ExchangeCalendar = calendar_for(prices.security, settings, prices.sessions)
    return Observed(
        name=series.name,
        columns=series.columns,
        days=prices.sessions,
        known_at=calendar.over(prices.sessions),
        values=np.column_stack([prices.column(columns[column]) for column in series.columns]),
        fingerprint=prices.fingerprint,
    )


def with_series(fetched: FetchedPrices, found: Sequence[FoundSeries], settings: Settings) -> FetchedPrices:
    """The prices with the series beside, and a note on each of them that says nothing at the newest session."""
    prices = fetched.prices
    calendar = calendar_for(prices.security, settings, prices.sessions)
    observed = [each.observed or _nothing(each.series) for each in found]
    others = beside(prices.sessions, calendar.over(prices.sessions), observed)
    prices = replace(prices, others=others)
    faults = {each.series.name: each.fault for each in found}
    silent = silent_series(prices.table(), [each.series for each in found], MovementScale())
    notes = tuple(f"without the series {name}: {faults[name] or _NOTHING_NEW}" for name in silent)
    return replace(fetched, prices=prices.noted(notes))


def check_there(series: Sequence[SeriesInput], prices: Prices) -> None:
    """UsageError where nothing of a series was known at any session: there is nothing to fit on."""
    there = {} if prices.others is None else prices.others.table()
    for each in series:
        if not all(column in there and np.isfinite(there[column]).any() for column in each.columns):
            raise UsageError(
                f"the series {each.name}",
                have=f"no value that was known at any session from {prices.first} to {prices.last}",
                need="values of the same years as the prices",
                remedy="give another file with --inputs, or leave the series out: --set series=[]",
            )


def fault_of(error: TomorrowError) -> str:
    """Why a series could not be had, on one line; it is told after the series' name, which is not said twice."""
    subject = "" if error.subject.startswith("the series ") else f"{error.subject}: "
    return f"{subject}{error.have}".splitlines()[0]


_NOTHING_NEW = f"nothing of the newest {LONGEST_STALE} sessions is known, or too little of those before"


def _nothing(series: SeriesInput) -> Observed:
    return Observed(
        name=series.name,
        columns=series.columns,
        days=np.empty(0, dtype="datetime64[D]"),
        known_at=np.empty(0, dtype="datetime64[s]"),
        values=np.empty((0, len(series.columns))),
        fingerprint="",
    )
