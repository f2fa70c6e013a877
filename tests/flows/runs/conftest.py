"""A market whose newest session is over now, and Yahoo as this process sees it, through a proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.synthetic import sample_prices
from tests.fakes.yahoo import FakeYahoo

CALENDAR = ExchangeCalendar()
TABLE = [{"ticker": "META", "former_tickers": ["FB"], "kind": "EQUITY", "currency": "USD"}]


@pytest.fixture(scope="module")
def market() -> Prices:
    """Two years up to the newest session that is over now: the flows read the real clock."""
    whole = sample_prices(CALENDAR.last_completed(datetime.now(UTC)), 0, CALENDAR)
    return replace(whole, sessions=whole.sessions[-500:].copy(), values=whole.values[-500:].copy())


@contextmanager
def yahoo_with(market: Prices, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeYahoo]:
    """Yahoo with the market as META; the settings wait for nothing."""
    with FakeYahoo() as server:
        server.serve("META", market)
        for name, value in server.proxy(folder).items():
            monkeypatch.setenv(name, value)
        retries = {"command_line": [0, 0], "unavailable": [0, 0, 0], "rate_limited": [0]}
        config = {"prices": {"pause": 0, "timeout": 5, "retries": retries}, "securities": TABLE}
        file = folder / "mlflow.yaml"
        file.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("TOMORROW_CONFIG", str(file))
        yield server
