"""Answers that are broken in every way a program can think of: refused with one of our errors, or sound."""

import copy
import itertools
import json
import random
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from model.errors import PricesError
from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.sources.read import check, download
from tasks.prices.sources.yahoo_session import YahooSession
from tasks.settings import Settings
from tests.fakes.yahoo import FakeYahoo, Fault

ROUNDS = 2_400
NOW = datetime(2012, 4, 5, 22, 0, tzinfo=UTC)
MARKET = sample_prices(date(2012, 4, 5), 0, ExchangeCalendar())
META = Security(
    ticker="META", name="Facebook", currency="USD", kind="EQUITY", first_session=date(2012, 1, 3), exchange="XNYS"
)
STRANGE: list[Any] = [
    *(None, True, "", "x", "12.5", "NaN", [], {}, [1], {"a": 1}),
    *(0, -1, 1, 1e300, -1e300, 2**63, 10**400, 0.1, float("nan"), float("inf"), 1_333_633_800, -(10**15)),
]


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) within an answer."""
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    found = [(node, key) for key in keys]
    for key in keys:
        found += places(node[key])
    return found


def drop(answer: Any, rng: random.Random) -> None:
    container, key = rng.choice(places(answer))
    del container[key]


def replace(answer: Any, rng: random.Random) -> None:
    container, key = rng.choice(places(answer))
    container[key] = rng.choice(STRANGE)


def swap(answer: Any, rng: random.Random) -> None:
    (one, first), (other, second) = rng.choice(places(answer)), rng.choice(places(answer))
    one[first], other[second] = copy.deepcopy(other[second]), copy.deepcopy(one[first])


def columns(answer: Any) -> list[list[Any]]:
    result = answer["chart"]["result"][0]
    indicators = result["indicators"]
    return [result["timestamp"], indicators["adjclose"][0]["adjclose"], *indicators["quote"][0].values()]


def double_row(answer: Any, rng: random.Random) -> None:
    row, place = rng.randrange(len(MARKET)), rng.randrange(len(MARKET))
    for column in columns(answer):
        column.insert(place, column[row])


def drop_row(answer: Any, rng: random.Random) -> None:
    row = rng.randrange(len(MARKET))
    for column in columns(answer):
        del column[row]


def shuffle_column(answer: Any, rng: random.Random) -> None:
    rng.shuffle(rng.choice(columns(answer)))


def scale(answer: Any, rng: random.Random) -> None:
    column, row = rng.choice(columns(answer)), rng.randrange(len(MARKET))
    column[row] *= rng.choice([0, -1, 0.01, 0.5, 0.99, 1.01, 2, 100])


def mutated(answer: Any, rng: random.Random) -> str:
    """One to three changes, and one time in eight a piece of the text is missing."""
    changed = copy.deepcopy(answer)
    for _ in range(rng.randint(1, 3)):
        change = rng.choice([drop, replace, replace, swap, double_row, drop_row, shuffle_column, scale])
        try:
            change(changed, rng)
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError):
            break  # what was to be changed is gone already
    text = json.dumps(changed)
    if rng.random() < 1 / 8:
        start, end = sorted(rng.sample(range(len(text)), 2))
        text = rng.choice([text[:start], text[:start] + text[end:], text[start:]])
    return text


def demand_sound(prices: Prices) -> None:
    """The checks, written a second time and in another way."""
    sessions = ExchangeCalendar().sessions(prices.first, date(2012, 4, 5))
    assert list(prices.sessions) == list(sessions[: len(prices)])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in prices.values.tolist()]
    for row in rows:
        assert all(np.isfinite(value) and value > 0 for value in row.values())
        slack = 1e-5 * (1 + row["Close"])
        assert row["Low"] - slack <= min(row["Open"], row["Close"])
        assert max(row["Open"], row["Close"]) <= row["High"] + slack
        assert row["Adj Close"] <= row["Close"] + slack
    for before, after in itertools.pairwise(rows):
        assert abs(after["Close"] / before["Close"] - 1) <= 0.4
    assert prices.security == META


def outcome(session: YahooSession) -> Prices | PricesError:
    """What comes of one request; any other exception than ours ends the test."""
    try:
        return check(download(META, Settings(), NOW, session).prices, Settings())
    except PricesError as error:
        return error


@pytest.mark.slow
def test_no_broken_answer_gets_through_or_breaks_anything_else() -> None:
    rng = random.Random(0)
    outcomes = []
    with FakeYahoo() as yahoo, yahoo.session() as session:
        yahoo.serve("META", MARKET)
        _, answer = yahoo.answer("META", {})
        for _ in range(ROUNDS):
            yahoo.recover()
            yahoo.misbehave(Fault(body=mutated(answer, rng)))
            outcomes.append(outcome(session))
    accepted = [prices for prices in outcomes if isinstance(prices, Prices)]
    refused = [error for error in outcomes if isinstance(error, PricesError)]
    for prices in accepted:
        demand_sound(prices)
    assert all(error.exit_code == 3 and "META" in str(error) for error in refused)
    # Both happen often enough that the test says something.
    assert len(accepted) > ROUNDS / 50
    assert len(refused) > ROUNDS / 3
