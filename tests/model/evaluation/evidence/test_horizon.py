"""Evidence on forecasts of several sessions ahead: as many bettors as sessions, fair however often one looks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.distribution import PROBABILITIES
from model.evaluation.evidence.e_process import LARGEST_BET, bet, weigh, weigh_against
from model.evaluation.evidence.live import LiveRecord
from model.evaluation.evidence.proof import Proof, compare
from model.market.prices import Values
from tests.model.evaluation.evidence.given import judged

GAINS = st.lists(st.floats(-1, 1), min_size=0, max_size=40)


def as_it_always_was(found: Values) -> tuple[list[float], list[float]]:
    """Stakes and log wealth one session ahead, written again as the program has computed them from the first day."""
    stakes, wealth = [], []
    stake, curvature, log_wealth = 0.0, 1.0, 0.0
    for gain in found.tolist():
        stakes.append(stake)
        log_wealth += math.log1p(stake * gain)
        wealth.append(log_wealth)
        slope = gain / (1 + stake * gain)
        curvature += slope * slope
        stake = min(max(stake + 2 / (2 - math.log(3)) * slope / curvature, 0.0), LARGEST_BET)
    return stakes, wealth


@given(found=GAINS)
def test_one_session_ahead_no_digit_is_another(found: list[float]) -> None:
    stakes, wealth = as_it_always_was(np.array(found))
    for bets in (bet(np.array(found)), bet(np.array(found), 1)):
        assert bets.stakes.tolist() == stakes
        assert bets.log_wealth.tolist() == wealth


def test_two_bettors_worked_out_by_hand() -> None:
    # The first bets on .5 and .5, the second on .5 and -1. Each has nothing at stake at first and half afterwards.
    bets = bet(np.array([0.5, 0.5, 0.5, -1.0]), 2)
    np.testing.assert_array_equal(bets.gains, [0.5, 0.5, 0.5, -1.0])
    assert bets.stakes == pytest.approx([0, 0, 0.5, 0.5])
    # After session 0 nobody's open stake is above 0. After session 1 the first bettor's half is open: .5 and 1.
    # After session 2 it has won, 1.25, and the second one's half is open: 1.25 and .5. After session 3 the second one
    # has .5 left. The first one's next stake: slope .5 / 1.25 = .4, from .5 up: half again, which is open: .625.
    assert np.exp(bets.log_wealth) == pytest.approx([1, (0.5 + 1) / 2, (1.25 + 0.5) / 2, (0.625 + 0.5) / 2])


def test_each_bettor_knows_only_its_own_sessions() -> None:
    found = np.random.default_rng(3).uniform(-1, 1, 41)
    for horizon in (2, 5, 21, 60):
        bets = bet(found, horizon)
        for first in range(min(horizon, len(found))):
            alone = bet(found[first::horizon])
            np.testing.assert_array_equal(bets.stakes[first::horizon], alone.stakes)


@given(found=GAINS, horizon=st.integers(1, 6), data=st.data())
def test_a_price_changes_no_stake_that_was_chosen_before_it_was_known(
    found: list[float], horizon: int, data: st.DataObject
) -> None:
    """The forecast of a row is made so many rows before it: no gain since then may have an effect on its stake."""
    row = data.draw(st.integers(0, len(found)))
    others = [*found[:row], *data.draw(st.lists(st.floats(-1, 1), min_size=1, max_size=40))]
    one, two = bet(np.array(found), horizon), bet(np.array(others), horizon)
    chosen = min(row + horizon, len(found), len(others))
    np.testing.assert_array_equal(one.stakes[:chosen], two.stakes[:chosen])
    np.testing.assert_array_equal(one.log_wealth[:row], two.log_wealth[:row])


def settled_alone(found: Values, horizon: int) -> Values:
    """(n,) the bettors' mean wealth with open stakes counted as if nothing were at stake."""
    every = np.ones((horizon, len(found)))
    for bettor in range(horizon):
        for at, wealth in zip(range(bettor, len(found), horizon), bet(found[bettor::horizon]).log_wealth, strict=True):
            every[bettor, at:] = math.exp(wealth)
    return np.asarray(every.mean(axis=0))


LENGTH = 12


