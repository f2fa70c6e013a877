"""What tests of prices share: Yahoo as a server on this machine, which knows Facebook."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model.market.prices import COLUMNS, Prices
from tasks.settings import Settings
from tests.facebook import AFTER_CLOSE, MARKET, facebook_settings, obtain
from tests.fakes.yahoo import FakeYahoo


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    with FakeYahoo() as server:
        server.serve("META", MARKET)
        yield server


@pytest.fixture
def fetch(yahoo: FakeYahoo, tmp_path: Path) -> "Fetch":
    return Fetch(yahoo, facebook_settings(tmp_path))


@dataclass
class Fetch:
    """Asks the fake for prices, by default for FB after the close of the newest session."""

    yahoo: FakeYahoo
    settings: Settings

    def __call__(self, ticker: str = "FB", now: datetime = AFTER_CLOSE, **wanted: object) -> Prices:
        return obtain(self.yahoo, self.settings, ticker, now, **wanted).prices


def quote(answer: dict[str, Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = answer["chart"]["result"][0]["indicators"]["quote"][0]
    return columns


def evening(day: str) -> datetime:
    """Some hours after New York's close, in any season."""
    return datetime.fromisoformat(f"{day}T22:00:00").replace(tzinfo=UTC)


def with_close(prices: Prices, row: int, factor: float) -> Prices:
    values = prices.values.copy()
    values[row, COLUMNS.index("Close")] *= factor
    return replace(prices, values=values)
