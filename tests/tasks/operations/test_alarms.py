"""Alarms: what the webhook is sent, and that neither it nor its address does any harm."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.operations.alarms import RESOURCES, Alarm, raise_alarm
from tasks.settings import AlarmSettings, Settings

HIDDEN = "hunter2-in-the-path"
AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)
STALE = Alarm(kind="prices.stale", subject="META", message="They are old.", at=AT, details={"missing": ["2020-01-31"]})


@contextmanager
def webhook(answer: int | None) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server's address, and what it was sent; it answers with a code, or sends a byte now and then for ever."""
    received: list[dict[str, object]] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if answer is not None:
                self.send_response(answer)
                if 300 <= answer < 400:
                    self.send_header("Location", f"/{HIDDEN}/elsewhere")
                self.end_headers()
                return
            while not ended.wait(0.05):
                self.wfile.write(b"H")

        def do_GET(self) -> None:
            received.append({"GET": self.path})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{HIDDEN}", received
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[Alarm]:
    """What would be made events of; no webhook is named yet."""
    monkeypatch.delenv("TOMORROW_WEBHOOK", raising=False)
    caplog.set_level(logging.DEBUG)
    return []


def test_the_webhook_is_sent_one_json_object(events: list[Alarm], monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook(200) as (address, received):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        raise_alarm(STALE, Settings(), events.append)
    assert received == [
        {
            "kind": "prices.stale",
            "subject": "META",
            "message": "They are old.",
            "at": "2020-01-31T22:00:00+00:00",
            "details": {"missing": ["2020-01-31"]},
            "text": "tomorrow.prices.stale: They are old.",
        }
    ]
    assert events == [STALE]


@pytest.mark.parametrize("answer", [301, 302, 303, 307, 308, 404, 500, None])
def test_a_webhook_that_fails_or_hangs_does_no_harm_and_is_named_in_no_log(
    answer: int | None, events: list[Alarm], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # An answer is waited for as long as a busy machine needs; one that never ends is given up, and may be read later.
    patience = 0.3 if answer is None else 60
    with webhook(answer) as (address, received):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        before = time.monotonic()
        raise_alarm(STALE, Settings(alarms=AlarmSettings(timeout=patience)), events.append)
        waited = time.monotonic() - before
        while not received and time.monotonic() < before + 60:
            time.sleep(0.01)
    assert len(received) == 1
    assert waited < 20, "a server that never ends its answer would have been waited for"
    assert "the webhook did not take the alarm prices.stale" in caplog.text
    assert HIDDEN not in caplog.text
    assert events == [STALE]


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1:9/{HIDDEN}",
        f"http://[{HIDDEN}",
        f"ftp://127.0.0.1/{HIDDEN}",
        f"https://user:{HIDDEN}@127.0.0.1:notaport/",
        f"/etc/{HIDDEN}",
    ],
)
def test_an_address_that_leads_nowhere_is_named_in_no_log(
    address: str, events: list[Alarm], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOMORROW_WEBHOOK", address)
    raise_alarm(STALE, Settings(), events.append)
    assert "the webhook did not take the alarm" in caplog.text
    assert HIDDEN not in caplog.text


def test_kinds_that_are_not_wanted_are_events_all_the_same(
    events: list[Alarm], monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(200) as (address, received):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        raise_alarm(STALE, Settings(alarms=AlarmSettings(kinds=("flow.failed",))), events.append)
    assert received == []
    assert events == [STALE]


def test_an_event_that_cannot_be_made_does_not_keep_the_webhook_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Alarm) -> None:
        raise OSError("no server")

    with webhook(200) as (address, received):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        raise_alarm(STALE, Settings(), fail)
    assert len(received) == 1


def test_each_kind_has_an_event_and_a_resource() -> None:
    names = {
        (alarm.event, alarm.resource) for alarm in (Alarm(kind=k, subject="a b", message="", at=AT) for k in RESOURCES)
    }
    assert names == {
        ("tomorrow.flow.failed", "tomorrow.flow.a%20b"),
        ("tomorrow.prices.stale", "tomorrow.security.a%20b"),
        ("tomorrow.prices.restated", "tomorrow.security.a%20b"),
        ("tomorrow.model.no-skill", "tomorrow.model.a%20b"),
        ("tomorrow.model.not-loaded", "tomorrow.model.a%20b"),
        ("tomorrow.stack.part-down", "tomorrow.part.a%20b"),
    }