def games(horizon: int) -> Values:
    """(2 ** LENGTH, n) gains of all games of a fair coin: the mean of the newest `horizon` tosses at each row."""
    tosses = np.array(list(itertools.product((1.0, -1.0), repeat=LENGTH)))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(tosses, horizon, axis=1).mean(axis=2))


def best_stop(wealth: Values, horizon: int) -> float:
    """The mean of what the cleverest stopper takes, who sees each toss and may take the wealth after any of them.

    wealth: (2 ** LENGTH, n), after each row of `games`
    """
    value = wealth[:, -1]
    for row in range(wealth.shape[1] - 1, -1, -1):
        value = np.maximum(value, wealth[:, row])
        # What comes after the tosses up to the row before is not known: the mean over it.
        known = 2 ** (row + horizon - 1) if row else 1
        value = np.repeat(value.reshape(known, -1).mean(axis=1), 2**LENGTH // known)
    return float(value[0])


@pytest.mark.parametrize("horizon", [1, 2, 3, 4])
def test_in_a_fair_game_nobody_who_stops_gains_however_he_looks(horizon: int) -> None:
    """Every game of twelve tosses, whose overlapping gains are 0 in the mean for whoever bets before them."""
    every = games(horizon)
    wealth = np.exp([bet(game, horizon).log_wealth for game in every])
    assert (wealth.mean(axis=0) <= 1 + 1e-12).all()
    assert best_stop(wealth, horizon) <= 1 + 1e-12
    highest = wealth.max(axis=1)
    assert highest.max() > (1.5 if horizon < 4 else 1)
    for odds in (1.1, 1.5, 2, 4):
        assert (highest >= odds).mean() <= 1 / odds
    # Without the open stakes it is the bettors' mean, which is fair at a day that is fixed beforehand. Whoever may
    # stop before an open bet is lost gains by it, unless there is none.
    plain = np.array([settled_alone(game, horizon) for game in every])
    assert plain.mean(axis=0) == pytest.approx(np.ones(every.shape[1]))
    assert (wealth <= plain + 1e-12).all()
    if horizon == 1:
        np.testing.assert_allclose(wealth, plain)
    else:
        assert best_stop(plain, horizon) > 1.01


@settings(max_examples=25)
@given(horizon=st.integers(1, 5), seed=st.integers(0, 1000))
def test_no_more_than_half_is_ever_open(horizon: int, seed: int) -> None:
    found = np.random.default_rng(seed).uniform(-1, 1, 30)
    wealth, plain = np.exp(bet(found, horizon).log_wealth), settled_alone(found, horizon)
    assert (wealth >= (1 - LARGEST_BET) * plain - 1e-12).all()


@pytest.mark.parametrize("horizon", [0, -1])
def test_a_forecast_is_of_a_later_session(horizon: int) -> None:
    with pytest.raises(ValueError, match=f"{horizon} sessions ahead"):
        bet(np.zeros(3), horizon)


def test_the_evidence_of_twelve_sure_sessions_takes_longer_two_sessions_ahead() -> None:
    actual, sure = np.full(12, 100.0), np.ones(len(PROBABILITIES))
    ours, other = np.tile(100 * sure, (12, 1)), np.tile(110 * sure, (12, 1))
    one, two = (weigh_against(actual, ours, {"other": other}, horizon) for horizon in (1, 2))
    # Eleven sessions with a half at stake; five for each of two bettors, one of whom has an open bet.
    assert math.exp(one.log_odds[-1]) == pytest.approx(1.5**11)
    assert math.exp(two.log_odds[-1]) == pytest.approx((1.5**5 + 0.5 * 1.5**5) / 2)


def test_proofs_and_live_records_weigh_by_their_horizon() -> None:
    some = judged(0.5, 60)
    odds = {}
    for horizon in (1, 5):
        found = weigh(some, horizon)
        record = LiveRecord.of(some, horizon)
        assert found is not None
        assert record is not None
        assert Proof(judged=some, horizon=horizon).odds == record.evidence.odds == found.odds
        odds[horizon] = found.odds
    assert odds[1] > odds[5] > 1
    assert Proof(judged=some).odds == odds[1]


def test_proofs_of_two_horizons_cannot_be_compared() -> None:
    one, two = (Proof(judged=judged(0.5, 60), horizon=horizon) for horizon in (1, 5))
    assert compare(two, two).odds == 1
    with pytest.raises(ValueError, match="of 1 and of 5 sessions ahead"):
        compare(one, two)
