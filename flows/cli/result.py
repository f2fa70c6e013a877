"""What a command answers, and one answer for several securities."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from model.config import PriceRequest
from model.errors import TomorrowError


class Answer(NamedTuple):
    """The JSON object, the same for people, and the exit code."""

    data: dict[str, Any]
    text: str
    exit_code: int = 0


def for_each(wanted: Sequence[PriceRequest], pause: float, run: Callable[[PriceRequest], Answer]) -> Answer:
    """Run one security after the other, with a pause between; a failure does not stop the others.

    One alone answers, or fails, as if there were no others.
    """
    if len(wanted) == 1:
        return run(wanted[0])
    answers: list[Answer] = []
    for prices in wanted:
        if answers:
            time.sleep(pause)
        answers.append(attempt(prices, run))
    return together(answers)


def attempt(prices: PriceRequest, run: Callable[[PriceRequest], Answer]) -> Answer:
    """The answer for one security of several, or what kept it from being given."""
    try:
        return run(prices)
    except TomorrowError as error:
        failure = {"ticker": prices.ticker, "error": error.as_json()}
        return Answer(failure, f"{prices.ticker}: {error}", error.exit_code)


def together(answers: Sequence[Answer]) -> Answer:
    """One answer for several securities; the first failure's exit code is the command's."""
    failed = [answer.exit_code for answer in answers if answer.exit_code]
    summary = f"{len(answers) - len(failed)} of {len(answers)} securities done"
    return Answer(
        {"securities": [answer.data for answer in answers], "failed": len(failed)},
        "\n\n".join([*(answer.text for answer in answers), summary]),
        failed[0] if failed else 0,
    )
