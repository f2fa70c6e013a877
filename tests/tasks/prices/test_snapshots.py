"""Snapshots: named by their content, stored once, never torn, and compared with the one before."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from model.errors import ConfigurationError, FaultyPrices
from model.market.prices import COLUMNS, Prices
from tasks.prices.fetch_record import Acceptance
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tests.facebook import MARKET, META
from tests.project import ROOT

NOW = datetime(2013, 3, 28, 22, 0, tzinfo=UTC)
FACEBOOK = replace(MARKET, security=META, source="yahoo", notes=())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


@pytest.fixture
def store(settings: Settings) -> SnapshotStore:
    return SnapshotStore(settings)


def facebook(day: str) -> Prices:
    return FACEBOOK.until(date.fromisoformat(day))


def restated(row: int = 100) -> Prices:
    values = MARKET.values.copy()
    values[row, COLUMNS.index("Close")] *= 1.001
    return replace(FACEBOOK, values=values)


def test_what_is_stored_is_read_again_to_the_last_bit(store: SnapshotStore) -> None:
    record = store.store(
        replace(FACEBOOK, notes=("a note",)), at=NOW, metadata={"symbol": "META"}, libraries={"x": "1"}
    )
    prices = store.read(record)
    assert prices.fingerprint == FACEBOOK.fingerprint == record.fingerprint
    assert (prices.security, prices.source, prices.notes) == (META, "yahoo", ("a note",))
    assert (record.verdict, record.previous, record.good) == ("first", None, True)
    assert store.newest("META") == record
    assert (record.metadata, record.libraries, record.fetched_at) == ({"symbol": "META"}, {"x": "1"}, NOW)


def test_the_same_prices_are_stored_once_and_each_fetch_is_on_record(store: SnapshotStore, settings: Settings) -> None:
    for hours in range(3):
        store.store(FACEBOOK, at=NOW + timedelta(hours=hours))
    assert [file.name for file in (settings.home / "prices" / "META").glob("*.parquet")] == [
        f"{FACEBOOK.fingerprint}.parquet"
    ]
    assert [name.verdict for name in store.fetches("META")] == ["first", "same", "same"]


def test_fetches_at_one_moment_are_all_on_record(store: SnapshotStore) -> None:
    for _ in range(3):
        store.store(FACEBOOK, at=NOW)
    assert len(store.fetches("META")) == 3


def test_each_fetch_is_compared_with_the_one_before(store: SnapshotStore) -> None:
    first = store.store(facebook("2013-03-26"), at=NOW - timedelta(days=2))
    second = store.store(FACEBOOK, at=NOW)
    assert (second.verdict, second.previous) == ("grown", first.fingerprint)
    assert second.changes == ("2 sessions added: 2013-03-27 to 2013-03-28",)


def test_an_irregular_restatement_is_kept_but_not_used_until_it_is_accepted(store: SnapshotStore) -> None:
    good = store.store(FACEBOOK, at=NOW)
    refused = store.store(restated(), at=NOW + timedelta(hours=1))
    assert (refused.verdict, refused.good, refused.days) == ("restated", False, (str(MARKET.sessions[100]),))
    assert store.read(refused).fingerprint == restated().fingerprint
    assert store.newest("META") == good
    again = store.store(restated(), at=NOW + timedelta(hours=2))
    assert (again.verdict, again.previous) == ("restated", good.fingerprint)
    accepted = store.store(
        restated(), at=NOW + timedelta(hours=3), accept=Acceptance(by="ada", at=NOW + timedelta(hours=3))
    )
    assert accepted.good
    assert store.newest("META") == accepted
    assert store.store(restated(), at=NOW + timedelta(hours=4)).verdict == "same"


def test_nothing_regular_is_marked_as_accepted(store: SnapshotStore) -> None:
    store.store(FACEBOOK, at=NOW)
    assert store.store(FACEBOOK, at=NOW, accept=Acceptance(by="ada", at=NOW)).accepted is None


def test_a_fetch_from_before_does_not_become_the_newest(store: SnapshotStore) -> None:
    newest = store.store(FACEBOOK, at=NOW)
    store.store(facebook("2013-03-27"), at=NOW + timedelta(hours=1))
    assert store.newest("META") == newest


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: os.truncate(file, file.stat().st_size // 2),
        lambda file: file.write_bytes(b""),
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-200] + bytes(200)),
    ],
)
def test_a_damaged_snapshot_is_named_passed_over_and_made_whole_by_the_next_fetch(
    store: SnapshotStore, damage: object
) -> None:
    older = store.store(facebook("2013-03-27"), at=NOW - timedelta(days=1))
    record = store.store(FACEBOOK, at=NOW)
    file = store.file(record)
    damage(file)  # type: ignore[operator]
    with pytest.raises(FaultyPrices, match=str(file)):
        store.read(record)
    readable, prices, notes = store.newest_readable("META")
    assert readable == older
    assert prices is not None
    assert prices.fingerprint == older.fingerprint
    assert str(file) in notes[0]
    healed = store.store(FACEBOOK, at=NOW + timedelta(hours=1))
    assert healed.previous == older.fingerprint
    assert str(file) in healed.notes[0]
    assert store.read(record).fingerprint == FACEBOOK.fingerprint


def test_a_snapshot_with_other_prices_in_it_is_noticed(store: SnapshotStore) -> None:
    first, second = store.store(facebook("2013-03-27"), at=NOW), store.store(FACEBOOK, at=NOW)
    store.file(second).write_bytes(store.file(first).read_bytes())
    with pytest.raises(FaultyPrices, match=f"{second.fingerprint}.parquet"):
        store.read(second)


def test_an_altered_record_is_named(store: SnapshotStore) -> None:
    store.store(FACEBOOK, at=NOW)
    (name,) = store.fetches("META")
    altered = json.loads(name.file.read_bytes()) | {"format": 2}
    name.file.write_bytes(json.dumps(altered).encode())
    with pytest.raises(FaultyPrices, match=name.file.name):
        store.record(name)


def test_what_a_killed_process_left_is_removed_and_never_taken_for_a_snapshot(
    store: SnapshotStore, settings: Settings
) -> None:
    store.store(facebook("2013-03-27"), at=NOW)
    folder = settings.home / "prices" / "META"
    left = folder / f"{FACEBOOK.fingerprint}.parquet.0a1b2c3d.part", folder / "fetches" / "x.json.0a1b2c3d.part"
    for file in left:
        file.write_bytes(b"half")
    assert len(store.fetches("META")) == 1
    store.store(FACEBOOK, at=NOW)
    assert not any(file.exists() for file in left)


def test_any_ticker_is_a_folder_of_its_own_inside_the_store(store: SnapshotStore, settings: Settings) -> None:
    tickers = ("BRK-B", "EURUSD=X", "META", "VOD.L", "^GSPC")
    for ticker in tickers:
        store.store(replace(FACEBOOK, security=replace(META, ticker=ticker)), at=NOW)
    assert store.tickers() == tickers
    assert sorted(folder.name for folder in (settings.home / "prices").iterdir()) == list(tickers)


def test_the_folders_are_their_owners_alone(store: SnapshotStore, settings: Settings) -> None:
    store.store(FACEBOOK, at=NOW)
    assert stat.S_IMODE((settings.home / "prices" / "META" / "fetches").stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=f"price snapshots in {tmp_path / 'prices'}"):
        SnapshotStore(Settings(home=tmp_path)).store(FACEBOOK, at=NOW)


def test_of_nothing_there_is_nothing(store: SnapshotStore) -> None:
    assert (store.tickers(), store.fetches("META"), store.newest("META")) == ((), (), None)


# Children store ever longer histories, and say each when `store` has returned. Each is killed some moments after it has
# said none, one or two, so that the kills fall into every part of storing on a busy machine as well.
KILLED = """
import os, random, signal, sys, time
import filelock, pandas, pyarrow.parquet  # so that each child stores at once
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tests.light import market, store_at

home, rounds = Path(sys.argv[1]), int(sys.argv[2])
random.seed(0)
prices = market()

def store_for_ever(row, say):
    while True:
        row += 1
        history = replace(prices, sessions=prices.sessions[:row].copy(), values=prices.values[:row].copy())
        record = store_at(home).store(history, at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=row))
        os.write(say, f"{record.fingerprint}\\n".encode())

for number in range(rounds):
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        store_for_ever(20 + number, say)
    os.close(say)
    with open(said) as lines:
        for _ in range(random.randrange(3)):
            print(lines.readline(), end="")
        time.sleep(random.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        print(lines.read(), end="")
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_no_snapshot_is_torn_or_lost_when_its_process_is_killed_at_any_moment(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.home), "200"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    said = done.stdout.split()
    store = SnapshotStore(settings)
    records = [store.record(name) for name in store.fetches("META")]
    assert len(said) >= 150
    assert set(said) <= {record.fingerprint for record in records}
    for record in records:
        assert store.read(record).fingerprint == record.fingerprint
        assert record.verdict in ("first", "grown", "same")
    for file in (settings.home / "prices" / "META").glob("*.parquet"):
        assert store.read(records[0].model_copy(update={"fingerprint": file.stem})).fingerprint == file.stem
