"""Prices with a memory: vintages, what was known on a day, and restatements."""

import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from model.config import PriceRequest
from model.errors import (
    FaultyPrices,
    PricesUnavailable,
    RestatedPrices,
    TooFewPrices,
    UsageError,
)
from model.market.prices import COLUMNS, Prices
from tasks.prices.accepted import accept_days
from tasks.prices.fetch import fetch_prices, series_sources
from tasks.prices.request import resolve
from tasks.prices.retry import next_wait
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tests.facebook import AFTER_CLOSE, FACEBOOK, LAST, MARKET, facebook_settings, obtain, until
from tests.fakes.yahoo import FakeYahoo
from tests.project import ROOT
from tests.tasks.prices.conftest import evening, with_close


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return facebook_settings(tmp_path)


def test_prices_are_fetched_kept_and_say_what_has_changed(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.serve("META", until("2013-03-26"))
    first = obtain(yahoo, settings, now=evening("2013-03-26"))
    assert (first.verdict, first.stale, first.prices.notes) == ("first", False, ())
    yahoo.serve("META", MARKET)
    second = obtain(yahoo, settings)
    assert second.verdict == "grown"
    assert second.prices.notes == ("since the fetch before: 2 sessions added: 2013-03-27 to 2013-03-28",)
    assert second.record is not None
    assert second.record.metadata["symbol"] == "META"
    assert second.record.metadata["instrumentType"] == "EQUITY"
    assert second.record.libraries["yfinance"] == "1.7.0"
    assert second.record.fetched_at == AFTER_CLOSE


def test_a_vintage_gives_exactly_those_prices_again_without_asking(yahoo: FakeYahoo, settings: Settings) -> None:
    old = obtain(yahoo, settings, now=AFTER_CLOSE).prices
    yahoo.serve("META", with_close(MARKET, -1, 1.001))
    assert obtain(yahoo, settings).verdict == "settled"
    asked = len(yahoo.requests)
    for digits in (old.fingerprint, old.fingerprint[:8], old.fingerprint[:20]):
        again = obtain(yahoo, settings, vintage=digits)
        assert again.prices.fingerprint == old.fingerprint
        assert again.prices.notes[0] == f"vintage {old.fingerprint[:12]}, of {LAST}"
    assert len(yahoo.requests) == asked


def test_a_vintage_can_be_cut_at_a_day(yahoo: FakeYahoo, settings: Settings) -> None:
    old = obtain(yahoo, settings).prices
    cut = obtain(yahoo, settings, vintage=old.fingerprint, as_of=date(2013, 1, 1)).prices
    assert cut.fingerprint == old.until(date(2013, 1, 1)).fingerprint


def test_a_vintage_that_is_not_there_is_wrong_use(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    with pytest.raises(UsageError, match="no snapshot of that name"):
        obtain(yahoo, settings, vintage="abcdef")


def test_a_vintage_that_nobody_has_accepted_is_refused(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    changed = with_close(MARKET, 100, 1.001)
    yahoo.serve("META", changed)
    with pytest.raises(RestatedPrices) as caught:
        obtain(yahoo, settings)
    with pytest.raises(UsageError, match="restated irregularly and not accepted"):
        obtain(yahoo, settings, vintage=str(caught.value.data["snapshot"]))


def test_a_damaged_vintage_is_named(yahoo: FakeYahoo, settings: Settings) -> None:
    fetched = obtain(yahoo, settings)
    assert fetched.record is not None
    file = SnapshotStore(settings).file(fetched.record)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FaultyPrices, match=str(file)):
        obtain(yahoo, settings, vintage=fetched.prices.fingerprint)


def test_an_irregular_restatement_stops_with_the_days_until_it_is_accepted(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    obtain(yahoo, settings)
    yahoo.serve("META", with_close(MARKET, 100, 1.001))
    with pytest.raises(
        RestatedPrices, match=f"(?s){MARKET.sessions[100]}: Close .* became .*--accept-restatement"
    ) as caught:
        obtain(yahoo, settings)
    assert caught.value.exit_code == 3
    assert caught.value.data["days"] == [str(MARKET.sessions[100])]
    accepted = obtain(yahoo, settings, accept_restatement=True)
    assert accepted.verdict == "restated"
    assert accepted.prices.notes[0].startswith("restated irregularly, and accepted by ")
    assert accepted.record is not None
    assert accepted.record.accepted is not None
    assert obtain(yahoo, settings).verdict == "same"


def test_dividends_and_splits_go_on_and_are_said(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    paid = MARKET.values.copy()
    paid[:, COLUMNS.index("Adj Close")] *= 0.999
    yahoo.serve("META", replace(MARKET, values=paid))
    assert obtain(yahoo, settings).verdict == "dividend"
    halved = paid.copy()
    halved[:, :5] /= 2
    halved[:, 5] *= 2
    yahoo.serve("META", replace(MARKET, values=halved))
    split = obtain(yahoo, settings)
    assert split.verdict == "split"
    assert "split 2:1" in split.prices.notes[0]


def lost(row: int) -> Prices:
    kept = np.delete(np.arange(len(MARKET)), row)
    return replace(MARKET, sessions=MARKET.sessions[kept], values=MARKET.values[kept])


def test_a_day_that_vanishes_is_taken_from_the_last_good_snapshot_and_said(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    good = obtain(yahoo, settings).prices
    yahoo.serve("META", lost(-8))
    again = obtain(yahoo, settings)
    assert (again.verdict, again.prices.fingerprint) == ("same", good.fingerprint)
    assert again.prices.notes[0].startswith(
        f"no longer at Yahoo, so taken from the snapshot {good.fingerprint[:12]}, fetched 2013-03-28 22:00 UTC: "
    )
    assert again.prices.notes[0].endswith(str(MARKET.sessions[-8]))


def test_as_of_is_judged_by_the_rows_that_it_uses(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.serve("META", lost(-8))
    with pytest.raises(FaultyPrices, match="1 session missing"):
        obtain(yahoo, settings)
    before = date.fromisoformat(str(MARKET.sessions[-9]))
    cut = obtain(yahoo, settings, as_of=before)
    assert (cut.prices.last, cut.record) == (before, None)


def test_an_old_fault_does_not_cost_what_comes_after_it(yahoo: FakeYahoo, settings: Settings) -> None:
    values = MARKET.values.copy()
    values[20, 0] = 0
    yahoo.serve("META", replace(MARKET, values=values))
    later = date.fromisoformat(str(MARKET.sessions[21]))
    with pytest.raises(FaultyPrices, match=f"--from {later}"):
        obtain(yahoo, settings)
    used = obtain(yahoo, settings, first=later)
    assert (used.prices.first, used.verdict) == (later, "first")
    row = FACEBOOK.model_copy(update={"from_": later})
    assert obtain(yahoo, settings.model_copy(update={"securities": (row,)})).prices.first == later
    with pytest.raises(UsageError, match="prices from 2013-03-30 on: a day after"):
        obtain(yahoo, settings, first=date(2013, 3, 30))


def test_a_day_on_record_as_right_is_not_asked_about_again(yahoo: FakeYahoo, settings: Settings) -> None:
    values = MARKET.values.copy()
    values[100:, :5] /= 2
    yahoo.serve("META", replace(MARKET, values=values))
    day = date.fromisoformat(str(MARKET.sessions[100]))
    with pytest.raises(FaultyPrices, match=f"--accept {day}"):
        obtain(yahoo, settings)
    with pytest.raises(UsageError, match="no reason"):
        accept_days("META", [day], by="ada", at=AFTER_CLOSE, reason=" ", today=LAST, settings=settings)
    accept_days("META", [day], by="ada", at=AFTER_CLOSE, reason="looked up", today=LAST, settings=settings)
    (note,) = obtain(yahoo, settings).prices.notes
    assert note.endswith("accepted by ada on 2013-03-28: looked up")


def test_a_security_without_its_newest_weeks_is_said_to_look_delisted_and_not_asked_for_again(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    yahoo.serve("META", until("2013-02-28"))
    with pytest.raises(PricesUnavailable, match=r"(?s)looks delisted.*--as-of 2013-02-28") as gone:
        obtain(yahoo, settings)
    assert next_wait(gone.value, 0, settings.prices.retries, scheduled=False) is None
    assert obtain(yahoo, settings, as_of=date(2013, 2, 28)).prices.last == date(2013, 2, 28)


def test_a_history_in_another_unit_is_not_used_until_it_is_accepted(yahoo: FakeYahoo, settings: Settings) -> None:
    good = obtain(yahoo, settings).prices
    values = MARKET.values.copy()
    values[:, :5] /= 100
    yahoo.serve("META", replace(MARKET, values=values))
    with pytest.raises(RestatedPrices, match=r"(?s)divided by 100.*--vintage") as caught:
        obtain(yahoo, settings)
    assert "split" not in str(caught.value).replace("splits, dividends", "")
    assert SnapshotStore(settings).newest("META").fingerprint == good.fingerprint  # type: ignore[union-attr]
    assert obtain(yahoo, settings, accept_restatement=True).verdict == "units"


# What was known on a day.


def test_as_of_uses_the_snapshot_that_was_known_that_day(yahoo: FakeYahoo, settings: Settings) -> None:
    then = until("2013-02-28")
    yahoo.serve("META", then)
    fetched = obtain(yahoo, settings, now=evening("2013-02-28"))
    halved = MARKET.values.copy()
    halved[:, :5] /= 2
    yahoo.serve("META", replace(MARKET, values=halved))
    obtain(yahoo, settings)
    asked = len(yahoo.requests)
    again = obtain(yahoo, settings, as_of=date(2013, 2, 28))
    assert again.prices.fingerprint == fetched.prices.fingerprint
    assert again.prices.notes[0] == "as they were known on 2013-02-28: fetched 2013-02-28 22:00 UTC"
    assert len(yahoo.requests) == asked


def test_on_a_weekend_fridays_snapshot_is_what_was_known(yahoo: FakeYahoo, settings: Settings) -> None:
    yahoo.serve("META", until("2013-03-22"))
    friday = obtain(yahoo, settings, now=evening("2013-03-23"))
    yahoo.serve("META", MARKET)
    assert obtain(yahoo, settings, as_of=date(2013, 3, 24)).prices.fingerprint == friday.prices.fingerprint


def test_as_of_a_day_without_a_snapshot_is_the_present_history_cut_and_says_so(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    yahoo.serve("META", until("2013-02-27"))
    obtain(yahoo, settings, now=evening("2013-02-27"))  # knew nothing of the 28th
    yahoo.serve("META", MARKET)
    prices = obtain(yahoo, settings, as_of=date(2013, 2, 28)).prices
    assert prices.fingerprint == replace(until("2013-02-28"), security=prices.security).fingerprint
    assert prices.notes == (
        "as Yahoo has them now, cut at 2013-02-28: no snapshot was fetched when 2013-02-28 was the newest day",
    )


def test_a_snapshot_of_the_day_that_was_fetched_later_is_not_what_was_known(
    yahoo: FakeYahoo, settings: Settings
) -> None:
    yahoo.serve("META", until("2013-02-28"))
    with pytest.raises(PricesUnavailable):
        obtain(yahoo, settings, now=evening("2013-03-01"))
    yahoo.serve("META", MARKET)
    assert "as Yahoo has them now" in obtain(yahoo, settings, as_of=date(2013, 2, 28)).prices.notes[0]


def test_before_the_first_session_there_are_too_few_prices(yahoo: FakeYahoo, settings: Settings) -> None:
    obtain(yahoo, settings)
    for day in (date(2011, 1, 1), date(1, 1, 1)):
        with pytest.raises(TooFewPrices, match=f"none on or before {day}"):
            obtain(yahoo, settings, as_of=day)


@pytest.mark.slow
@given(as_of=st.dates(date(2012, 1, 4), LAST), factor=st.floats(0.8, 1.2), fetched=st.booleans())
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_price_after_as_of_is_visible(
    as_of: date, factor: float, fetched: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    later = MARKET.sessions > np.datetime64(as_of, "D")
    values = MARKET.values.copy()
    values[later, :5] *= factor
    seen = []
    with FakeYahoo() as yahoo:
        for market in (MARKET, replace(MARKET, values=values)):
            settings = facebook_settings(tmp_path_factory.mktemp("var"))
            if fetched:
                yahoo.serve("META", MARKET.until(as_of))
                obtain(yahoo, settings, now=evening(str(as_of)))
            yahoo.serve("META", market)
            obtain(yahoo, settings)
            prices = obtain(yahoo, settings, as_of=as_of).prices
            assert prices.last <= as_of
            seen.append((prices.fingerprint, prices.notes))
    assert seen[0] == seen[1]
    assert seen[0][0] == replace(MARKET.until(as_of), security=prices.security).fingerprint


# Many processes.

FETCH = """
import sys
from pathlib import Path
from tests.facebook import AFTER_CLOSE, facebook_settings
from model.config import PriceRequest
from tasks.prices.fetch import fetch_prices
from tasks.prices.request import resolve
from tests.fakes.yahoo import loopback_session

sys.stdin.readline()
with loopback_session(sys.argv[2]) as session:
    settings = facebook_settings(Path(sys.argv[1]))
    resolved = resolve(PriceRequest(ticker=sys.argv[3]), settings, AFTER_CLOSE)
    got = fetch_prices(resolved, settings, AFTER_CLOSE, session=session)
print(got.prices.fingerprint)
"""


@pytest.mark.slow
def test_eight_processes_fetch_the_same_security_at_once(yahoo: FakeYahoo, settings: Settings) -> None:
    tickers = ["FB", "META"] * 4
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, str(settings.home), yahoo.address, ticker],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for ticker in tickers
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=300)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert len(set(answers)) == 1
    store = SnapshotStore(settings)
    records = [store.record(name) for name in store.fetches("META")]
    assert sorted(record.verdict for record in records) == ["first", *["same"] * 7]
    assert {store.read(record).fingerprint for record in records} == set(answers)
    assert len(list((settings.home / "prices" / "META").iterdir())) == 2  # one snapshot, and the folder of records


def test_files_and_the_sample_market_are_their_own_record(settings: Settings) -> None:
    now = AFTER_CLOSE + timedelta(days=1)
    fetched = fetch_prices(resolve(PriceRequest(source="sample"), settings, now), settings, now)
    assert (fetched.record, fetched.verdict, fetched.stale) == (None, "not compared", False)
    assert not (settings.home / "prices").exists()
    with pytest.raises(UsageError, match="--source sample"):
        resolve(PriceRequest(source="sample", vintage="abcdef"), settings, now)


def test_a_vintage_is_judged_by_the_calendar_that_is_named(yahoo: FakeYahoo, settings: Settings) -> None:
    old = obtain(yahoo, settings).prices
    found = obtain(yahoo, settings, vintage=old.fingerprint, exchange="observed").prices
    assert (found.security.exchange, found.fingerprint) == ("observed", old.fingerprint)
    with pytest.raises(FaultyPrices, match="on a day when XETR did not trade"):
        obtain(yahoo, settings, vintage=old.fingerprint, exchange="XETR")


@pytest.mark.parametrize("spoilt", ["", "[1]", "3", "null", "{"])
def test_a_tag_that_somebody_has_spoilt_names_no_series(spoilt: str) -> None:
    assert series_sources({"x.prices.series": spoilt}) == {}
    assert series_sources({"x.prices.series": '{"^VIX": "abc"}'}) == {"^VIX": "abc"}
    assert series_sources({}) == {}
