"""The guard before a server: who is let in, and what it says to all others."""

import asyncio
import base64
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest

from tasks.system.access.guard import Door, Guard, KeyGuard, link_token

AT = "http://127.0.0.1:5000"
TOKEN = "the-token"  # noqa: S105 - no real one
LINK = link_token(TOKEN, "a salt")
Headers = dict[str, str]


@dataclass
class Answer:
    """What came back: 200 from the server itself; a connection that is refused has no status."""

    status: int | None
    headers: dict[str, str]
    text: str


async def server(scope: MutableMapping[str, Any], receive: object, send: Any) -> None:  # noqa: ARG001 - as ASGI has it
    """The server behind the guard, which answers everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"within"})


def ask(guard: Guard, path: str = "/", method: str = "GET", kind: str = "http", **headers: str) -> Answer:
    """Ask through the guard; a header's underscores stand for dashes, and Host is the right one unless it is given."""
    given = {"host": "127.0.0.1:5000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    place, _, query = path.partition("?")
    scope: MutableMapping[str, Any] = {
        "type": kind,
        "method": method,
        "path": place,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read before it is known who asks")

    asyncio.run(guard(scope, receive, send))
    if kind == "websocket":
        return Answer(101 if sent[0]["type"] == "websocket.accept" else None, {}, "")
    back = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], back, b"".join(message.get("body", b"") for message in sent).decode())


@pytest.fixture
def plain() -> Guard:
    return Guard(server, Door(AT, "the-proof"))


@pytest.fixture
def keyed() -> KeyGuard:
    return KeyGuard(server, Door(AT, "the-proof"), TOKEN, "a salt", "A key is needed.")


@pytest.mark.parametrize(
    "host", ["evil.example:5000", "127.0.0.1", "127.0.0.1:5001", "localhost:5000", "", "[::1]:5000"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_host_is_refused(host: str, kind: str, plain: Guard) -> None:
    answer = ask(plain, kind=kind, host=host)
    assert answer.status == (403 if kind == "http" else None)
    if kind == "http":
        assert AT in answer.text
    assert ask(plain, kind=kind).status == (200 if kind == "http" else 101)


def test_where_every_address_is_listened_on_any_number_is_right_and_no_name() -> None:
    guard = Guard(server, Door("http://0.0.0.0:5000", "the-proof"))
    assert ask(guard, host="192.168.1.5:5000").status == 200
    assert ask(guard, host="[fd00::5]:5000").status == 200
    assert ask(guard, host="evil.example:5000").status == 403
    assert ask(guard, host="192.168.1.5:5000", origin="http://192.168.1.5:5000").status == 200
    assert ask(guard, host="192.168.1.5:5000", origin="http://192.168.1.6:5000").status == 403


NAMES = ("mlflow.example", "db-1.example:8443")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mlflow.example", 200),
        ("MLflow.example:5000", 200),
        ("mlflow.example:443", 200),
        ("db-1.example:8443", 200),
        ("127.0.0.1:5000", 200),
        ("db-1.example", 403),
        ("db-1.example:5000", 403),
        ("evil.mlflow.example", 403),
        ("mlflow.example.evil", 403),
        ("mlflow.example:", 403),
        ("mlflow.example:5000:5000", 403),
        ("127.0.0.1:5001", 403),
        ("", 403),
    ],
)
def test_a_name_that_was_given_is_answered_for_and_no_other(host: str, status: int) -> None:
    assert ask(Guard(server, Door(AT, "the-proof", NAMES)), host=host).status == status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("mlflow.example", "https://mlflow.example", 200),
        ("mlflow.example:5000", "http://mlflow.example:5000", 200),
        ("mlflow.example", "https://mlflow.example:5000", 403),
        ("mlflow.example", "https://db-1.example:8443", 403),
        ("mlflow.example", "https://evil.example", 403),
        ("127.0.0.1:5000", "https://127.0.0.1:5000", 403),
    ],
)
def test_of_a_name_the_pages_are_its_own_with_tls_before_it_or_without(host: str, origin: str, status: int) -> None:
    keyed = KeyGuard(server, Door(AT, "the-proof", NAMES), TOKEN, "a salt", "A key is needed.")
    key = {"authorization": f"Bearer {TOKEN}"}
    assert ask(keyed, "/api", "POST", host=host, origin=origin, **key).status == status


def test_the_names_reach_a_server_through_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(AT, "the-proof", NAMES)
    for name, value in door.variables().items():
        monkeypatch.setenv(name, value)
    assert Door.here() == door


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:5001", "http://localhost:5000", "null", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_another_origin_is_refused_with_the_key_too(origin: str, method: str, keyed: KeyGuard) -> None:
    key = {"authorization": f"Bearer {TOKEN}"}
    assert ask(keyed, "/api", method, origin=origin, **key).status == 403
    assert ask(keyed, "/api", kind="websocket", origin=origin, **key).status is None
    assert ask(keyed, "/api", method, origin=AT, **key).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.5",
        "192.168.1.5:5001",
        "127.0.0.1:5000/health?x=",
        "evil@127.0.0.1:5000",
        "127.0.0.1:5000#",
        "fd00::5:5000",
    ],
)
def test_beside_number_and_port_a_host_has_nothing(host: str) -> None:
    assert ask(Guard(server, Door("http://0.0.0.0:5000", "the-proof")), host=host).status == 403


