"""Prices cut by row and by day know the session that follows them; the table says when each session was."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from model.artifact.series_input import SeriesInput
from model.market.prices import COLUMNS, OtherSeries, Prices
from tests.market import make_prices

PRICES = make_prices(10)  # from Tuesday, 1 January 2019


def test_the_table_has_every_column_and_the_dates_in_days_since_1970() -> None:
    table = PRICES.table()
    assert list(table) == [*COLUMNS, "Date"]
    assert table["Date"][0] == (date(2019, 1, 1) - date(1970, 1, 1)).days
    assert np.diff(table["Date"]).tolist() == [1, 1, 1, 3, 1, 1, 1, 1, 3]
    np.testing.assert_array_equal(table["Close"], PRICES.column("Close"))


def test_what_is_cut_off_is_followed_by_the_session_that_was_next() -> None:
    assert PRICES.rows(0, 4).following == PRICES.rows(2, 4).following == date(2019, 1, 7)
    assert PRICES.until(date(2019, 1, 4)).following == PRICES.until(date(2019, 1, 6)).following == date(2019, 1, 7)
    assert PRICES.rows(0, 4).rows(0, 2).following == date(2019, 1, 3)


def test_what_follows_the_newest_session_is_what_the_calendar_said() -> None:
    asked = replace(PRICES, following=date(2019, 1, 16))
    for newest in (asked.rows(5, 10), asked.rows(0, 12), asked.until(date(2030, 1, 1))):
        assert newest.following == date(2019, 1, 16)
    assert asked.rows(0, 9).following == date(2019, 1, 14)
    assert PRICES.rows(5, 10).following is None


@pytest.mark.parametrize(("following", "days"), [(None, None), (date(1970, 1, 1), 0.0), (date(2019, 1, 1), 17897.0)])
def test_the_following_day_is_counted_as_the_table_counts(following: date | None, days: float | None) -> None:
    assert replace(PRICES, following=following).following_day == days


def test_no_session_at_all_is_followed_by_the_oldest() -> None:
    assert PRICES.rows(0, 0).following == PRICES.first


def test_what_follows_is_no_part_of_the_fingerprint() -> None:
    assert replace(PRICES, following=date(2019, 1, 16)).fingerprint == PRICES.fingerprint


def with_others(n: int = 10) -> Prices:
    """Prices with two columns of other series beside."""
    values = np.arange(2.0 * n).reshape(n, 2)
    others = OtherSeries(columns=("^VIX", "mood"), values=values, sources={"^VIX": "a", "mood": "b"})
    return replace(make_prices(n), others=others)


def test_other_series_are_cut_with_the_prices_and_are_columns_of_their_table() -> None:
    cut = with_others().rows(3, 6)
    assert cut.table()["mood"].tolist() == [7.0, 9.0, 11.0]
    assert cut.frame()["^VIX"].tolist() == [6.0, 8.0, 10.0]
    assert cut.since(cut.day(1)).table()["^VIX"].tolist() == [8.0, 10.0]


def test_the_fingerprint_covers_other_series_and_is_as_before_without_any() -> None:
    prices, plain = with_others(), make_prices(10)
    assert prices.others is not None
    other = replace(prices, others=replace(prices.others, values=prices.others.values + 1))
    assert len({prices.fingerprint, plain.fingerprint, other.fingerprint}) == 3
    assert replace(prices, others=None).fingerprint == plain.fingerprint
    assert prices.only_with(()).fingerprint == plain.fingerprint


def test_prices_are_narrowed_to_the_series_that_are_wanted() -> None:
    vix, qqq = SeriesInput(name="^VIX"), SeriesInput(name="QQQ")
    narrowed = with_others().only_with((vix,)).others
    assert narrowed is not None
    assert (narrowed.columns, dict(narrowed.sources)) == (("^VIX",), {"^VIX": "a"})
    assert with_others().lacking((vix, qqq)) == ("QQQ",)
    assert make_prices(10).lacking((vix,)) == ("^VIX",)


def test_other_series_have_a_row_for_each_session() -> None:
    others = OtherSeries(columns=("S",), values=np.zeros((9, 1)), sources={})
    with pytest.raises(ValueError, match="9 rows of other series for 10 sessions"):
        replace(make_prices(10), others=others)
