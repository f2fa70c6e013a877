"""A loopback server that answers like Yahoo's chart service, for the real yfinance client.

Inside `with FakeYahoo() as yahoo:`, `yahoo.serve("META", prices)` lists a symbol, `yahoo.misbehave(Fault(status=429))`
spoils what is asked next, and `fetch_chart(security, yahoo.session())` asks it through the real client. A whole process
that is started with `yahoo.proxy(folder)` in its environment asks it by HTTPS, as it would ask Yahoo.
"""

import json
import math
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np

from model.market.prices import Prices
from tasks.prices.sources.yahoo_session import YahooSession
from tests.fakes.certificate import make_certificate

if TYPE_CHECKING:
    from curl_cffi.requests import Response  # the session's module loads it in a way of its own

NEW_YORK = ZoneInfo("America/New_York")
HOST_HEADER = "X-Asked-Host"
HTML = "<!doctype html><html><body>Sorry, something went wrong.</body></html>"

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for the chart service to misbehave.

    status, body: sent in place of the answer
    edit:         changes the answer before it is sent
    keep:         only so many bytes of the answer are sent, though all are announced
    hang:         nothing is sent until the server is closed
    reset:        the connection is torn down
    """

    status: int = 200
    body: str | None = None
    edit: Callable[[Answer], object] | None = None
    keep: int | None = None
    hang: bool = False
    reset: bool = False


@dataclass(slots=True)
class _Listing:
    prices: Prices
    stamps: Sequence[datetime]
    metadata: dict[str, Any] = field(default_factory=dict)


class FakeYahoo:
    """The server, its listings and its moods; `requests` holds (host, path) of everything that was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self.tls: ssl.SSLContext | None = None
        self._listings: dict[str, _Listing] = {}
        self._faults: list[list[Any]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self}))
        self._server.daemon_threads = True

    def __enter__(self) -> "FakeYahoo":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, symbol: str, prices: Prices, stamps: Sequence[datetime] | None = None, /, **metadata: Any) -> None:
        """List a symbol; keywords replace parts of its metadata.

        stamps: the moment of each row, by which a client knows its day; by default when New York opens
        """
        if stamps is None:
            stamps = [datetime.combine(prices.day(row), time(9, 30), NEW_YORK) for row in range(len(prices))]
        self._listings[symbol] = _Listing(prices, stamps, metadata)

    def misbehave(self, fault: Fault, *, to: str = "chart", times: int = 1_000) -> None:
        """Show a fault `times` times to whoever asks for the `chart`, `cookie` or `crumb`."""
        self._faults.append([to, fault, times])

    def recover(self) -> None:
        """No more faults."""
        self._faults.clear()

    def charts_asked(self) -> list[str]:
        """The symbols whose charts were asked for, in order."""
        return [path.rpartition("/")[2] for _, path in self.requests if "/chart/" in path]

    def session(self, timeout: float = 20.0) -> YahooSession:
        """The real client's session, with every request sent here and nowhere else."""
        return loopback_session(self.address, timeout)

    def proxy(self, folder: Path) -> dict[str, str]:
        """The environment in which a whole process asks this server, thinking that it asks Yahoo."""
        certificate, self.tls = make_certificate(folder)
        trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), str(certificate))
        return {"HTTPS_PROXY": self.address, **trusted}

    def fault_for(self, kind: str) -> Fault | None:
        """The next fault that is due to a request of this kind."""
        with self._lock:
            for entry in self._faults:
                if entry[0] == kind and entry[2] > 0:
                    entry[2] -= 1
                    fault: Fault = entry[1]
                    return fault
        return None

    def answer(self, symbol: str, query: dict[str, str]) -> tuple[int, Answer]:
        """The chart of a symbol, between period1 and period2."""
        listing = self._listings.get(symbol)
        if listing is None:
            return 404, _refusal("Not Found", "No data found, symbol may be delisted")
        prices = listing.prices
        stamps = np.array([int(moment.timestamp()) for moment in listing.stamps], dtype=np.int64)
        low, high = int(query.get("period1", 0)), int(query.get("period2", 2**40))
        inside = (stamps >= low) & (stamps < high)
        if not inside.any():
            reason = f"Data doesn't exist for startDate = {low}, endDate = {high}"
            return 400, _refusal("Bad Request", reason)
        opened, high_, low_, close, adjusted, volume = map(_numbers, prices.values[inside].T.tolist())
        quote = {
            "open": opened,
            "high": high_,
            "low": low_,
            "close": close,
            "volume": [n if n is None else int(n) for n in volume],
        }
        result = {
            "meta": {**_metadata(symbol, int(stamps[0])), **listing.metadata},
            "timestamp": stamps[inside].tolist(),
            "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted}]},
        }
        return 200, {"chart": {"result": [result], "error": None}}


