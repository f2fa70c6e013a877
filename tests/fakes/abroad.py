"""Securities of exchanges abroad with invented prices, and what Yahoo would show of them at a moment.

    vodafone = Abroad.of("VOD.L", first=date(2025, 6, 2), last=date(2026, 11, 11))
    with FakeYahoo() as yahoo:
        vodafone.show(yahoo, moment)

Days come from exchange_calendars itself, and not by way of what is tested. Sessions that have not begun are not shown,
and of one that goes on, the part that is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np

from model.market.prices import Prices
from model.market.security import Security
from tests.fakes.yahoo import FakeYahoo

NEW_YORK = ZoneInfo("America/New_York")
# The first hour of a session that follows on another without a night, in which that one is forecast from.
FIRST_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What Yahoo says that a security is, and what its prices are like.

    exchange: Yahoo's name of it
    calendar: the library's, of its days
    price:    about where it begins
    digits:   behind the point
    volume:   of a usual day; 0 where Yahoo has none
    """

    exchange: str
    calendar: str
    zone: str
    currency: str
    kind: str
    price: float
    digits: int = 2
    volume: float = 5e6

    @property
    def metadata(self) -> dict[str, Any]:
        """As a chart has it."""
        return {
            "currency": self.currency,
            "exchangeName": self.exchange,
            "fullExchangeName": self.exchange,
            "instrumentType": self.kind,
            "exchangeTimezoneName": self.zone,
            "longName": "Invented",
        }


