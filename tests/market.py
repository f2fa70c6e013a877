"""Prices for tests, made on the spot: short, plain, and known in every digit."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices, Values
from model.market.security import Security

TEST = Security(ticker="TEST", name="a security of the tests", currency="USD", kind="EQUITY")


def weekdays(n: int, first: date = date(2019, 1, 1)) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """The first n weekdays from a day on; no exchange's calendar."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(first, "D") + np.timedelta64(2 * n + 7, "D"))
    return days[np.is_busday(days)][:n]


def make_prices(n: int = 120, seed: int = 0, opens: Values | None = None) -> Prices:
    """A random walk around 100 dollars, or around given opens; low <= open, close <= high."""
    rng = np.random.default_rng(seed)
    open_ = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n))) if opens is None else np.asarray(opens, dtype=np.float64)
    close = open_ * np.exp(rng.normal(0, 0.01, len(open_)))
    high, low = np.maximum(open_, close) * 1.005, np.minimum(open_, close) * 0.995
    volume = rng.integers(1_000_000, 2_000_000, len(open_)).astype(np.float64)
    values = np.column_stack([open_, high, low, close, close, volume])
    return Prices(security=TEST, source="csv", origin="made by a test", sessions=weekdays(len(open_)), values=values)


def changed_from(prices: Prices, row: int, factor: float = 3.0) -> Prices:
    """The same prices up to a row, and other prices from it on."""
    values = prices.values.copy()
    values[row:, : COLUMNS.index("Volume")] *= factor
    return replace(prices, values=values)


def zigzag(n: int = 200, first: date = date(2019, 1, 2), low: float = 100.0, high: float = 110.0) -> Prices:
    """Prices on real sessions that a network can learn and no naive forecast can: the open alternates."""
    sessions = ExchangeCalendar("XNYS").sessions(first, date(first.year + 2 + n // 250, 1, 1))[:n]
    open_ = np.where(np.arange(n) % 2 == 0, low, high)
    values = np.column_stack([open_, open_ + 1, open_ - 1, open_, open_, np.full(n, 1_000_000.0)])
    return Prices(security=TEST, source="csv", origin="made by a test", sessions=sessions.copy(), values=values)


def read_csv(file: Path) -> Prices:
    """Read a file of real prices in that layout, as a security of the tests."""
    rows = [row.split(",") for row in file.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["Date", *COLUMNS]
    sessions = np.array([row[0] for row in rows[1:]], dtype="datetime64[D]")
    values = np.array([row[1:] for row in rows[1:]], dtype=np.float64)
    return Prices(security=TEST, source="csv", origin=file.name, sessions=sessions, values=values)


def write_csv(prices: Prices, file: Path) -> Path:
    """Write prices in the layout of Yahoo's export."""
    rows = (
        ",".join([str(day), *(f"{value:.6f}" for value in row[:-1]), f"{row[-1]:.0f}"])
        for day, row in zip(prices.sessions, prices.values, strict=True)
    )
    file.write_text("\n".join([",".join(["Date", *COLUMNS]), *rows]), encoding="utf-8")
    return file
