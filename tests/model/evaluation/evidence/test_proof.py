"""A proof says in one of three words what is known, with what was needed for it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.decision import Verdict
from model.evaluation.evidence.proof import Needed, Proof, compare
from model.evaluation.gate import Gate
from tests.model.evaluation.evidence.given import FACTOR, judged, of, off_by, proof, silent

NEEDED = Gate().needed
NAIVE = "(Close, last 250 changes)"


def test_what_is_needed_by_default() -> None:
    assert Needed(evidence=20, sessions=500, recent=250, of_scale=1.003) == NEEDED


@pytest.mark.parametrize(("wins", "verdict"), [(21, Verdict.UNDECIDED), (22, Verdict.PROVEN)])
def test_skill_is_proven_at_twenty_to_one(wins: int, verdict: Verdict) -> None:
    found = proof(of(0.9, wins))
    # 21 factors come to 21.9, and 20 of them to 18.9.
    assert found.odds == pytest.approx(FACTOR ** (wins - 1), rel=1e-4)
    assert found.odds_against == 1
    assert found.verdict(NEEDED) == verdict


def test_odds_that_were_reached_stay_reached() -> None:
    scales = of(0.9, 22, newest=300)
    scales[-300:-280] = 1.1
    found = proof(scales)
    assert found.odds == pytest.approx(FACTOR**21, rel=1e-4)
    assert found.evidence is not None
    assert found.evidence.log_odds[-1] < math.log(20)
    assert found.verdict(NEEDED) == Verdict.PROVEN


@pytest.mark.parametrize(("losses", "verdict"), [(21, Verdict.UNDECIDED), (40, Verdict.NO_SKILL)])
def test_no_skill_is_proven_the_other_way_round(losses: int, verdict: Verdict) -> None:
    found = proof(of(1.5, losses))
    assert found.odds == 1
    assert (found.odds_against >= 20) == (verdict == Verdict.NO_SKILL)
    assert found.verdict(NEEDED) == verdict


def test_the_kth_configuration_needs_k_times_as_much() -> None:
    wins = of(0.9, 28)  # 27 factors come to 52.9
    assert [proof(wins, tried=k).verdict(NEEDED) for k in (1, 2, 3)] == ["proven", "proven", "undecided"]
    assert [proof(wins, tried=k).needed_odds(NEEDED) for k in (1, 2, 3)] == [20, 40, 60]
    enough, _ = proof(wins, tried=3).conditions(NEEDED)
    assert not enough.holds
    assert str(enough) == (
        "FAIL evidence of skill: 52 to 1 (600 sessions, 2017-10-16 to 2020-01-31); needed 60 to 1 (configuration 3)."
    )
    (skill,) = proof(wins, tried=3).figures(NEEDED)
    assert str(skill) == f"INFO skill of the proof: +0.005: CRPS $0.615, naive $0.618 {NAIVE}."


def test_how_many_were_tried_changes_nothing_about_no_skill() -> None:
    assert proof(2.0, tried=1000).verdict(NEEDED) == Verdict.NO_SKILL


def test_below_the_fewest_sessions_nothing_is_decided() -> None:
    for scale in (0.5, 2.0):
        assert proof(scale, 499).verdict(NEEDED) == Verdict.UNDECIDED
    assert proof(0.5, 500).verdict(NEEDED) == Verdict.PROVEN
    enough, recent = proof(0.5, 499).conditions(NEEDED)
    assert (enough.holds, recent.holds) == (False, True)
    assert str(enough) == "FAIL sessions of proof: 499 (2018-03-06 to 2020-01-31); needed at least 500."
    assert [check.measured for check in proof(0.5, 499).figures(NEEDED)] == [
        f"+0.500: CRPS $0.309, naive $0.618 {NAIVE}"
    ]


@pytest.mark.parametrize(
    ("recent", "holds", "ratio"), [(1.0, True, "1.0000"), (1.1, False, "1.0040"), (0.9, True, "0.9960")]
)
def test_the_newest_sessions_may_not_be_worse_than_naive(recent: float, holds: bool, ratio: str) -> None:
    scales = np.full(600, 0.5)
    scales[-250:] = of(recent, 10, 250)
    found = proof(scales)
    condition = found.conditions(NEEDED)[1]
    assert condition.holds == holds
    assert (condition.name, condition.needed) == ("newest 250 sessions", "at most 1")
    assert condition.measured == f"CRPS {ratio} times naive {NAIVE}"
    # The evidence alone is a proof of skill on all sessions, and not of skill today.
    assert found.odds > 1e6
    assert found.verdict(NEEDED) == (Verdict.PROVEN if holds else Verdict.UNDECIDED)


@pytest.mark.parametrize(("alone", "holds"), [(0.9, True), (0.9 / 1.003, True), (0.9 / 1.0031, False), (0.8, False)])
def test_the_network_may_cost_next_to_nothing_beside_the_scale_alone(alone: float, holds: bool) -> None:
    found = proof(0.9, alone=alone)
    assert found.of_scale_alone == pytest.approx(0.9 / alone)
    condition = found.conditions(NEEDED._replace(of_scale=1.003 + 1e-9))[2]
    assert condition.holds == holds
    assert (condition.name, condition.needed) == ("CRPS beside scale alone", "at most 1.003")
    assert condition.measured == f"{0.9 / alone:.4f} times that of the market's scale without the network"
    assert found.verdict(NEEDED._replace(of_scale=1.003 + 1e-9)) == (Verdict.PROVEN if holds else Verdict.UNDECIDED)


def test_a_configuration_without_a_scale_is_not_compared_with_one() -> None:
    assert math.isnan(proof(0.9).of_scale_alone)
    assert len(proof(0.9).conditions(NEEDED)) == 2


def test_without_distributions_nothing_is_known() -> None:
    found = Proof(judged=silent(judged(0.9)))
    assert (found.evidence, found.odds, found.odds_against) == (None, 1.0, 1.0)
    assert found.verdict(NEEDED) == Verdict.UNDECIDED
    assert [condition.holds for condition in found.conditions(NEEDED)] == [False, False]
    assert list(map(str, found.conditions(NEEDED))) == [
        "FAIL evidence of skill: no distributions to compare (600 sessions, 2017-10-16 to 2020-01-31); needed 20 to 1.",
        "FAIL newest 250 sessions: no distributions to compare; needed at most 1.",
    ]
    assert found.figures(NEEDED) == ()


def test_without_naive_distributions_nothing_is_known() -> None:
    found = Proof(judged=replace(judged(0.9), naive_quantiles={}))
    assert found.verdict(NEEDED) == Verdict.UNDECIDED
    assert [condition.holds for condition in found.conditions(NEEDED)] == [False, False]


def test_worse_than_naive_is_told_with_its_evidence() -> None:
    enough, recent = proof(of(1.5, 40)).conditions(NEEDED)
    against = proof(of(1.5, 40)).odds_against
    assert 20 <= against < FACTOR**39
    assert str(enough) == ("FAIL evidence of skill: 1.0 to 1 (600 sessions, 2017-10-16 to 2020-01-31); needed 20 to 1.")
    assert list(map(str, proof(of(1.5, 40)).figures(NEEDED))) == [
        f"INFO evidence of no skill: {math.floor(against)} to 1.",
        f"INFO skill of the proof: -0.033: CRPS $0.639, naive $0.618 {NAIVE}.",
    ]
    assert not recent.holds


def test_the_claim_is_worded_by_what_is_known() -> None:
    assert proof(of(0.9, 22)).claim(NEEDED) == "proven on 600 sessions (evidence 21 to 1)"
    assert proof(0.9).claim(NEEDED) == "proven on 600 sessions (evidence over a million to 1)"
    undecided = "not distinguishable from chance on 600 sessions (evidence 2.7 to 1, needed 40 to 1)"
    assert proof(of(0.9, 8), tried=2).claim(NEEDED) == undecided  # 7 factors come to 2.799
    assert proof(2.0, 1200).claim(NEEDED) == "no skill on 1,200 sessions (evidence against it over a million to 1)"


def test_two_proofs_are_compared_on_the_sessions_of_both() -> None:
    found = compare(proof(0.9, 600), proof(1.2, 400))
    assert found.sessions == 400
    assert found.ratio == pytest.approx(0.75)
    assert found.odds == pytest.approx(FACTOR**399, rel=1e-2)
    back = compare(proof(1.2, 400), proof(0.9, 600))
    assert (back.sessions, back.odds) == (400, 1)
    assert back.ratio == pytest.approx(4 / 3)


def test_a_configuration_beside_itself_is_exactly_as_good() -> None:
    assert compare(proof(0.9), proof(0.9)) == (600, 1.0, 1.0)


def test_sessions_of_other_prices_are_not_common() -> None:
    elsewhere = judged(0.9)
    elsewhere.actual[-100:] += 1.0
    assert compare(Proof(judged=elsewhere), proof(0.9)).sessions == 500
    nothing = compare(Proof(judged=judged(0.9, level=100.0)), proof(0.9))
    assert (nothing.sessions, nothing.odds) == (0, 1.0)
    assert math.isnan(nothing.ratio)


def test_sessions_without_a_distribution_are_not_common() -> None:
    holes = judged(1.2).quantiles.copy()
    holes[:50] = np.nan
    found = compare(proof(0.9), Proof(judged=replace(judged(1.2), quantiles=holes)))
    assert found.sessions == 550
    assert found.ratio == pytest.approx(0.75)
    assert compare(proof(0.9), Proof(judged=silent(judged(0.9)))).sessions == 0


def test_a_distribution_that_is_exactly_right_is_not_equalled() -> None:
    prices = judged(0.9).actual
    exact = Proof(judged=replace(judged(0.9), quantiles=off_by(0.0, prices)))
    assert compare(proof(0.9), exact).ratio == math.inf
    assert compare(exact, proof(0.9)).ratio == 0
