"""The guard before our servers: it checks who sends a request, for which host, and from which page.

It imports no settings, Prefect or MLflow. It gets what it needs through the environment, since other users of the
machine can read a command line, but not the environment.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ADDRESS, PROOF, TOKEN, COOKIE_SALT = "TOMORROW_GUARD_AT", "TOMORROW_GUARD_PROOF", "TOMORROW_GUARD_TOKEN", "TOMORROW_RUN"
NAMES = "TOMORROW_GUARD_NAMES"
CHALLENGE, ANSWER = b"x-tomorrow-challenge", b"x-tomorrow-answer"
LONGEST_CHALLENGE = 128
# A page may load only from its own server, or what it makes itself. So the browser contacts no other host, although the
# pages of MLflow and Prefect ask for pictures, videos and usage statistics elsewhere.
OWN_HOST_ALONE = (
    b"content-security-policy",
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    b"base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
)
# The Host header for an address that is a number: the number, and the port if it is not 80.
HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?")
PORT = re.compile(r":[0-9]{1,5}$")
OPEN = "/open"
HEALTH = "/health"


def derived(key: str, use: str) -> str:
    """A key for one use; the original key cannot be computed from it."""
    return hmac.new(key.encode(), use.encode(), hashlib.sha256).hexdigest()


def link_token(key: str, salt: str) -> str:
    """The token in a link that opens the pages of one stack.

    salt: the stack's own, so that its links end with it
    """
    return derived(key, f"link {salt}")


def page_link(address: str, key: str, salt: str) -> str:
    """A link to a server's first page that lets a browser in: the server answers with a cookie.

    salt: as for `link_token`
    """
    return f"{address}{OPEN}?token={link_token(key, salt)}"


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens, and the key with which it proves that it is the one that was started there.

    names: other names for the server, in small letters: NAME means any port or none, NAME:PORT that port
    """

    address: str
    proof: str = field(repr=False)
    names: tuple[str, ...] = ()

    def answer(self, challenge: str) -> str:
        """The answer to a challenge: only this server knows it, and it is valid for this address alone."""
        return derived(self.proof, f"{self.address} {challenge}")

    def is_host(self, host: str) -> bool:
        """Whether a request for this host is meant for this server.

        Somebody else's page may let its host name resolve to our address, but the request then still carries that name.
        If the server listens on every address of the machine, any IP address is right: no page can redefine a number.
        """
        if self.is_named(host):
            return True
        place, given = urlsplit(self.address), HOST.fullmatch(host)
        if given is None or (given["port"] or "80") != str(place.port):
            return False
        number = given["six"] or given["four"]
        return _is_number(number) if is_everywhere(place.hostname or "") else number.lower() == place.hostname

    def is_named(self, host: str) -> bool:
        """Whether the host of a request is one of the names that the user has given this server."""
        name, port = host.lower(), PORT.search(host)
        return name in self.names or (port is not None and name[: port.start()] in self.names)

    def is_own_page(self, origin: str, host: str) -> bool:
        """Whether a page of this origin comes from the server that the request is for.

        A name may belong to a proxy with TLS: then the origin of its pages begins with https.
        """
        return origin == f"http://{host}" or (origin == f"https://{host}" and self.is_named(host))

    @classmethod
    def here(cls) -> "Door":
        """The door that the environment describes; KeyError where a variable is missing."""
        return cls(os.environ[ADDRESS], os.environ[PROOF], tuple(os.environ.get(NAMES, "").split()))

    def variables(self) -> dict[str, str]:
        """The environment variables that describe it, for `here`."""
        return {ADDRESS: self.address, PROOF: self.proof, NAMES: " ".join(self.names)}


