"""What does not go together in a request for prices, and what a request means."""

from datetime import UTC, date, datetime

import pytest

from model.config import PriceRequest
from model.errors import UsageError
from tasks.prices.request import resolve
from tasks.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (PriceRequest(source="csv"), "no files"),
        (PriceRequest(source="sample", files=("a.csv",)), "files with the source sample"),
        (PriceRequest(source="yahoo", files=("a.csv",)), "files with the source yahoo"),
        (PriceRequest(source="yahoo", ticker="SAMPLE"), "the synthetic market"),
        (PriceRequest(source="csv", ticker="sample", files=("a.csv",)), "the synthetic market"),
        (PriceRequest(source="yahoo", ticker=""), "no ticker"),
        (PriceRequest(source="yahoo", ticker="FB META"), "no ticker"),
        (PriceRequest(source="yahoo", ticker="../FB"), "no ticker"),
        (PriceRequest(source="yahoo", ticker="F" * 16), "no ticker"),
        (PriceRequest(source="yahoo", ticker="US30303M1027"), "securities number"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(wanted: PriceRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resolve(wanted, Settings(), NOW)
    assert caught.value.exit_code == 2


def test_a_resolved_request_knows_the_newest_day_whose_prices_may_be_used() -> None:
    completed = date(2026, 11, 19)
    assert resolve(PriceRequest(source="sample"), Settings(), NOW).until(completed) == completed
    before = PriceRequest(source="sample", as_of=date(2020, 1, 31))
    assert resolve(before, Settings(), NOW).until(completed) == date(2020, 1, 31)
    today = PriceRequest(source="sample", as_of=date(2026, 11, 20))
    assert resolve(today, Settings(), NOW).until(completed) == completed
