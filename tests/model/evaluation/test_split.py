"""The split: by date, once, before anything is fitted."""

from datetime import date

import pytest

from model.config import EvaluationConfig
from model.errors import TooFewPrices, UsageError
from model.evaluation.split import split_prices
from tests.market import make_prices


def test_the_newest_sessions_are_the_test_period() -> None:
    prices = make_prices(120)
    split = split_prices(prices, EvaluationConfig(test_sessions=21), lookback=40)
    assert (len(split.train), split.n_test, len(split.prices)) == (99, 21, 120)
    assert split.first_test == prices.day(99)
    assert split.last_test == prices.last


def test_a_named_month_is_the_test_period_and_later_sessions_are_not_used() -> None:
    split = split_prices(make_prices(120), EvaluationConfig(test_month="2019-04"), lookback=40)
    assert split.first_test == date(2019, 4, 1)
    assert split.last_test == date(2019, 4, 30)
    assert split.n_test == 22
    assert split.train.last == date(2019, 3, 29)


@pytest.mark.parametrize("month", ["2018-12", "2030-01"])
def test_a_month_without_sessions_is_refused_with_what_there_is(month: str) -> None:
    with pytest.raises(UsageError, match=f"{month}.*no session.*2019-01-01 to 2019-06-17"):
        split_prices(make_prices(120), EvaluationConfig(test_month=month), lookback=40)


def test_a_training_part_of_one_window_and_its_target_is_the_least() -> None:
    assert len(split_prices(make_prices(62), EvaluationConfig(test_sessions=21), lookback=40).train) == 41
    with pytest.raises(TooFewPrices, match=r"61 sessions.*21 are the test period"):
        split_prices(make_prices(61), EvaluationConfig(test_sessions=21), lookback=40)


def test_too_few_sessions_before_the_month_are_refused() -> None:
    with pytest.raises(TooFewPrices, match="up to the end of 2019-02"):
        split_prices(make_prices(120), EvaluationConfig(test_month="2019-02"), lookback=40)