class Guard:
    """Refuses requests for another host and from pages of another origin; answers a challenge.

    Every answer of the server carries the header that keeps a browser from asking any other host.
    """

    headers: tuple[tuple[bytes, bytes], ...] = (OWN_HOST_ALONE,)

    def __init__(self, app: App, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on to the application; refuse any other."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = {name.lower(): value for name, value in scope["headers"]}
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
        if len(hosts) != 1 or not self._door.is_host(hosts[0]):
            why = f"This server is at {self._door.address}. Other names for it: `tomorrow up --allowed-hosts NAME`."
            return await self.refuse(scope, send, 403, why)
        origin = headers.get(b"origin")
        if origin is not None and not self._door.is_own_page(origin.decode("latin-1"), hosts[0]):
            return await self.refuse(scope, send, 403, "A page of another origin may not use this server.")
        refused = self.refusal(scope, headers)
        if refused is not None:
            return await self.refuse(scope, send, *refused)
        added, challenge = [*self.headers], headers.get(CHALLENGE)
        if challenge is not None and len(challenge) <= LONGEST_CHALLENGE:
            added.append((ANSWER, self._door.answer(challenge.decode("latin-1")).encode()))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        return await self._app(scope, receive, send_with_headers)

    def refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> "Refusal | None":  # noqa: ARG002 - for others
        """Why a request is refused that is for our host and our origin: status, sentence, headers; None: it passes."""
        return None

    async def refuse(
        self, scope: Scope, send: Send, status: int, why: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer a request that is refused; a WebSocket is closed before it opens."""
        await refuse(scope, send, status, why, headers)


Refusal = tuple[int, str, tuple[tuple[bytes, bytes], ...]]


class KeyGuard(Guard):
    """Lets in whoever has the key: as bearer token, as password, or as a cookie that a link sets.

    A link stays in the browser's history, and a cookie is sent to every port of the host, whoever listens there. So
    neither contains the key, both end with the stack, and the cookie is accepted only from the server's own pages.
    """

    def __init__(self, app: App, door: Door, token: str, salt: str, hint: str) -> None:
        super().__init__(app, door)
        self._token = token.encode()
        self._link = link_token(token, salt).encode()
        self._cookie = derived(token, f"cookie {salt}")
        self._name = f"tomorrow-{urlsplit(door.address).port}"
        self._hint = hint

    def refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """401 without key or cookie; 303 for the link, to the page that its fragment names; None: it passes."""
        if scope["type"] == "http" and scope["path"] == HEALTH:
            return None
        if scope["type"] == "http" and scope["path"] == OPEN and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if _same(given.encode(), self._link):
                return 303, "", ((b"location", b"/"), (b"set-cookie", self._set_cookie()))
        elif self.has_key(scope, headers):
            return None
        return 401, self._hint, ((b"www-authenticate", b"Bearer"),)

    def has_key(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request comes with the key, or with the cookie from one of our pages."""
        by_cookie = self._has_cookie(headers) and is_own_page(headers, scope.get("method", ""))
        return self._has_key(headers) or by_cookie

    def _set_cookie(self) -> bytes:
        return f"{self._name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict".encode()

    def _has_key(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            return _same(given.strip(), self._token)
        if scheme.lower() == b"basic":
            try:
                _, _, password = base64.b64decode(given.strip(), validate=True).partition(b":")
            except binascii.Error:
                return False
            return _same(password, self._token)
        return False

    def _has_cookie(self, headers: Mapping[bytes, bytes]) -> bool:
        # Other programs on this host may have set malformed cookies, at which Python's own parser stops.
        pairs = (pair.strip().partition(b"=") for pair in headers.get(b"cookie", b"").split(b";"))
        return any(_same(value, self._cookie.encode()) for name, _, value in pairs if name == self._name.encode())


def is_own_page(headers: Mapping[bytes, bytes], method: str) -> bool:
    """Whether a request comes from one of our pages, or from a person who opens one (link, bookmark, typed address).

    For browsers a page on another port of the host is of the same site, so its requests carry our cookie, too. Older
    browsers do not send Sec-Fetch-Site; they do send Origin with each request that could change anything.
    """
    site = headers.get(b"sec-fetch-site")
    if site in (None, b"same-origin", b"none"):
        return True
    goes_there = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    return goes_there and method == "GET"


async def refuse(scope: Scope, send: Send, status: int, why: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Answer a request that is refused; a WebSocket is closed before it opens."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    kept = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    kept += [(b"referrer-policy", b"no-referrer"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})


def _same(given: bytes, own: bytes) -> bool:
    """Whether both are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given, own)


def is_everywhere(host: str) -> bool:
    """Whether a server on this host listens at every address of the machine."""
    return _is_number(host) and ipaddress.ip_address(host).is_unspecified


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
