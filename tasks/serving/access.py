"""Who may use the board: whoever has the key of the state directory, as with the other servers."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from tasks.serving.endpoints import problems
from tasks.system.access.guard import App, Door, KeyGuard, Refusal, Scope, Send, is_own_page, refuse

# Where MLflow reports promotions: a signature stands in place of the key.
HOOK = "/api/hooks/mlflow"
HINT = (
    "A key is needed: a program sends it as a bearer token; for a browser there is a link. `tomorrow serve` and "
    "`tomorrow up` have shown both on their terminal; `tomorrow status --links` shows those of a running stack again."
)
# Where the scope of a request says whether it came with the key: anybody may ask for /health, and is told less.
KNOWN = "tomorrow.known"
# Nothing may be loaded from another host, no page may frame ours, and no address is passed on to others.
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class ServingGuard(KeyGuard):
    """The guard of the board.

    is_open: whether pages and forecasts can be read at this machine's own address without the key
    """

    headers = HEADERS

    def __init__(self, app: App, door: Door, token: str, salt: str, *, is_open: bool = False) -> None:
        super().__init__(app, door, token, salt, HINT)
        self._is_open = is_open and ip_address(urlsplit(door.address).hostname or "").is_loopback
        self._door_names = door

    def refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """As for other servers; but MLflow's reports pass, and reading does where it is open."""
        if scope["type"] == "http" and scope["path"] == HOOK and scope["method"] == "POST":
            return None
        scope[KNOWN] = self.has_key(scope, headers)
        refused = super().refusal(scope, headers)
        if refused is None or refused[0] != 401 or not self._is_open or scope["type"] != "http":
            return refused
        # A request by a name comes through a proxy, from anywhere.
        named = self._door_names.is_named(headers.get(b"host", b"").decode("latin-1"))
        reads = scope["method"] in ("GET", "HEAD") and is_own_page(headers, scope["method"])
        return None if reads and not named else refused

    async def refuse(
        self, scope: Scope, send: Send, status: int, why: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer in JSON where a program asks, else in a line of text."""
        if scope["type"] != "http" or not str(scope["path"]).startswith("/api/"):
            return await refuse(scope, send, status, why, headers)
        made = problems.answer(status, why)
        kept = [*made.raw_headers, *headers]
        await send({"type": "http.response.start", "status": status, "headers": kept})
        await send({"type": "http.response.body", "body": made.body})
        return None
