"""How long to wait before Yahoo is asked again, and when to give up."""

import time
from collections.abc import Callable
from typing import TypeVar

from model.errors import PricesUnavailable, RateLimited
from tasks.settings import RetrySettings

Answer = TypeVar("Answer")


def next_wait(error: object, retried: int, retries: RetrySettings, *, scheduled: bool) -> float | None:
    """Seconds until the next try after an error, when so many have been made again already; None to give up.

    Only what passes is tried again: not an unknown symbol, another security, faulty or restated prices, nor a file
    that is not there.
    """
    if not isinstance(error, PricesUnavailable) or error.data.get("source") != "yahoo":
        return None
    waits = retries.command_line
    if scheduled:
        waits = retries.rate_limited if isinstance(error, RateLimited) else retries.unavailable
    return waits[retried] if retried < len(waits) else None


def patiently(
    ask: Callable[[], Answer],
    retries: RetrySettings,
    *,
    sleep: Callable[[float], object] = time.sleep,
    say: Callable[[str], object] | None = None,
) -> Answer:
    """Ask as often as somebody at the command line has the patience for, and `say` what one waits for."""
    retried = 0
    while True:
        try:
            return ask()
        except PricesUnavailable as error:
            wait = next_wait(error, retried, retries, scheduled=False)
            if wait is None:
                raise
            if say is not None:
                say(f"{error.subject}: {error.have}; again in {wait:g} s")
        sleep(wait)
        retried += 1
