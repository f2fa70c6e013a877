"""Which prices contradict those that a forecaster was trained on: another security's, and not a split or a cent."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from model.forecaster.contradiction import compare_with_trained
from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices, Values
from model.market.synthetic import sample_prices

TRAINED = sample_prices(date(2014, 12, 31), 0, ExchangeCalendar())
LATER = sample_prices(date(2015, 6, 30), 0, ExchangeCalendar())
OTHER = sample_prices(date(2014, 12, 31), 1, ExchangeCalendar())
VOLUME, ADJUSTED = COLUMNS.index("Volume"), COLUMNS.index("Adj Close")


def changed(factor: float, rows: slice = slice(None), columns: slice = slice(4), of: Prices = TRAINED) -> Prices:
    """The same prices, some of them multiplied."""
    values = of.values.copy()
    values[rows, columns] *= factor
    return replace(of, values=values)


def rounded(prices: Prices, decimals: int) -> Prices:
    values: Values = prices.values.copy()
    values[:, :5] = np.round(values[:, :5], decimals)
    return replace(prices, values=values)


def split(prices: Prices, ratio: int) -> Prices:
    values = prices.values.copy()
    values[:, :5] /= ratio
    values[:, VOLUME] *= ratio
    return replace(prices, values=values)


@pytest.mark.parametrize(
    "given",
    [
        TRAINED,
        LATER,
        TRAINED.until(date(2013, 12, 31)),
        LATER.since(date(2015, 1, 2)),
        rounded(changed(1.00003), 6),
        rounded(LATER, 1),
        split(LATER, 4),
        rounded(split(LATER, 20), 2),
        changed(0.97, of=LATER),
        changed(0.5, columns=slice(ADJUSTED, None), of=LATER),
        changed(1.03, slice(-2, None)),
    ],
    ids=[
        *("the same", "grown", "an earlier day", "no common day", "rounded to six decimals", "rounded to tenths"),
        *(
            "a split",
            "a split, rounded to cents",
            "adjusted for dividends",
            "other volumes",
            "the newest two corrected",
        ),
    ],
)
def test_what_a_source_does_to_its_past_is_no_contradiction(given: Prices) -> None:
    assert compare_with_trained(TRAINED, given).verdict == "same"


def test_prices_that_are_adjusted_for_dividends_do_not_contradict_those_that_are_not() -> None:
    # Two dividends of 1 %: Adj Close is lower before each.
    paid = np.select([np.arange(len(TRAINED)) < 100, np.arange(len(TRAINED)) < 200], [0.99**2, 0.99], 1.0)[:, None]
    plain = TRAINED.values.copy()
    plain[:, [ADJUSTED]] = plain[:, [COLUMNS.index("Close")]] * paid
    adjusted = plain.copy()
    adjusted[:, :4] *= paid
    one, other = (replace(TRAINED, values=values) for values in (plain, adjusted))
    assert compare_with_trained(one, other).verdict == "same"
    assert compare_with_trained(other, one).verdict == "same"
    assert compare_with_trained(TRAINED, other).verdict == "restated", "no Adj Close tells of these dividends"


def test_another_securitys_prices_contradict_on_every_day_with_both_prices() -> None:
    found = compare_with_trained(TRAINED, OTHER)
    assert found.verdict == "restated"
    assert len(found.days) == len(TRAINED) - 2
    theirs, ours = TRAINED.column("Open")[0], OTHER.column("Open")[0]
    assert found.lines[0].startswith(f"{TRAINED.first}: Open {theirs:.4f} became {ours:.4f} ({ours / theirs - 1:+.2%})")
    assert found.lines[-1].startswith(f"and {len(TRAINED) - 2 - 5} sessions more, ")


def test_a_single_price_that_was_rewritten_is_named() -> None:
    found = compare_with_trained(TRAINED, changed(1.05, slice(100, 101), slice(3, 4), of=LATER))
    assert (found.verdict, found.days) == ("restated", (str(TRAINED.sessions[100]),))
    assert found.lines[0].endswith("(+5.00%)")
    assert "Volume" not in found.lines[0]


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_another_unit_of_money_contradicts(factor: float) -> None:
    found = compare_with_trained(TRAINED, changed(factor, columns=slice(5)))
    assert (found.verdict, found.days) == ("units", ())
    assert found.lines == (f"another unit of money: {len(TRAINED)} sessions multiplied by {factor:g}",)
