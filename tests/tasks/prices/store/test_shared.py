"""Two state directories with one ledger and one place for prices know the same prices."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from model.config import PriceRequest
from model.errors import FaultyPrices, PricesUnavailable, RestatedPrices
from tasks.prices.accepted import accept_days, accepted_days
from tasks.prices.fetch import fall_back
from tasks.prices.inventory import stored_prices
from tasks.prices.request import resolve
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tests.facebook import AFTER_CLOSE, MARKET, META, obtain, until
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.light import market
from tests.tasks.prices.conftest import evening, with_close
from tests.tasks.prices.store.conftest import sharing

pytestmark = pytest.mark.servers


def test_what_one_has_fetched_the_other_reads_by_its_vintage(
    yahoo: FakeYahoo, here: Settings, elsewhere: Settings
) -> None:
    fetched = obtain(yahoo, here)
    assert fetched.snapshot is not None
    asked = len(yahoo.requests)
    found = obtain(yahoo, elsewhere, vintage=fetched.snapshot[:12])
    assert found.prices.fingerprint == fetched.prices.fingerprint
    assert found.record == fetched.record
    assert len(yahoo.requests) == asked
    assert not (here.home / "prices").exists()
    (holding,) = stored_prices(("META",), elsewhere, AFTER_CLOSE)
    assert (holding.fetches, holding.snapshots, holding.damaged, holding.fresh) == (1, 1, (), True)


def test_when_yahoo_is_down_each_falls_back_on_what_the_other_has_fetched(
    yahoo: FakeYahoo, here: Settings, elsewhere: Settings
) -> None:
    fetched = obtain(yahoo, here)
    yahoo.misbehave(Fault(status=502))
    monday, wanted = evening("2013-04-01"), PriceRequest(ticker="FB", source="yahoo")
    with pytest.raises(PricesUnavailable) as caught:
        obtain(yahoo, elsewhere, now=monday)
    stale = fall_back(resolve(wanted, elsewhere, monday), elsewhere, monday, 1, caught.value)
    assert stale.prices.fingerprint == fetched.prices.fingerprint
    assert (stale.stale, stale.missing) == (True, (date(2013, 4, 1),))


def test_a_restatement_is_noticed_by_whoever_fetches_next_and_accepted_for_both(
    yahoo: FakeYahoo, here: Settings, elsewhere: Settings
) -> None:
    before = obtain(yahoo, here)
    yahoo.serve("META", with_close(MARKET, 100, 1.001))
    with pytest.raises(RestatedPrices) as refused:
        obtain(yahoo, elsewhere)
    assert refused.value.data["previous"] == before.snapshot
    assert refused.value.data["days"] == [str(MARKET.day(100))]
    obtain(yahoo, here, accept_restatement=True)
    assert obtain(yahoo, elsewhere).verdict == "same"


def test_days_that_one_person_has_accepted_are_accepted_for_all(here: Settings, elsewhere: Settings) -> None:
    day = date(2000, 9, 29)
    made = accept_days(
        "M&M.NS", [day], by="ada", at=AFTER_CLOSE, reason="looked up", today=AFTER_CLOSE.date(), settings=here
    )
    assert accepted_days("M&M.NS", elsewhere) == made
    assert accepted_days("META", elsewhere) == ()


def test_those_who_store_at_the_same_time_lose_nothing(here: Settings, elsewhere: Settings) -> None:
    """Each is compared with the one before, so the days that are compared say whether one was overlooked."""
    prices = market()

    def store(number: int) -> str:
        settings = (here, elsewhere)[number % 2]
        longer = prices.until(prices.day(1900 + number))
        return SnapshotStore(settings).store(longer, at=AFTER_CLOSE + timedelta(minutes=number)).fingerprint

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(store, range(8)))
    found = SnapshotStore(elsewhere)
    records = [found.record(name) for name in found.fetches("META")]
    assert [record.fingerprint for record in records] == made
    assert len([record for record in records if record.previous is None]) == 1
    assert {found.read(record).fingerprint for record in records} == set(made)


def test_torn_files_are_named_and_the_fetch_before_is_used(
    yahoo: FakeYahoo, here: Settings, elsewhere: Settings, place: str
) -> None:
    yahoo.serve("META", until("2013-03-27"))
    older = obtain(yahoo, here, now=evening("2013-03-27"))
    yahoo.serve("META", MARKET)
    newer = obtain(yahoo, here)
    store = SnapshotStore(elsewhere)
    assert newer.record is not None
    file = store.file(newer.record)
    assert str(file) == f"{place}/prices/META/{newer.snapshot}.parquet"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FaultyPrices, match="or damaged") as caught:
        store.read(newer.record)
    assert caught.value.subject == f"snapshot {file}"
    record, prices, notes = store.newest_readable("META")
    assert record == older.record
    assert prices is not None
    assert prices.fingerprint == older.snapshot
    assert "passed over: snapshot" in notes[0]
    name = store.fetches("META")[-1]
    name.file.write_bytes(name.file.read_bytes()[:100])
    assert "passed over: record of a fetch" in store.newest_readable("META")[2][0]
    # It is fetched again as a whole.
    assert obtain(yahoo, elsewhere).record is not None
    assert store.newest_readable("META")[0] == store.newest("META")
    assert store.read(newer.record).fingerprint == newer.snapshot


def test_a_shared_folder_is_as_open_as_the_user_has_it(yahoo: FakeYahoo, tmp_path: Path) -> None:
    """The one in the state directory is for its owner alone, and others may be meant to read this one."""
    place = tmp_path / "shared"
    before = os.umask(0o027)
    try:
        obtain(yahoo, sharing(tmp_path / "here", str(place)))
    finally:
        os.umask(before)
    folders = [place, *(folder for folder in place.rglob("*") if folder.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o750}
    assert len(folders) == 4


def test_every_ticker_is_found_again_under_its_name(here: Settings, elsewhere: Settings) -> None:
    tickers = ("BRK-B", "EURUSD=X", "M&M.NS", "^GSPC")
    for ticker in tickers:
        SnapshotStore(here).store(replace(market(), security=replace(META, ticker=ticker)), at=AFTER_CLOSE)
    store = SnapshotStore(elsewhere)
    assert store.tickers() == tickers
    assert [len(store.fetches(ticker)) for ticker in tickers] == [1, 1, 1, 1]
    for ticker in tickers:
        (name,) = store.fetches(ticker)
        assert store.read(store.record(name)).security.ticker == ticker
