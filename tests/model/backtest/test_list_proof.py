"""The proof over a list: what no security proves alone, all of them may; and nothing is counted twice."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.backtest.further_proof import further_proof
from model.backtest.list_proof import ListProof
from model.evaluation.decision import Verdict
from model.evaluation.evidence.proof import Needed, Proof, Weighed
from model.market.prices import Values
from tests.distributions import NAIVE, around, proof
from tests.market import make_prices, weekdays

N = 600
NEEDED = Needed(evidence=20.0, sessions=500, recent=250, of_scale=1.003)


def moves(seed: int, n: int = N) -> Values:
    return np.random.default_rng(seed).normal(0, 1, n)


def knowing_a_tenth(seed: int) -> Proof:
    """The centre knows a tenth of a deviation of each move; that is too little for one security."""
    signal = 0.1 * np.random.default_rng(1000 + seed).choice([-1.0, 1.0], N)
    found, last = proof(moves(seed) + signal), np.full(N, 100.0)
    naive = {NAIVE: around(last, 1.28, 1.96)}
    return replace(
        found, judged=replace(found.judged, quantiles=around(last + signal, 1.28, 1.96), naive_quantiles=naive)
    )


def without(found: Proof, *rows: int) -> Proof:
    """The proof of a security that did not trade on some of its sessions."""
    return replace(found, judged=found.judged.part(~np.isin(np.arange(found.sessions), rows)))


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_same_security_several_times_proves_exactly_what_it_proves_alone(horizon: int) -> None:
    one = proof(moves(3), naive=1.25, horizon=horizon)
    found, alone = ListProof(proofs={f"S{number}": one for number in range(4)}).evidence, one.evidence
    assert found is not None
    assert alone is not None
    np.testing.assert_array_equal(found.log_odds, alone.log_odds)
    np.testing.assert_array_equal(found.log_odds_against, alone.log_odds_against)


def test_what_one_gains_and_the_other_loses_is_no_gain() -> None:
    """Known to the last digit: each session's mean is 0, so nothing is ever bet."""
    one = proof(moves(0))
    (other,) = one.judged.naive_quantiles.values()
    exchanged = replace(one.judged, quantiles=other, naive_quantiles={NAIVE: one.judged.quantiles})
    both = ListProof(proofs={"A": one, "B": replace(one, judged=exchanged)})
    assert one.odds > 20
    np.testing.assert_array_equal(both.gains[NAIVE], np.zeros(N))
    assert (both.odds, both.odds_against, both.verdict(NEEDED)) == (1.0, 1.0, Verdict.UNDECIDED)


def test_what_no_security_proves_alone_a_list_of_them_does_in_fewer_sessions() -> None:
    each = {f"S{seed}": knowing_a_tenth(seed) for seed in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11)}
    assert {one.verdict(NEEDED) for one in each.values()} == {Verdict.UNDECIDED}
    together = ListProof(proofs=each)
    assert together.verdict(NEEDED) == Verdict.PROVEN
    assert together.claim(NEEDED).startswith("proven on 600 sessions of 10 securities (evidence ")
    assert together.crps_skill == pytest.approx(np.mean([one.judged.crps_skill for one in each.values()]))
    five = ListProof(proofs=dict(list(each.items())[:5]))
    reached = {found: sessions_until_proven(found) for found in (*each.values(), five, together)}
    assert {reached.pop(one) for one in each.values()} == {N}
    assert max(reached.values()) < 400


def sessions_until_proven(found: Weighed) -> int:
    """After how many sessions the odds are 20 to 1; N where they never are."""
    assert found.evidence is not None
    reached = found.evidence.log_odds >= np.log(20)
    return int(reached.argmax()) + 1 if reached.any() else N


def test_each_list_that_was_tried_before_and_each_configuration_of_a_security_raises_what_is_needed() -> None:
    each = {f"S{seed}": knowing_a_tenth(seed) for seed in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11)}
    assert ListProof(proofs=each, number=10**9).verdict(NEEDED) == Verdict.UNDECIDED
    one = proof(moves(0))
    third = ListProof(proofs={"A": one, "B": replace(one, tried=3)}, number=2)
    assert third.needed_odds(NEEDED) == 60
    assert ListProof(proofs={"A": one, "B": one}, number=5).needed_odds(NEEDED) == 100


@pytest.mark.parametrize("horizon", [1, 5])
def test_random_walks_are_proven_no_more_often_than_one_list_in_twenty(horizon: int) -> None:
    """Ours and the naive one lie alike on both sides of a walk: neither is better, and scores of neighbours overlap."""
    reached, lists = 0, 100
    rng = np.random.default_rng(0)
    for _ in range(lists):
        common = rng.normal(0, 1, N + horizon)
        proofs = {}
        for ticker in "ABC":
            steps = (common + rng.normal(0, 0.5, N + horizon)) / np.sqrt(horizon)
            ahead = np.convolve(steps, np.ones(horizon), "valid")[:N]
            proofs[ticker] = proof(ahead, naive=1.0, horizon=horizon, centre=0.3)
        reached += ListProof(proofs=proofs).odds >= 20
    assert reached <= lists / 20


