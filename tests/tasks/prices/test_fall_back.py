"""When Yahoo is down: the last good snapshot, if it lacks no more sessions than it may."""

from datetime import date, datetime
from pathlib import Path

import pytest

from model.config import PriceRequest
from model.errors import (
    PricesUnavailable,
    RateLimited,
    RestatedPrices,
    UnknownSymbol,
    WrongSecurity,
)
from tasks.prices.fetch import FetchedPrices, fall_back
from tasks.prices.request import resolve
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tests.facebook import AFTER_CLOSE, LAST, MARKET, facebook_settings, obtain, until
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.tasks.prices.conftest import evening, with_close

WANTED = PriceRequest(ticker="FB", source="yahoo")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return facebook_settings(tmp_path)


def failing(yahoo: FakeYahoo, settings: Settings, now: datetime) -> PricesUnavailable:
    with pytest.raises(PricesUnavailable) as caught:
        obtain(yahoo, settings, now=now)
    return caught.value


def falls_back(yahoo: FakeYahoo, settings: Settings, now: datetime, allowed: int | None) -> FetchedPrices:
    return fall_back(resolve(WANTED, settings, now), settings, now, allowed, failing(yahoo, settings, now))


def test_the_last_good_snapshot_stands_in_where_it_lacks_no_more_than_is_allowed(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    good = obtain(yahoo, settings).prices
    yahoo.misbehave(Fault(status=502))
    monday = evening("2013-04-01")  # the session after 28 March: Good Friday was the 29th
    stale = falls_back(yahoo, settings, monday, 1)
    assert stale.prices.fingerprint == good.fingerprint
    assert (stale.stale, stale.missing) == (True, (date(2013, 4, 1),))
    assert stale.prices.notes[0].startswith("stale: Yahoo was not available (no usable answer (HTTP 502")
    assert "which lacks 1 session" in stale.prices.notes[0]
    with pytest.raises(PricesUnavailable, match="which lacks 1 session; 0 sessions may be lacking") as caught:
        falls_back(yahoo, settings, monday, 0)
    assert caught.value.data["missing"] == ["2013-04-01"]
    with pytest.raises(PricesUnavailable, match="1 session may be lacking"):
        falls_back(yahoo, settings, evening("2013-04-02"), 1)


def test_a_snapshot_that_lacks_nothing_may_stand_in_unless_none_may(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    yahoo.misbehave(Fault(status=429, body="Too Many Requests\r\n"))
    good_friday = evening("2013-03-29")
    stale = falls_back(yahoo, settings, good_friday, 0)
    assert (stale.stale, stale.missing) == (True, ())
    with pytest.raises(RateLimited, match="no snapshot may be used instead"):
        falls_back(yahoo, settings, good_friday, None)


def test_without_a_snapshot_the_reason_stands(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.misbehave(Fault(reset=True))
    with pytest.raises(PricesUnavailable, match="no usable answer"):
        falls_back(yahoo, settings, AFTER_CLOSE, 5)


def test_an_answer_without_the_newest_session_is_kept_and_can_stand_in(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.serve("META", until("2013-03-27"))
    stale = falls_back(yahoo, settings, AFTER_CLOSE, 1)
    assert stale.prices.last == date(2013, 3, 27)
    assert stale.missing == (LAST,)


def test_a_restated_snapshot_never_stands_in(yahoo: FakeYahoo, settings: Settings) -> None:
    good = obtain(yahoo, settings).prices
    yahoo.serve("META", with_close(MARKET, 100, 1.001))
    with pytest.raises(RestatedPrices):
        obtain(yahoo, settings)
    yahoo.misbehave(Fault(body=""))
    assert falls_back(yahoo, settings, AFTER_CLOSE, 0).prices.fingerprint == good.fingerprint


def test_a_damaged_snapshot_gives_way_to_the_one_before(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.serve("META", until("2013-03-27"))
    older = obtain(yahoo, settings, now=evening("2013-03-27")).prices
    yahoo.serve("META", MARKET)
    newest = obtain(yahoo, settings)
    assert newest.record is not None
    SnapshotStore(settings).file(newest.record).write_bytes(b"torn")
    yahoo.misbehave(Fault(body=""))
    stale = falls_back(yahoo, settings, AFTER_CLOSE, 1)
    assert stale.prices.fingerprint == older.fingerprint
    assert "passed over: snapshot" in stale.prices.notes[-1]


def test_other_faults_are_no_reason_to_use_old_prices(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    yahoo.serve("META", MARKET, instrumentType="ETF")
    with pytest.raises(WrongSecurity):
        obtain(yahoo, settings)
    with pytest.raises(UnknownSymbol):
        obtain(yahoo, settings, "NIX")
