"""The e-process: fair to whoever has no skill, however often one looks, and worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from model.artifact.distribution import PROBABILITIES
from model.evaluation.distribution import crps, no_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import (
    LARGEST_BET,
    bet,
    gains,
    largest_differences,
    odds_text,
    weigh,
    weigh_against,
)
from model.market.prices import Values

NORMAL = ndtri(np.array(PROBABILITIES))
PRICES = st.floats(0.01, 1e4)
DISTRIBUTIONS = st.lists(PRICES, min_size=len(PROBABILITIES), max_size=len(PROBABILITIES)).map(
    lambda found: np.sort(np.array([found]))
)
GAINS = st.lists(st.floats(-1, 1), min_size=1, max_size=40)


def point(price: float) -> Values:
    """A distribution that is sure of one price."""
    return np.full((1, len(PROBABILITIES)), price)


def test_three_sessions_worked_out_by_hand() -> None:
    bets = bet(np.array([0.5, -0.2, 0.4]))
    # Nothing is at stake in the first session. Its slope is .5, the curvature 1 + .25, and the step 2 / (2 - log 3) =
    # 2.21880 times .5 / 1.25 is more than half: half is at stake in the second one, which leaves 1 - .5 * .2 = .9.
    # Its slope is -.2 / .9 = -.22222, the curvature 1.29938: .5 - 2.21880 * .22222 / 1.29938 = .12054 is at stake.
    assert bets.stakes == pytest.approx([0, 0.5, 0.12054], abs=1e-5)
    assert np.exp(bets.log_wealth) == pytest.approx([1, 0.9, 0.9 * (1 + 0.12054 * 0.4)], abs=1e-5)


@given(found=GAINS)
def test_the_wealth_is_the_product_of_what_each_session_made_of_its_stake(found: list[float]) -> None:
    bets = bet(np.array(found))
    wealth = 1.0
    for row, gain in enumerate(found):
        assert 0 <= bets.stakes[row] <= LARGEST_BET
        wealth *= 1 + bets.stakes[row] * gain
        assert math.exp(bets.log_wealth[row]) == pytest.approx(wealth)


@given(found=GAINS, data=st.data())
def test_a_session_changes_no_stake_up_to_it_and_no_wealth_before_it(found: list[float], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(found) - 1))
    others = [*found[:row], *data.draw(st.lists(st.floats(-1, 1), min_size=1, max_size=40))]
    one, two = bet(np.array(found)), bet(np.array(others))
    np.testing.assert_array_equal(one.stakes[: row + 1], two.stakes[: row + 1])
    np.testing.assert_array_equal(one.log_wealth[:row], two.log_wealth[:row])


def test_in_a_fair_game_the_mean_of_the_wealth_is_1_at_every_session_and_ville_holds() -> None:
    """Every game of ten sessions in which each is won or lost with equal chance: all 1,024 of them."""
    games = np.exp([bet(np.array(game)).log_wealth for game in itertools.product((1.0, -1.0), repeat=10)])
    assert games.mean(axis=0) == pytest.approx(np.ones(10))
    highest = games.max(axis=1)
    assert highest.max() > 10
    for odds in (1.5, 2, 4, 8):
        assert 0 < (highest >= odds).mean() <= 1 / odds


def walks(count: int, sessions: int) -> tuple[Values, Values, Values]:
    """The changes of walks of constant width, the width that the newest 20 changes suggest, and the true one."""
    changes = np.random.default_rng(7).normal(0, 1, (count, sessions + 20))
    past = np.lib.stride_tricks.sliding_window_view(changes, 20, axis=1)[:, :-1]
    return changes[:, 20:], past.std(axis=2), np.ones((count, sessions))


def test_whoever_sees_clusters_where_there_are_none_is_not_believed() -> None:
    """Constant width is the truth: the mean of E is at most 1 within its error, and E >= 20 is as rare as promised."""
    actual, ours, truth = walks(300, 250)
    # Also a forecaster whose width is drawn at random, a little beside the truth: hardly worse, so nearly a fair game.
    near = np.exp(np.random.default_rng(8).normal(0, 0.1, truth.shape))
    for widths, least in ((ours, 0.0), (near, 0.2)):
        found = [
            weigh_against(row, width[:, np.newaxis] * NORMAL, {"truth": true[:, np.newaxis] * NORMAL})
            for row, width, true in zip(actual, widths, truth, strict=True)
        ]
        wealth = np.exp([evidence.log_odds[-1] for evidence in found])
        error = wealth.std() / math.sqrt(len(wealth))
        assert least < wealth.mean() <= 1 + 2 * error
        reached = np.mean([evidence.odds >= 20 for evidence in found])
        assert reached <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / len(found))


def test_whoever_knows_the_width_is_believed_and_whoever_does_not_is_found_out() -> None:
    rng = np.random.default_rng(9)
    widths = np.exp(rng.normal(0, 0.5, 1000))
    known, constant = widths[:, np.newaxis] * NORMAL, np.tile(1.1 * NORMAL, (1000, 1))
    actual = widths * rng.normal(0, 1, 1000)
    evidence = weigh_against(actual, known, {"constant": constant})
    assert evidence.odds > 1e6
    assert evidence.odds_against < 2
    against = weigh_against(actual, constant, {"known": known})
    assert against.odds < 2
    assert against.odds_against == evidence.odds


def test_the_largest_difference_between_two_points_is_their_distance() -> None:
    ours, other = point(100.0), point(103.0)
    assert largest_differences(ours, other) == pytest.approx([3.0])
    # The CRPS of a point is the distance to it: at 101 it is 1 beside 2, a third of the most that was possible.
    for price, gain in ((90.0, 1.0), (100.0, 1.0), (101.0, 1 / 3), (101.5, 0.0), (103.0, -1.0), (200.0, -1.0)):
        assert gains(np.array([price]), ours, other) == pytest.approx([gain])


@given(ours=DISTRIBUTIONS, other=DISTRIBUTIONS, price=PRICES)
@settings(max_examples=200)
def test_no_price_makes_the_difference_larger_than_its_bound(ours: Values, other: Values, price: float) -> None:
    bound, actual = largest_differences(ours, other)[0], np.array([price])
    difference = float((crps(actual, other) - crps(actual, ours))[0])
    assert abs(difference) <= bound * (1 + 1e-9) + 1e-9
    assert -1 <= gains(actual, ours, other)[0] <= 1
    assert gains(actual, ours, other)[0] == -gains(actual, other, ours)[0]


@given(ours=DISTRIBUTIONS, other=DISTRIBUTIONS)
def test_the_bound_is_reached_at_one_of_the_quantiles(ours: Values, other: Values) -> None:
    kinks = np.concatenate([ours[0], other[0]])
    n = len(kinks)
    found = np.abs(crps(kinks, np.repeat(ours, n, axis=0)) - crps(kinks, np.repeat(other, n, axis=0)))
    assert found.max() == pytest.approx(largest_differences(ours, other)[0], rel=1e-9, abs=1e-9)


def test_nothing_is_bet_where_there_is_no_distribution_or_both_are_the_same() -> None:
    actual, ours = np.array([101.0, 101.0]), np.concatenate([point(100.0), no_distributions(1)])
    found = gains(actual, ours, np.concatenate([point(100.0), point(100.0)]))
    np.testing.assert_array_equal(found, [0.0, 0.0])
    assert bet(found).log_wealth == pytest.approx([0, 0])


def test_the_odds_are_the_smallest_for_it_the_mean_against_it_and_the_highest_ever() -> None:
    # Ours is sure of 100. It beats whoever is sure of 110 for six sessions, then it loses for six.
    actual = np.array([100.0] * 6 + [110.0] * 6)
    ours, same, other = (np.tile(point(price), (12, 1)) for price in (100.0, 100.0, 110.0))
    evidence = weigh_against(actual, ours, {"other": other})
    assert evidence.odds == pytest.approx(1.5**5)
    assert evidence.odds > math.exp(evidence.log_odds[-1])
    both = weigh_against(actual, ours, {"other": other, "same": same})
    assert both.odds == 1
    np.testing.assert_array_equal(both.log_odds, np.minimum(evidence.log_odds, 0))
    # The wealth against the one that is the same stays 1.
    np.testing.assert_allclose(np.exp(both.log_odds_against), (np.exp(evidence.log_odds_against) + 1) / 2)


def test_an_evaluation_without_distributions_gives_no_evidence() -> None:
    sessions = np.array(["2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    prices = np.array([100.0, 101.0])
    points = Evaluation(sessions=sessions, actual=prices, forecast=prices, naive={"newest_Close": prices})
    assert weigh(points) is None
    naive = {"constant_250": np.tile(point(100.0), (2, 1))}
    both = Evaluation(
        sessions=sessions,
        actual=prices,
        forecast=prices,
        naive={"newest_Close": prices},
        quantiles=np.tile(point(101.0), (2, 1)),
        naive_quantiles=naive,
    )
    found = weigh(both)
    assert found is not None
    # Nothing is at stake in the first session, which it loses; the loss makes it bet nothing in the second one.
    assert found.odds == 1
    assert list(found.better) == ["constant_250"]


@pytest.mark.parametrize(
    ("odds", "text"),
    [
        (46.9, "46 to 1"),
        (19.99, "19 to 1"),
        (2.19, "2.1 to 1"),
        (1.0, "1.0 to 1"),
        (0.125, "1 to 8.0"),
        (12_345.6, "12,345 to 1"),
        (2e6, "over a million to 1"),
        (1e-9, "1 to over a million"),
    ],
)
def test_odds_for_people_are_never_rounded_up(odds: float, text: str) -> None:
    assert odds_text(odds) == text
