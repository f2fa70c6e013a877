"""The HTTP session that yfinance asks Yahoo through: no request waits longer than it may, and what came is kept."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def _own_symbols() -> Iterator[None]:
    """Let a native library that is loaded in this block use its own functions before those of the same name.

    TensorFlow brings a libcurl and shows it to the whole process. Loaded after it, curl_cffi would call that one, which
    cannot pass for a browser: no request is sent at all.
    """
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | getattr(os, "RTLD_DEEPBIND", 0))  # other systems than Linux keep them apart anyway
    try:
        yield
    finally:
        sys.setdlopenflags(flags)


with _own_symbols():
    from curl_cffi.requests import Response, Session

# Cookies and crumbs are best effort: prices are had without them.
_BEST_EFFORT_SECONDS = 5.0


class YahooSession(Session[Response]):
    """A browser's session, as yfinance would open it.

    yfinance waits half a minute for each cookie whatever it is told, and says of an answer that it cannot read only
    that it is no JSON: `came` is what the newest chart's answer was. `has_cookie` says whether Yahoo has given a cookie
    and nothing has gone wrong since.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(impersonate="chrome")
        self.seconds = timeout
        self.came = "nothing"
        self.has_cookie = False

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Send one request."""
        is_chart = "/finance/chart/" in url
        longest = self.seconds if is_chart else min(self.seconds, _BEST_EFFORT_SECONDS)
        kwargs["timeout"] = min(kwargs.get("timeout") or longest, longest)
        if is_chart:
            self.came = "nothing"
        answer = super().request(method, url, *args, **kwargs)
        if is_chart:
            kind = (answer.headers.get("Content-Type") or "no type").partition(";")[0]
            self.came = f"HTTP {answer.status_code}, {len(answer.content)} bytes of {kind}"
            self.has_cookie = self.has_cookie and answer.ok
        elif urlsplit(url).path in ("", "/"):  # of what yfinance asks for, only the cookie's address has no path
            self.has_cookie = True
        return answer