def test_the_port_that_browsers_leave_out_may_be_left_out() -> None:
    guard = Guard(server, Door("http://[fd00::5]:80", "the-proof"))
    assert ask(guard, host="[fd00::5]").status == 200
    assert ask(guard, host="[FD00::5]:80").status == 200
    assert ask(guard, host="[fd00::6]").status == 403


def test_the_cookie_is_found_beside_one_that_is_none(keyed: KeyGuard) -> None:
    cookie = ask(keyed, f"/open?token={LINK}").headers["set-cookie"].split(";")[0]
    assert ask(keyed, "/api", cookie=f'prefs={{"a":1}}; {cookie}').status == 200
    assert ask(keyed, "/api", cookie=f"x{cookie}").status == 401


def test_two_hosts_are_none(plain: Guard) -> None:
    """Whoever is behind the guard might look at the other one."""
    assert ask(plain, host="127.0.0.1:5000", HOST="127.0.0.1:5000").status == 403


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'anybody:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (basic(TOKEN), 200),
        ("Bearer another", 401),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer", 401),
        ("Bearer \xe9", 401),
        (basic("another"), 401),
        ("Basic !!!", 401),
        (TOKEN, 401),
        ("", 401),
    ],
)
def test_the_key_is_a_bearer_token_or_a_password(authorization: str, status: int, keyed: KeyGuard) -> None:
    answer = ask(keyed, "/api", "POST", authorization=authorization)
    assert answer.status == status
    if status == 401:
        assert answer.text == "A key is needed.\n"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert ask(keyed, "/api", kind="websocket", authorization=authorization).status == (101 if status == 200 else None)


def test_only_the_health_is_told_to_everybody(keyed: KeyGuard) -> None:
    assert ask(keyed, "/health").status == 200
    for path in ("/", "/version", "/health/x", "/healthx", "/open", "/open?token=", "/open?token=x", "//health"):
        assert ask(keyed, path).status == 401, path


def test_the_link_sets_a_cookie_that_is_not_the_key_and_lets_the_pages_in(keyed: KeyGuard) -> None:
    opened = ask(keyed, f"/open?token={LINK}")
    assert (opened.status, opened.headers["location"]) == (303, "/")
    assert opened.headers["cache-control"] == "no-store"
    cookie, *marks = opened.headers["set-cookie"].split("; ")
    assert set(marks) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert TOKEN not in cookie
    assert ask(keyed, "/api", cookie=f"a=b; {cookie}; c=d").status == 200
    assert ask(keyed, "/api", "POST", cookie=cookie, origin=AT, sec_fetch_site="same-origin").status == 200
    assert ask(keyed, "/api", "POST", cookie=cookie[:-1]).status == 401
    assert ask(keyed, "/api", authorization=f"Bearer {cookie.partition('=')[2]}").status == 401
    # After the stack's end neither lets anybody in, whoever has seen it.
    later = KeyGuard(server, Door(AT, "the-proof"), TOKEN, "another salt", "")
    assert ask(later, "/api", cookie=cookie).status == 401
    assert ask(later, f"/open?token={LINK}").status == 401
    assert ask(keyed, f"/open?token={TOKEN}").status == 401
    assert ask(keyed, "/api", authorization=f"Bearer {LINK}").status == 401


def test_the_cookie_counts_for_the_servers_own_pages_alone(keyed: KeyGuard) -> None:
    """A browser sends it for a page on another port of the host, too."""
    cookie = ask(keyed, f"/open?token={LINK}").headers["set-cookie"].split(";")[0]
    page = {"cookie": cookie, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    for site in ("same-site", "cross-site"):
        assert ask(keyed, "/api", cookie=cookie, sec_fetch_site=site).status == 401
        assert ask(keyed, "/", sec_fetch_site=site, **page).status == 200, "somebody follows a link"
        assert ask(keyed, "/", "POST", sec_fetch_site=site, **page).status == 401
        assert ask(keyed, "/", sec_fetch_site=site, **{**page, "sec_fetch_dest": "iframe"}).status == 401
    assert ask(keyed, "/", sec_fetch_site="none", **page).status == 200, "somebody types the address"


def test_an_answer_to_a_challenge_holds_for_one_address_and_one_challenge(plain: Guard) -> None:
    door = Door(AT, "the-proof")
    assert ask(plain, "/health", x_tomorrow_challenge="12").headers["x-tomorrow-answer"] == door.answer("12")
    assert "x-tomorrow-answer" not in ask(plain, "/health").headers
    assert "x-tomorrow-answer" not in ask(plain, "/health", x_tomorrow_challenge="1" * 129).headers
    assert len({door.answer("12"), door.answer("13"), Door("http://127.0.0.1:5001", "the-proof").answer("12")}) == 3
    assert Door(AT, "another").answer("12") != door.answer("12")


def test_every_answer_keeps_the_browser_from_other_hosts(plain: Guard, keyed: KeyGuard) -> None:
    challenged = ask(plain, "/health", x_tomorrow_challenge="12")
    for answer in (ask(plain), challenged, ask(keyed, authorization=f"Bearer {TOKEN}")):
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        allowed = {"'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
        assert set(policy["default-src"].split()) == allowed, "no host by its name, no scheme that reaches one"
        # What default-src does not cover.
        assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'self'"}
