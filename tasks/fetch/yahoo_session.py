"""The HTTP session that yfinance asks Yahoo through: no request waits longer than it may, and what came is kept."""

from typing import Any

from curl_cffi.requests import Response, Session

# Cookies and crumbs are best effort: prices are had without them.
_BEST_EFFORT_SECONDS = 5.0


class YahooSession(Session[Response]):
    """A browser's session, as yfinance would open it.

    yfinance waits half a minute for each cookie whatever it is told, and says of an answer that it cannot read only
    that it is no JSON: `came` is what the newest chart's answer was.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(impersonate="chrome")
        self.seconds = timeout
        self.came = "nothing"

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
        return answer
