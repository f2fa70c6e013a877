"""The sample market: the same for the same seed, sound, and like a market."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.distribution import PROBABILITIES
from model.evaluation.baselines import naive_distributions
from model.evaluation.evidence.e_process import weigh_against
from model.market.calendar import ExchangeCalendar
from model.market.checks import check_prices
from model.market.prices import Prices, Values
from model.market.security import SAMPLE
from model.market.synthetic import sample_prices

CALENDAR = ExchangeCalendar()
LAST = date(2026, 7, 1)


def test_it_is_a_row_for_each_session_since_2012_and_says_what_it_is() -> None:
    market = sample_prices(LAST, 3, CALENDAR)
    assert (market.first, market.last) == (date(2012, 1, 3), LAST)
    assert (market.sessions == CALENDAR.sessions(market.first, market.last)).all()
    assert market.security is SAMPLE
    assert market.notes == ("synthetic market, seed 3: not a real security",)


def test_seed_0_begins_with_numbers_that_never_change() -> None:
    market = sample_prices(LAST, 0, CALENDAR)
    assert market.values[0].tolist() == [40.03, 40.14, 39.69, 39.99, 39.99, 16773470.0]
    assert market.values[-1].tolist() == [107.68, 108.54, 106.85, 108.14, 108.14, 10107952.0]


@given(seed=st.integers(0, 2**32 - 1), last=st.dates(date(2012, 1, 3), date(2025, 12, 31)))
@settings(max_examples=25, deadline=None)
def test_a_longer_market_begins_with_the_shorter_one(seed: int, last: date) -> None:
    longer = sample_prices(LAST, seed, CALENDAR).until(last)
    assert sample_prices(last, seed, CALENDAR).fingerprint == longer.fingerprint


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_every_seed_makes_sound_prices_far_from_zero(seed: int) -> None:
    market = sample_prices(LAST, seed, CALENDAR)
    assert check_prices(market, CALENDAR) == ()
    assert market.values[:, :4].min() > 1


def test_another_seed_is_another_market() -> None:
    assert sample_prices(LAST, 0, CALENDAR).fingerprint != sample_prices(LAST, 1, CALENDAR).fingerprint


@pytest.mark.parametrize("seed", range(5))
def test_it_moves_like_a_market(seed: int) -> None:
    market = sample_prices(LAST, seed, CALENDAR)
    opened, close, volume = market.column("Open"), market.column("Close"), market.column("Volume")
    moves = np.diff(np.log(close))
    assert 0.10 < moves.std() * 252**0.5 < 0.60
    assert (opened[1:] != close[:-1]).mean() > 0.95, "nights have gaps"
    size = np.abs(moves - moves.mean())
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.05, "volatility comes in clusters"
    assert ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2 > 3.2, "tails are heavier than a normal's"
    assert np.corrcoef(size, volume[1:])[0, 1] > 0.1, "volume grows with volatility"


def widths(market: Prices) -> Values:
    """(n,) the mean range of the newest ten sessions, as a logarithm's."""
    ranges = np.log(market.column("High") / market.column("Low"))
    return np.concatenate([np.full(9, np.nan), np.convolve(ranges, np.ones(10) / 10, mode="valid")])


@pytest.mark.parametrize("seed", range(5))
def test_how_far_the_next_price_lies_can_be_foreseen_and_to_which_side_cannot(seed: int) -> None:
    market = sample_prices(LAST, seed, CALENDAR)
    changes = np.log(market.column("Open")[1:] / market.column("Close")[:-1])
    known = slice(9, -1)
    assert np.corrcoef(widths(market)[known], np.abs(changes)[9:])[0, 1] > 0.3
    moves = np.diff(np.log(market.column("Close")))
    # Four standard errors of no correlation at all, had they the same width; nights follow days.
    assert abs(np.corrcoef(np.sign(moves[:-1]), np.sign(changes[1:]))[0, 1]) < 4 / len(moves) ** 0.5


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_range_alone_is_proven_to_beat_the_naive_distributions(seed: int) -> None:
    """The newest Close, moved by past changes in units of the mean range: no network is needed for a proof."""
    market = sample_prices(date(2026, 10, 30), seed, CALENDAR)
    opened, close, width = market.column("Open"), market.column("Close"), widths(market)
    errors = np.log(opened[1:] / close[:-1]) / width[:-1]
    made = range(len(market) - 1251, len(market) - 1)
    ours = [close[at] * np.exp(width[at] * np.quantile(errors[at - 500 : at], PROBABILITIES)) for at in made]
    naive = naive_distributions(market.rows(0, len(market) - 1), "Open", len(made))
    found = weigh_against(opened[-1250:], np.array(ours), naive)
    assert found.odds > (1000 if seed == 0 else 20)


def test_before_its_first_session_there_is_nothing() -> None:
    assert len(sample_prices(date(2011, 6, 1), 0, CALENDAR)) == 0