LISTINGS = {
    "BTC-USD": Listing(
        exchange="CCC", calendar="24/7", zone="UTC", currency="USD", kind="CRYPTOCURRENCY", price=9e4, volume=3e10
    ),
    "EURUSD=X": Listing(
        exchange="CCY",
        calendar="24/5",
        zone="Europe/London",
        currency="USD",
        kind="CURRENCY",
        price=1.1,
        digits=5,
        volume=0,
    ),
    "VOD.L": Listing(
        exchange="LSE", calendar="XLON", zone="Europe/London", currency="GBp", kind="EQUITY", price=71, volume=6e7
    ),
    "7203.T": Listing(
        exchange="JPX", calendar="XTKS", zone="Asia/Tokyo", currency="JPY", kind="EQUITY", price=2_800, digits=0
    ),
    "RELIANCE.NS": Listing(
        exchange="NSI", calendar="XBOM", zone="Asia/Kolkata", currency="INR", kind="EQUITY", price=1_280
    ),
    "SAP.DE": Listing(exchange="GER", calendar="XETR", zone="Europe/Berlin", currency="EUR", kind="EQUITY", price=210),
    "BHP.AX": Listing(
        exchange="ASX", calendar="XASX", zone="Australia/Sydney", currency="AUD", kind="EQUITY", price=41
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Abroad:
    """A history, of the days to come too.

    begins, ends: (n,) datetime64[s] in UTC, of what Yahoo takes for each day
    over:         (n,) datetime64[s] in UTC, when trading ends
    too_late:     (n,) datetime64[s] in UTC, from when on a forecast of the session is none
    values:       (n, 6) in the order of COLUMNS
    delayed:      a session -> when Yahoo shows it at last; until then a market without a night has a row of nulls
    """

    ticker: str
    listing: Listing
    sessions: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    over: np.ndarray
    too_late: np.ndarray
    values: np.ndarray
    delayed: Mapping[date, datetime]

    @classmethod
    def of(
        cls,
        ticker: str,
        *,
        first: date,
        last: date,
        lacking: tuple[date, ...] = (),
        outside: tuple[date, ...] = (),
        delayed: Mapping[date, datetime] | None = None,
    ) -> "Abroad":
        """A walk at random that does not stray far, so that a network fitted in a moment follows it; one by ticker.

        lacking: sessions that Yahoo never has
        outside: sessions whose Close lies a hair above the High
        """
        listing = LISTINGS[ticker]
        days = exchange_calendars.get_calendar(listing.calendar, start=first, end=last)
        sessions = days.sessions.to_numpy().astype("datetime64[D]")
        kept = ~np.isin(sessions, np.array(lacking, dtype="datetime64[D]"))
        begins, ends = (
            column.dt.tz_localize(None).to_numpy().astype("datetime64[s]")[kept] for column in (days.opens, days.closes)
        )
        sessions, over, too_late = sessions[kept], ends, begins
        if listing.calendar == "24/7":
            too_late = begins + np.timedelta64(FIRST_HOUR)
        elif listing.calendar == "24/5":
            # Yahoo counts by London's midnight; trading ends on Friday at 17:00 in New York, and goes on on Sunday.
            begins = _moments(sessions, clock_time(0), ZoneInfo(listing.zone))
            midnight = _moments(sessions + np.timedelta64(1, "D"), clock_time(0), ZoneInfo(listing.zone))
            over, weekday = _moments(sessions, clock_time(17), NEW_YORK), (sessions.astype(np.int64) + 3) % 7
            ends = np.where(weekday == 4, over, midnight)
            evening_before = _moments(sessions - np.timedelta64(1, "D"), clock_time(17), NEW_YORK)
            too_late = evening_before + np.where(weekday == 0, np.timedelta64(0, "h"), np.timedelta64(FIRST_HOUR))
        values = _walk(ticker, listing, len(sessions))
        hair = np.isin(sessions, np.array(outside, dtype="datetime64[D]"))
        values[hair, 1] = np.round(np.max(values[hair][:, [0, 2, 3]], axis=1) * 0.9999, listing.digits)
        return cls(
            ticker=ticker,
            listing=listing,
            sessions=sessions,
            begins=begins,
            ends=ends,
            over=over,
            too_late=too_late,
            values=values,
            delayed=delayed or {},
        )

    def show(self, yahoo: FakeYahoo, moment: datetime) -> None:
        """List it at a loopback Yahoo as it is at that moment."""
        at = np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")
        begun = self.begins <= at
        values, ends = self.values[begun].copy(), self.ends[begun]
        over = min(1.0, float((at - self.begins[begun][-1]) / (ends[-1] - self.begins[begun][-1])))
        values[-1] = _part(values[-1], over, self.listing.digits)
        stamps = [_utc(second) for second in self.begins[begun]]
        # The newest row has the time of the newest trade.
        stamps[-1] = _utc(min(at, ends[-1] - np.timedelta64(1, "s")))
        sessions = self.sessions[begun]
        late = [day for day, until in self.delayed.items() if moment < until]
        is_late = np.isin(sessions, np.array(late, dtype="datetime64[D]"))
        values[is_late] = np.nan
        shown = ~is_late if self.has_night else np.ones(len(sessions), dtype=bool)
        prices = Prices(
            security=Security(ticker=self.ticker),
            source="yahoo",
            origin="invented",
            sessions=sessions[shown].copy(),
            values=values[shown].copy(),
        )
        stamps = [stamp for stamp, is_shown in zip(stamps, shown.tolist(), strict=True) if is_shown]
        first = int(_utc(self.begins[0]).timestamp())
        yahoo.serve(self.ticker, prices, stamps, symbol=self.ticker, firstTradeDate=first, **self.listing.metadata)

    @property
    def has_night(self) -> bool:
        """Whether there are hours without trading between two sessions."""
        return self.listing.calendar not in ("24/7", "24/5")

    def is_over(self, session: date) -> datetime:
        """When trading of a session ends."""
        return _utc(self.over[self.sessions == np.datetime64(session, "D")][0])

    def open_of(self, session: date) -> float:
        """The Open that comes."""
        return float(self.values[self.sessions == np.datetime64(session, "D")][0, 0])

    def between(self, first: date, last: date) -> list[date]:
        """The sessions that Yahoo has at last, both days included."""
        return [day for day in self.sessions.tolist() if first <= day <= last]

    def is_in_time(self, session: date, made_at: datetime) -> bool:
        """Whether a forecast made then came before the session, or in the first hour where there is no night."""
        return made_at < _utc(self.too_late[self.sessions == np.datetime64(session, "D")][0])


def _walk(ticker: str, listing: Listing, rows: int) -> np.ndarray:
    """(rows, 6) in the order of COLUMNS."""
    draws = np.random.default_rng(crc32(ticker.encode())).standard_normal((rows, 6))
    daily = 0.004 if listing.kind == "CURRENCY" else 0.012
    away = np.zeros(rows)
    for row in range(1, rows):
        away[row] = 0.98 * away[row - 1] + daily * draws[row, 0]
    close = listing.price * np.exp(away)
    before = np.concatenate([[listing.price], close[:-1]])
    opened = before * np.exp(daily / 3 * draws[:, 1])
    high = np.maximum(opened, close) * np.exp(daily / 2 * np.abs(draws[:, 2]))
    low = np.minimum(opened, close) * np.exp(-daily / 2 * np.abs(draws[:, 3]))
    volume = np.rint(listing.volume * np.exp(0.3 * draws[:, 4]))
    prices = np.round(np.column_stack([opened, high, low, close, close]), listing.digits)
    return np.column_stack([prices, volume])


def _part(row: np.ndarray, over: float, digits: int) -> np.ndarray:
    """A day of which so much is over."""
    if over == 1:
        return row
    opened, high, low, close, _, volume = row.tolist()
    now = round(opened + over * (close - opened), digits)
    high, low = (round(now + over * (end - now), digits) for end in (high, low))
    return np.array([opened, max(opened, now, high), min(opened, now, low), now, now, round(over * volume)])


def _moments(days: np.ndarray, at: clock_time, zone: ZoneInfo) -> np.ndarray:
    found = [datetime.combine(day, at, zone).astimezone(UTC).replace(tzinfo=None) for day in days.tolist()]
    return np.array(found, dtype="datetime64[s]")


def _utc(second: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(second)).replace(tzinfo=UTC)