def loopback_session(address: str, timeout: float = 20.0) -> YahooSession:
    """A session that sends every request to the server at that address."""

    class Loopback(YahooSession):
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> "Response":
            asked = urlsplit(url)
            kwargs["headers"] = {**(kwargs.get("headers") or {}), HOST_HEADER: asked.hostname or ""}
            here = address + asked.path + (f"?{asked.query}" if asked.query else "")
            return super().request(method, here, *args, **kwargs)

    session = Loopback(timeout)
    session.trust_env = False
    return session


class _Handler(BaseHTTPRequestHandler):
    fake: FakeYahoo
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece: in two, each answer waits 40 ms for the client's acknowledgement

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_CONNECT(self) -> None:
        """Be the host that is asked for: what follows on this connection is answered here."""
        if self.fake.tls is None:
            self.send_error(405)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        try:
            self.connection = self.request = self.fake.tls.wrap_socket(self.connection, server_side=True)
        except OSError:  # a client that does not trust the certificate, or has gone
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def finish(self) -> None:
        """End the connection, the encrypted one too, which nobody else knows of."""
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        host = self.headers.get(HOST_HEADER) or self.headers.get("Host") or ""
        self.fake.requests.append((host, url.path))
        if "/v8/finance/chart/" in url.path:
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            self._chart(unquote(url.path.rpartition("/")[2]), query)
        elif url.path.endswith("/getcrumb"):
            self._other("crumb", 200, "aCrumb")
        elif host == "fc.yahoo.com":
            self._other("cookie", 404, "")
        else:
            self._other("other", 404, HTML)

    def do_POST(self) -> None:
        self.do_GET()

    def _chart(self, symbol: str, query: dict[str, str]) -> None:
        fault = self.fake.fault_for("chart") or Fault()
        if self._silent(fault):
            return
        status, answer = self.fake.answer(symbol, query)
        if fault.edit:
            fault.edit(answer)
        if fault.body is not None or fault.status != 200:
            self._send(fault.status, fault.body if fault.body is not None else HTML)
        else:
            self._send(status, json.dumps(answer), keep=fault.keep)

    def _other(self, kind: str, status: int, body: str) -> None:
        fault = self.fake.fault_for(kind)
        if fault is None:
            self._send(status, body, cookie=kind == "cookie")
        elif not self._silent(fault):
            self._send(fault.status, fault.body or "")

    def _silent(self, fault: Fault) -> bool:
        """Whether the fault leaves nothing to send."""
        if fault.hang:
            self.fake.closing.wait()
        if fault.reset:
            # A linger of no seconds: closing sends RST in place of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = self.close_connection or fault.hang or fault.reset
        return fault.hang or fault.reset

    def _send(self, status: int, body: str, *, keep: int | None = None, cookie: bool = False) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body.startswith("{") else "text/html")
        self.send_header("Content-Length", str(len(raw)))
        if cookie:
            self.send_header("Set-Cookie", "A3=fake; Max-Age=31557600; Domain=.yahoo.com; Path=/; Secure; HttpOnly")
        self.end_headers()
        self.wfile.write(raw[:keep])
        self.wfile.flush()
        self.close_connection = self.close_connection or keep is not None


def _numbers(column: list[float]) -> list[float | None]:
    """A column as Yahoo sends it, with null for a number that it does not have."""
    return [None if math.isnan(number) else number for number in column]


def _refusal(code: str, description: str) -> Answer:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def _metadata(symbol: str, first: int) -> dict[str, Any]:
    return {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "firstTradeDate": first,
        "hasPrePostMarketData": True,
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": "America/New_York",
        "longName": "Meta Platforms, Inc.",
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }
