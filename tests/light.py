"""A market without a calendar: for processes that are to start in a moment, and be killed."""

from datetime import date
from pathlib import Path

from model.market.prices import Prices
from model.market.security import Security
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tests.market import make_prices


def market() -> Prices:
    """Two thousand weekdays of Facebook."""
    prices = make_prices(2000)
    return Prices(
        security=Security(ticker="META", first_session=date(2019, 1, 1)),
        source="yahoo",
        origin="made by a test",
        sessions=prices.sessions,
        values=prices.values,
    )


def store_at(home: Path) -> SnapshotStore:
    """The store of a state directory."""
    return SnapshotStore(Settings(home=home))
