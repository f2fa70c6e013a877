"""Decides how long to wait before asking Yahoo again, and when to give up."""

import time
from collections.abc import Callable
from typing import TypeVar

from model.errors import PricesUnavailable, RateLimited
from tasks.settings import RetrySettings

R = TypeVar("R")


def next_wait(error: object, retried: int, retries: RetrySettings, *, scheduled: bool) -> float | None:
    """Seconds to wait after an error before the next try; None to give up.

    Only errors that may be temporary are retried: not an unknown symbol, another security, faulty or restated prices, a
    security that looks delisted, or a missing file.

    retried:   how many retries there were
    scheduled: whether this is a run of a deployment
    """
    if not isinstance(error, PricesUnavailable) or error.data.get("source") != "yahoo" or error.data.get("delisted"):
        return None
    waits = retries.command_line
    if scheduled:
        waits = retries.rate_limited if isinstance(error, RateLimited) else retries.unavailable
    return waits[retried] if retried < len(waits) else None


def patiently(
    ask: Callable[[], R],
    retries: RetrySettings,
    *,
    sleep: Callable[[float], object] = time.sleep,
    say: Callable[[str], object] = lambda _: None,
) -> R:
    """Ask, with the retries of an interactive command; `say` is called before each wait."""
    retried = 0
    while True:
        try:
            return ask()
        except PricesUnavailable as error:
            wait = next_wait(error, retried, retries, scheduled=False)
            if wait is None:
                raise
            say(f"{error.subject}: {error.have}; again in {wait:g} s")
        sleep(wait)
        retried += 1
