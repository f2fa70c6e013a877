"""Repeats a request while a server cannot answer."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tasks.system import durations

T = TypeVar("T")

# HTTP statuses of a server that is busy, is starting, or waits for its database.
PASSING = (429, 502, 503, 504)


def _never(_: Any) -> bool:
    return False


def patiently(
    ask: Callable[[], T],
    seconds: float,
    *,
    after_error: Callable[[BaseException], bool] = _never,
    after_answer: Callable[[T], bool] = _never,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Repeat a request while its error or answer may be temporary, for at most `seconds`; give or raise the last one.

    The pause between two tries doubles, up to `durations.LAST_PAUSE`.

    after_error, after_answer: whether to ask again
    """
    from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_exponential_jitter

    first, last = durations.FIRST_PAUSE, durations.LAST_PAUSE
    asked = Retrying(
        retry=retry_if_exception(after_error) | retry_if_result(after_answer),
        stop=stop_after_delay(seconds),
        wait=wait_exponential_jitter(multiplier=first, max=last, jitter=first),
        sleep=sleep,
        # The last answer or error itself, instead of tenacity's RetryError.
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    answer: T = asked(ask)
    return answer
