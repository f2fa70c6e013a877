"""The proof over a list: what no security proves alone, all of them may; and nothing is counted twice."""

from dataclasses import replace

import numpy as np
import pytest

from model.backtest.list_proof import ListProof
from model.evaluation.decision import Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Needed, Proof
from model.market.prices import Values
from tests.distributions import around
from tests.market import weekdays

N = 600
NEEDED = Needed(evidence=20.0, sessions=500, recent=250, of_scale=1.003)


def proof(moves: Values, width: float = 1.0, naive: float = 1.6, horizon: int = 1) -> Proof:
    """Distributions of some width around the last price, beside naive ones that are wider than the moves."""
    last = np.full(len(moves), 100.0)
    made, other = (around(last, 1.28 * each, 1.96 * each) for each in (width, naive))
    judged = Evaluation(
        sessions=weekdays(len(moves)),
        actual=last + moves,
        forecast=last,
        naive={"newest_Close": last},
        quantiles=made,
        naive_quantiles={"constant_250": other},
    )
    return Proof(judged=judged, horizon=horizon)


def moves(seed: int, n: int = N) -> Values:
    return np.random.default_rng(seed).normal(0, 1, n)


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_list_of_one_has_the_evidence_of_its_proof(horizon: int) -> None:
    one = proof(moves(0), horizon=horizon)
    found, alone = ListProof(proofs={"A": one}).evidence, one.evidence
    assert found is not None
    assert alone is not None
    np.testing.assert_array_equal(found.log_odds, alone.log_odds)
    np.testing.assert_array_equal(found.log_odds_against, alone.log_odds_against)


def knowing_a_tenth(seed: int) -> Proof:
    """The centre knows a tenth of a deviation of each move; that is too little for one security."""
    signal = 0.1 * np.random.default_rng(1000 + seed).choice([-1.0, 1.0], N)
    found, last = proof(moves(seed) + signal), np.full(N, 100.0)
    naive = {"constant_250": around(last, 1.28, 1.96)}
    return replace(
        found, judged=replace(found.judged, quantiles=around(last + signal, 1.28, 1.96), naive_quantiles=naive)
    )


def test_what_no_security_proves_alone_a_list_of_them_does() -> None:
    each = {f"S{seed}": knowing_a_tenth(seed) for seed in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11)}
    assert {one.verdict(NEEDED) for one in each.values()} == {Verdict.UNDECIDED}
    together = ListProof(proofs=each)
    assert together.verdict(NEEDED) == Verdict.PROVEN
    assert together.claim(NEEDED).startswith("proven on 600 sessions of 10 securities (evidence ")
    assert ListProof(proofs=each, tried=10**9).verdict(NEEDED) == Verdict.UNDECIDED


def test_the_same_security_twelve_times_proves_no_more_than_once() -> None:
    one = proof(moves(3), naive=1.25)
    many = ListProof(proofs={f"S{number}": one for number in range(12)})
    assert many.odds == pytest.approx(one.odds, rel=1e-12)


def test_worse_distributions_on_all_are_no_skill_on_the_list() -> None:
    worse = ListProof(proofs={f"S{seed}": proof(moves(seed), width=2.5, naive=1.0) for seed in range(3)})
    assert worse.verdict(NEEDED) == Verdict.NO_SKILL
    assert worse.claim(NEEDED).startswith("no skill on 600 sessions of 3 securities (evidence against it ")


def test_few_sessions_decide_nothing_and_a_bad_last_year_is_no_proof() -> None:
    few = ListProof(proofs={"A": proof(moves(0, 400)), "B": proof(moves(1, 400))})
    assert few.odds > 20
    assert few.verdict(NEEDED) == Verdict.UNDECIDED
    wild = np.concatenate([moves(0, 800), 6 * moves(1, 250)])
    late = ListProof(proofs={"A": proof(wild, naive=3.0)})
    assert late.odds > 20
    assert late.recent(250) > 1
    assert late.verdict(NEEDED) != Verdict.PROVEN


def test_after_a_session_that_a_security_lacks_its_scores_wait_until_it_is_in_step() -> None:
    for horizon in (1, 5):
        whole, other = proof(moves(0), horizon=horizon), proof(moves(1), horizon=horizon)
        lacking = replace(other, judged=other.judged.part(np.arange(N) != 300))
        scores, alone, mean = (
            ListProof(proofs=proofs).scores["constant_250"]
            for proofs in ({"A": whole, "B": lacking}, {"A": whole}, {"A": whole, "B": other})
        )
        waits = np.arange(300, 301 + horizon)
        np.testing.assert_array_equal(scores[waits], alone[waits])
        others = np.setdiff1d(np.arange(N), waits)
        np.testing.assert_array_equal(scores[others], mean[others])


def test_proofs_of_two_horizons_are_no_list() -> None:
    with pytest.raises(ValueError, match="one horizon"):
        ListProof(proofs={"A": proof(moves(0)), "B": proof(moves(1), horizon=5)})
    with pytest.raises(ValueError, match="one horizon"):
        ListProof(proofs={})
