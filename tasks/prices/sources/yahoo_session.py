"""The HTTP session that yfinance uses: it limits the time of each request, and keeps a description of the answer."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def _own_symbols() -> Iterator[None]:
    """In this block, let a native library prefer its own functions to others of the same name.

    TensorFlow makes its own libcurl visible to the whole process. If curl_cffi is loaded after it, it would call that
    one, which cannot imitate a browser, and could not send any request.
    """
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | getattr(os, "RTLD_DEEPBIND", 0))  # other systems than Linux separate them anyway
    try:
        yield
    finally:
        sys.setdlopenflags(flags)


with _own_symbols():
    from curl_cffi.requests import Response, Session

# For cookies and crumbs: prices can be fetched without them.
_BEST_EFFORT_SECONDS = 5.0


class YahooSession(Session[Response]):
    """A session that imitates a browser, as yfinance would open it.

    yfinance waits half a minute for each cookie, whatever timeout it is given; here that is limited. Of an answer that
    it cannot read, it says only that it is not JSON; so `came` describes the newest chart's answer. `has_cookie`:
    whether Yahoo has given a cookie, and no chart has failed since.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(impersonate="chrome")
        self.seconds = timeout
        self.came = "nothing"
        self.has_cookie = False

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Send one request, within the time limit."""
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
        elif urlsplit(url).path in ("", "/"):  # of yfinance's requests, only the one for the cookie has no path
            self.has_cookie = True
        return answer
