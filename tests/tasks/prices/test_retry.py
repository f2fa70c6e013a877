"""When Yahoo is asked again, and after how long."""

import pytest

from model.errors import (
    FaultyPrices,
    PricesUnavailable,
    RateLimited,
    RestatedPrices,
    TomorrowError,
    UnknownSymbol,
    WrongSecurity,
)
from tasks.prices.retry import next_wait, patiently
from tasks.settings import RetrySettings

DEFAULT = RetrySettings()


def error(kind: type[TomorrowError], source: str = "yahoo") -> TomorrowError:
    return kind("prices", have="none", need="some", remedy="wait", source=source)


def waits(kind: type[TomorrowError], *, scheduled: bool, source: str = "yahoo") -> list[float | None]:
    return [next_wait(error(kind, source), retried, DEFAULT, scheduled=scheduled) for retried in range(4)]


def test_a_scheduled_run_waits_minutes_and_gives_up_after_four_tries() -> None:
    assert waits(PricesUnavailable, scheduled=True) == [60, 300, 900, None]


def test_a_scheduled_run_waits_half_an_hour_when_it_is_asked_to() -> None:
    assert waits(RateLimited, scheduled=True) == [1800, 1800, 1800, None]


def test_tries_of_both_kinds_count_together() -> None:
    kinds = [PricesUnavailable, RateLimited, PricesUnavailable, RateLimited]
    found = [next_wait(error(kind), retried, DEFAULT, scheduled=True) for retried, kind in enumerate(kinds)]
    assert found == [60, 1800, 900, None]


@pytest.mark.parametrize("kind", [PricesUnavailable, RateLimited])
def test_somebody_at_the_command_line_gets_two_quick_tries(kind: type[TomorrowError]) -> None:
    assert waits(kind, scheduled=False) == [1, 5, None, None]


@pytest.mark.parametrize("kind", [UnknownSymbol, WrongSecurity, FaultyPrices, RestatedPrices])
def test_what_waiting_does_not_mend_is_never_tried_again(kind: type[TomorrowError]) -> None:
    assert waits(kind, scheduled=True) == waits(kind, scheduled=False) == [None] * 4


def test_a_file_that_is_not_there_is_never_tried_again() -> None:
    assert waits(PricesUnavailable, scheduled=True, source="csv") == [None] * 4


def test_a_mistake_of_ours_is_never_tried_again() -> None:
    assert next_wait(KeyError("x"), 0, DEFAULT, scheduled=True) is None


def test_asking_patiently_ends_with_the_first_answer() -> None:
    answers = [error(PricesUnavailable), error(RateLimited), "prices"]
    slept: list[float] = []

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, TomorrowError):
            raise answer
        return str(answer)

    assert patiently(ask, DEFAULT, sleep=slept.append) == "prices"
    assert slept == [1, 5]


def test_asking_patiently_ends_with_the_last_error() -> None:
    slept: list[float] = []

    def ask() -> str:
        raise error(PricesUnavailable)

    with pytest.raises(PricesUnavailable):
        patiently(ask, DEFAULT, sleep=slept.append)
    assert slept == [1, 5]