def test_widths_of_random_walks_are_not_proven_a_week_ahead() -> None:
    proofs = {f"S{seed}": further_proof(make_prices(600, seed), 300, "Close", 5, 300) for seed in range(2)}
    found = ListProof(proofs=proofs)
    assert found.sessions == 300
    assert found.verdict(NEEDED._replace(sessions=300)) != Verdict.PROVEN
    assert found.odds < 20


def test_worse_distributions_on_all_are_no_skill_on_the_list() -> None:
    worse = ListProof(proofs={f"S{seed}": proof(moves(seed), width=2.5, naive=1.0) for seed in range(3)})
    assert worse.verdict(NEEDED) == Verdict.NO_SKILL
    assert worse.claim(NEEDED).startswith("no skill on 600 sessions of 3 securities (evidence against it ")


def test_few_sessions_decide_nothing_and_a_bad_last_year_is_no_proof() -> None:
    few = ListProof(proofs={"A": proof(moves(0, 400)), "B": proof(moves(1, 400))})
    assert few.odds > 20
    assert few.verdict(NEEDED) == Verdict.UNDECIDED
    wild = [np.concatenate([moves(seed, 800), 6 * moves(seed + 9, 250)]) for seed in range(2)]
    late = ListProof(proofs={str(number): proof(each, naive=3.0) for number, each in enumerate(wild)})
    assert late.odds > 20
    assert late.recent(250) > 1
    assert late.verdict(NEEDED) != Verdict.PROVEN


@pytest.mark.parametrize("horizon", [1, 5])
def test_after_a_session_that_a_security_lacks_it_has_no_score_until_it_is_in_step(horizon: int) -> None:
    whole, other = proof(moves(0), horizon=horizon), proof(moves(1), horizon=horizon)
    scores, own, mean = (
        ListProof(proofs={"A": one, "B": two}).gains[NAIVE]
        for one, two in ((whole, without(other, 300)), (whole, whole), (whole, other))
    )
    waits = np.arange(300, 301 + horizon)
    np.testing.assert_array_equal(scores[waits], own[waits] / 2)
    others = np.setdiff1d(np.arange(N), waits)
    np.testing.assert_array_equal(scores[others], mean[others])


def test_one_security_alone_is_no_list_and_one_whose_proof_has_ended_gains_nothing() -> None:
    old, young = proof(moves(0)), without(proof(moves(1)), *range(200))
    both = ListProof(proofs={"A": old, "B": young})
    assert (both.first, both.last, both.sessions) == (young.first, old.last, 400)
    ended = ListProof(proofs={"A": old, "B": without(old, *range(400, N))})
    alone = ListProof(proofs={"A": old, "B": old}).gains[NAIVE]
    np.testing.assert_array_equal(ended.gains[NAIVE], np.where(np.arange(N) < 400, alone, alone / 2))


@settings(max_examples=20, deadline=None)
@given(
    row=st.integers(150, N - 1),
    horizon=st.sampled_from([1, 5]),
    lacking=st.sets(st.integers(1, N - 1), max_size=5),
    begins=st.integers(0, 500),
)
def test_nothing_that_comes_later_moves_what_was_known(row: int, horizon: int, lacking: set[int], begins: int) -> None:
    """Neither later prices nor a security that only begins later: every gain, stake and wealth before stays."""
    whole = {
        "A": proof(moves(0), horizon=horizon),
        "B": without(proof(moves(1), horizon=horizon), *lacking),
        "C": without(proof(moves(2), naive=1.2, horizon=horizon), *range(begins)),
    }
    day = weekdays(N)[row]
    cut = {
        ticker: replace(one, judged=one.judged.part(one.judged.sessions < day))
        for ticker, one in whole.items()
        if one.judged.sessions[0] < day
    }
    now, then = ListProof(proofs=whole), ListProof(proofs=cut)
    np.testing.assert_array_equal(now.days[: then.sessions], then.days)
    assert now.evidence is not None
    assert then.evidence is not None
    for side in ("better", "worse"):
        later, before = getattr(now.evidence, side)[NAIVE], getattr(then.evidence, side)[NAIVE]
        for name in ("gains", "stakes", "log_wealth"):
            np.testing.assert_array_equal(getattr(later, name)[: then.sessions], getattr(before, name))


def test_proofs_of_two_horizons_or_of_one_security_are_no_list() -> None:
    with pytest.raises(ValueError, match="no proof over a list"):
        ListProof(proofs={"A": proof(moves(0)), "B": proof(moves(1), horizon=5)})
    with pytest.raises(ValueError, match="no proof over a list"):
        ListProof(proofs={"A": proof(moves(0))})
