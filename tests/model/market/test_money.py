"""Prices are written in their own currency, with the digits that they need."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.market.money import POINTS, Money
from model.market.security import Security

LEVELS = st.floats(min_value=1e-12, max_value=1e9)
UNITS = st.sampled_from(["USD", "EUR", "GBp", "JPY", POINTS, None])


@pytest.mark.parametrize(
    ("unit", "price", "written"),
    [
        ("USD", 183.1234, "$183.12"),
        ("USD", 18.054, "$18.05"),
        ("USD", 0.5123456, "$0.5123"),
        ("USD", 0.00001234, "$0.00001234"),
        ("USD", 98765.43, "$98,765.4"),
        ("USD", 745_000.0, "$745,000"),
        ("USD", -37.63, "-$37.63"),
        ("USD", math.nan, "-"),
        ("EUR", 41.2, "41.20 EUR"),
        ("GBp", 71.54, "71.54 GBp"),
        ("JPY", 2845.0, "2,845 JPY"),
        ("JPY", 85.3, "85.30 JPY"),
        ("INR", 1287.45, "1,287.45 INR"),
        (POINTS, 5998.74, "5,998.74 points"),
        (POINTS, 38134.97, "38,135.0 points"),
        (None, 1.0312, "1.0312"),
        (None, 151.234, "151.23"),
        (None, 0.00001234, "0.00001234"),
    ],
)
def test_a_price_is_written_with_its_unit_and_the_digits_that_it_needs(
    unit: str | None, price: float, written: str
) -> None:
    assert Money.at(unit, price).price(price) == written


def test_scores_have_one_digit_more_than_prices() -> None:
    assert Money.at("USD", 183.0).score(1.23456) == "$1.235"
    assert Money.at("JPY", 2845.0).score(21.34) == "21.3 JPY"
    assert Money.at(None, 1.0312).score(0.0021345) == "0.00213"
    assert Money.at("USD", 183.0).score(math.inf) == "-"
    assert Money.at("USD", 183.0).difference(0.012) == "$+0.012"
    assert Money.at("GBp", 71.0).difference(-0.5) == "-0.500 GBp"


def test_a_span_names_its_unit_once() -> None:
    assert Money.at("USD", 183.0).span(181.0, 184.5) == "$181.00 to $184.50"
    assert Money.at("GBp", 71.0).span(70.5, 72.25) == "70.50 to 72.25 GBp"
    assert Money.at(None, 1.03).span(1.0249, 1.0375) == "1.0249 to 1.0375"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert Money.at("USD", 183.0).price(-0.001) == "$0.00"


@pytest.mark.parametrize(
    ("kind", "currency", "unit"),
    [
        ("EQUITY", "GBp", "GBp"),
        ("CRYPTOCURRENCY", "USD", "USD"),
        ("INDEX", "USD", POINTS),
        ("CURRENCY", "USD", None),
        (None, None, None),
    ],
)
def test_an_index_counts_points_and_a_rate_counts_nothing(
    kind: str | None, currency: str | None, unit: str | None
) -> None:
    assert Security(ticker="X", kind=kind, currency=currency).unit == unit


def test_an_axis_is_labelled_with_the_unit_where_there_is_one() -> None:
    assert Money.at("USD", 183.0).label("price") == "price (US dollars)"
    assert Money.at("GBp", 71.0).label("price") == "price (GBp)"
    assert Money.at(None, 1.03).label("price") == "price"


def test_without_a_level_there_are_cents() -> None:
    assert Money.at("USD", 0.0) == Money.at("USD", math.nan) == Money("USD", 2)


@given(unit=UNITS, level=LEVELS)
def test_every_price_is_seen_to_half_a_per_mille_and_in_at_most_six_digits(unit: str | None, level: float) -> None:
    money = Money.at(unit, level)
    number = money.price(level).removeprefix("$").partition(" ")[0].replace(",", "")
    assert abs(float(number) - level) <= money.half_a_digit * (1 + 1e-9)
    assert money.half_a_digit <= level * (0.005 if unit == "JPY" else 0.0006)
    if level < 1e5:
        assert (
            len(number.replace(".", "").lstrip("0")) <= 7
        )  # the seventh only where it was rounded up to a power of ten
