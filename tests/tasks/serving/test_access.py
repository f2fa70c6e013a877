"""Who is let in where reading is open: whoever reads at this machine's own address, and nobody else."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from tasks.serving.access import HOOK, ServingGuard
from tasks.system.access.guard import Door, Receive, Scope, Send

HERE = "http://127.0.0.1:8000"


async def answers(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def status(
    *, is_open: bool, method: str = "GET", path: str = "/api/models", host: str = "127.0.0.1:8000", **more: str
) -> int:
    """The status of a request without the key."""
    names = ("board.example",)
    guard = ServingGuard(answers, Door(HERE, "a proof", names), "a key", "a salt", is_open=is_open)
    headers = {"host": host, **{name.replace("_", "-"): value for name, value in more.items()}}
    scope: Scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    said: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    asyncio.run(guard(scope, receive, send))
    return int(said[0]["status"])


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({}, 200),
        ({"method": "POST", "path": "/api/models/META-Open/invocations"}, 401),
        ({"host": "board.example"}, 401),
        ({"host": "elsewhere.example"}, 403),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"}, 401),
        ({"sec_fetch_site": "same-origin"}, 200),
    ],
)
def test_where_reading_is_open_nothing_else_is(request_: dict[str, str], answer: int) -> None:
    assert status(is_open=True, **request_) == answer


def test_reading_is_not_open_by_itself() -> None:
    assert status(is_open=False) == 401
    assert status(is_open=False, path="/health") == 200
    assert status(is_open=False, path=HOOK, method="POST") == 200, "its signature is checked by the application"
    assert status(is_open=False, path=HOOK) == 401
