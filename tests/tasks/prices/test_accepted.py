"""Days that a person has taken for right: every decision is kept, the newest one counts, and a wrong one is refused."""

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from model.errors import FaultyPrices, UsageError
from tasks.prices.accepted import AcceptedDay, accept_days, accepted_days
from tasks.settings import Settings

DAY, NOW, TODAY = date(2000, 9, 29), datetime(2026, 11, 20, 22, 0, tzinfo=UTC), date(2026, 11, 20)


def accept(settings: Settings, *days: date, reason: str = "looked up", at: datetime = NOW) -> tuple[AcceptedDay, ...]:
    return accept_days("M&M.NS", days, by="ada", at=at, reason=reason, today=TODAY, settings=settings)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_what_is_accepted_twice_is_kept_twice_and_the_newer_reason_counts(settings: Settings) -> None:
    accept(settings, DAY, DAY, reason="first")
    accept(settings, DAY, reason="second", at=NOW + timedelta(hours=1))
    assert [str(found) for found in accepted_days("M&M.NS", settings)] == ["accepted by ada on 2026-11-20: second"]
    assert len(list((settings.home / "accepted").rglob("*.json"))) == 2
    assert accepted_days("M", settings) == ()


def test_processes_that_accept_at_the_same_time_do_not_lose_each_others_days(settings: Settings) -> None:
    days = [DAY + timedelta(days=number) for number in range(20)]
    threads = [threading.Thread(target=accept, args=(settings, day)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.day for found in accepted_days("M&M.NS", settings)] == days


@pytest.mark.parametrize(
    ("day", "reason", "message"),
    [
        (DAY, "", "no reason"),
        (DAY, " \n", "no reason"),
        (DAY, "x" * 301, "a reason of 301 characters"),
        (date(2026, 11, 21), "x", "a day in the future: at the exchange it is 2026-11-20"),
    ],
)
def test_what_cannot_be_accepted_is_wrong_use_and_nothing_is_written(
    settings: Settings, day: date, reason: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        accept(settings, DAY, day, reason=reason)
    assert not (settings.home / "accepted").exists()


def test_a_reason_moves_no_cursor_and_stays_on_one_line(settings: Settings) -> None:
    (found,) = accept(settings, DAY, reason="halved\x1b[31m\nin red \u202e")
    assert found.reason == "halved\\x1b[31m\\nin red \\u202e"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"day": "2000-09-29"}', b"[]"])
def test_a_record_that_is_damaged_is_named_with_the_way_on(settings: Settings, content: bytes) -> None:
    accept(settings, DAY)
    (file,) = (settings.home / "accepted").rglob("*.json")
    file.write_bytes(content)
    with pytest.raises(FaultyPrices, match="accept the day again: tomorrow prices --accept") as damaged:
        accepted_days("M&M.NS", settings)
    assert str(file) in damaged.value.subject
