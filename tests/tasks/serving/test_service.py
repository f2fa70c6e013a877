"""What the server says of itself when its board is not read any more."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tasks.serving.app import health
from tasks.serving.board import Board
from tasks.serving.following.refresh import BoardReader
from tasks.serving.service import Service
from tasks.settings import Settings

AT = datetime(2026, 11, 27, 23, 20, tzinfo=UTC)


def status(service: Service) -> str:
    app = FastAPI()
    app.state.service = service
    app.add_api_route("/health", health)
    return str(TestClient(app).get("/health").json()["status"])


def test_a_board_that_cannot_be_read_at_all_does_not_pass_for_a_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Board:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(BoardReader, "read", breaks)
    service = Service(settings, lambda: AT)
    service.board = Board(read_at=AT)
    service.start()
    try:
        deadline = time.monotonic() + 120
        while not service.board.faults:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert service.board.faults == {"board": "RuntimeError: nobody foresaw it"}
        assert status(service) == "degraded"
    finally:
        service.end()


@pytest.mark.parametrize(("minutes", "expected"), [(1, "ok"), (10, "degraded")])
def test_an_old_board_is_no_good_health(settings: Settings, minutes: int, expected: str) -> None:
    service = Service(settings, lambda: AT + timedelta(minutes=minutes))
    service.board = Board(read_at=AT)
    assert status(service) == expected
