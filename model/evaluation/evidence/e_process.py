"""Evidence that may be looked at every day: an e-process on the difference of two forecasters' CRPS.

Imagine somebody who bets, before each session, that ours will have the smaller CRPS, and whose wealth begins at 1. If
ours is no better, the bets are fair at best, and by Ville's inequality the wealth ever reaches 20 with a chance of at
most 1 in 20, however often and however long one looks. So the wealth is the evidence: "46 to 1".

For each session x = (CRPS of the other - CRPS of ours) / b, where b is the largest size that this difference can have
for any price, known before the price is. The wealth multiplies by 1 + bet * x; each bet comes from the sessions before,
by online Newton steps. After Choe and Ramdas, Comparing Sequential Forecasters (Operations Research 2023), Henzi
and Ziegel, Valid sequential inference on probability forecast performance (Biometrika 2022), and Cutkosky and Orabona
(COLT 2018) for the steps.

Forecasts of h sessions ahead overlap: when a bet is settled, those on the h - 1 sessions after it are open already. So
there are h bettors, each of whom bets on every h-th session alone, and the wealth is the mean of theirs (after Arnold,
Henzi and Ziegel, Sequentially valid tests for forecast calibration, Annals of Applied Statistics 2023). Whoever looks
every day sees how an open bet stands, and could stop just before a loss. Hence the stake of an open bet counts as lost
until it is settled: what is left is at most what the wealth is worth then, so Ville's inequality holds every day.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation import distribution
from model.evaluation.distribution import CRPS_WEIGHTS
from model.evaluation.evaluation import Evaluation
from model.market.prices import Values

# With at most half of the wealth at stake no single session can ruin it: a factor is at least 1/2 and at most 3/2.
LARGEST_BET = 0.5
_STEP = 2 / (2 - math.log(3))


# Odds beyond it are shown as "over a million to 1".
_MOST_SHOWN = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bets:
    """Bets that ours is better, one a session.

    gains:      (n,) x, from -1 to 1; 0 where one of the two has no distribution
    stakes:     (n,) the share of the bettor's wealth that was at stake, chosen before the session
    log_wealth: (n,) the natural logarithm of the wealth after each session: the bettors' mean, without open stakes
    """

    gains: Values
    stakes: Values
    log_wealth: Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """The evidence that one forecaster is better than each of some others, and that it is worse, session by session.

    better, worse: name of the other -> the bets; neither is empty
    """

    better: Mapping[str, Bets]
    worse: Mapping[str, Bets]

    @property
    def log_odds(self) -> Values:
        """(n,) that ours is better than all of them: the smallest wealth, as a natural logarithm."""
        return np.asarray(np.min([bets.log_wealth for bets in self.better.values()], axis=0))

    @property
    def log_odds_against(self) -> Values:
        """(n,) that ours is worse than one of them: the mean of the wealths, as a natural logarithm."""
        every = np.array([bets.log_wealth for bets in self.worse.values()])
        largest = every.max(axis=0)
        return np.asarray(largest + np.log(np.exp(every - largest).mean(axis=0)))

    @property
    def odds(self) -> float:
        """The highest odds that were reached that ours is better: 46.0 is 46 to 1."""
        return _highest(self.log_odds)

    @property
    def odds_against(self) -> float:
        """The highest odds that were reached that ours is worse."""
        return _highest(self.log_odds_against)


def weigh(evaluation: Evaluation, horizon: int = 1) -> Evidence | None:
    """The evidence on an evaluation's distributions beside the naive ones; None where it has none of either.

    horizon: how many sessions ahead all of them were made
    """
    if not evaluation.intervals or not evaluation.naive_quantiles:
        return None
    return weigh_against(evaluation.actual, evaluation.quantiles, evaluation.naive_quantiles, horizon)


def weigh_against(actual: Values, ours: Values, others: Mapping[str, Values], horizon: int = 1) -> Evidence:
    """The evidence on distributions, each (n, len(PROBABILITIES)), beside some others by name."""
    found = {name: gains(actual, ours, other) for name, other in others.items()}
    return Evidence(
        better={name: bet(gain, horizon) for name, gain in found.items()},
        worse={name: bet(-gain, horizon) for name, gain in found.items()},
    )


def odds_text(odds: float) -> str:
    """Odds for people: "46 to 1", "1.3 to 1", "1 to 8"."""
    if odds > _MOST_SHOWN:
        return "over a million to 1"
    if odds < 1:
        return f"1 to {_short(1 / odds)}" if odds > 1 / _MOST_SHOWN else "1 to over a million"
    return f"{_short(odds)} to 1"


def largest_differences(ours: Values, other: Values) -> Values:
    """(n,) the largest size that the difference of the two CRPS can have, whatever the price; in dollars.

    ours, other: (n, len(PROBABILITIES)) quantiles. The CRPS is piecewise linear in the price with kinks at the
    quantiles, and the difference is constant beyond the outermost ones: it is largest at one of the kinks. Each
    quantile makes its CRPS steeper by twice its weight, so the difference at every kink follows from that below all of
    them by cumulative sums.
    """
    kinks, none = np.concatenate([ours, other], axis=1), np.zeros_like(CRPS_WEIGHTS)
    order = np.argsort(kinks, axis=1, kind="stable")
    # Each by itself, so that the two exchanged give the same to the last digit.
    steeper = (np.concatenate(both)[order] for both in ((CRPS_WEIGHTS, none), (none, CRPS_WEIGHTS)))
    first, second = (2 * np.cumsum(each, axis=1)[:, :-1] for each in steeper)
    rises = np.cumsum((first - second) * np.diff(np.take_along_axis(kinks, order, axis=1), axis=1), axis=1)
    below = (2 * CRPS_WEIGHTS * (1 - np.array(PROBABILITIES)) * (ours - other)).sum(axis=1)
    return np.asarray(np.maximum(np.abs(below), np.abs(below[:, np.newaxis] + rises).max(axis=1)))


def gains(actual: Values, ours: Values, other: Values) -> Values:
    """(n,) how much better ours was at each session, as a share of the most that was possible."""
    difference = distribution.crps(actual, other) - distribution.crps(actual, ours)
    most = largest_differences(ours, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(most > 0, difference / most, 0.0)
    return np.asarray(np.clip(np.nan_to_num(share, nan=0.0), -1.0, 1.0))


def bet(found: Values, horizon: int = 1) -> Bets:
    """Bet on gains, (n,), in their order.

    horizon: how many sessions ahead the forecasts were made; there are as many bettors. ValueError below 1
    """
    if horizon < 1:
        raise ValueError(f"a forecast of {horizon} sessions ahead")
    rows, stakes = np.arange(len(found)), np.empty(len(found))
    secured = np.empty((horizon, len(found)))
    for bettor in range(horizon):
        staked, wealth = _alone(found[bettor::horizon])
        stakes[bettor::horizon] = staked[:-1]
        settled = (rows - bettor) // horizon + 1
        # A bet that was made at the close of this very session is not open yet: nothing is known of how it stands.
        at_stake = np.where((rows - bettor) % horizon == 0, 0.0, staked[settled])
        secured[bettor] = wealth[settled] + np.log1p(-at_stake)
    largest = secured.max(axis=0)
    return Bets(gains=found, stakes=stakes, log_wealth=largest + np.log(np.exp(secured - largest).mean(axis=0)))


def _alone(found: Values) -> tuple[Values, Values]:
    """One bettor: the stakes on n gains and on the one after, and the log wealth before and after each, (n + 1,)."""
    stakes, wealth = np.zeros(len(found) + 1), np.zeros(len(found) + 1)
    stake, curvature, log_wealth = 0.0, 1.0, 0.0
    for row, gain in enumerate(found.tolist()):
        log_wealth += math.log1p(stake * gain)
        slope = gain / (1 + stake * gain)
        curvature += slope * slope
        stake = min(max(stake + _STEP * slope / curvature, 0.0), LARGEST_BET)
        stakes[row + 1], wealth[row + 1] = stake, log_wealth
    return stakes, wealth


def _highest(log_odds: Values) -> float:
    """The highest odds, from 1, where they begin, to the largest float, some 1e308."""
    return math.exp(min(max(0.0, float(log_odds.max(initial=0.0))), 700.0))


def _short(value: float) -> str:
    """Two digits below ten, whole numbers from there on; never rounded up to what was not reached."""
    return f"{math.floor(value):,}" if value >= 10 else f"{math.floor(10 * value) / 10:.1f}"
