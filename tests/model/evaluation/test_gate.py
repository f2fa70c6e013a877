"""The gate lets through what is proven, keeps its word, and is better than what is in Production; and says why."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model.evaluation.decision import Decision, DecisionWord, Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof
from model.evaluation.gate import Candidate, Champion, Gate, decide
from tests.model.evaluation.evidence.given import judged, of, off_by, proof, silent

GATE = Gate()
NAIVE = "(Close, last 250 changes)"
PERIOD = "(600 sessions, 2017-10-16 to 2020-01-31)"
ENOUGH = f"PASS evidence of skill: over a million to 1 {PERIOD}; needed 20 to 1."
SKILL = f"INFO skill of the proof: +0.100: CRPS $0.556, naive $0.618 {NAIVE}."
RECENT = f"PASS newest 250 sessions: CRPS 0.9000 times naive {NAIVE}; needed at most 1."
OWN = "PASS CRPS in the test period: 1.0000 times that of its proof (21 sessions); needed at most 1.05."
POINT = "PASS RMSE of the median: 0.9000 times that of the newest Close ($0.900, 600 sessions); needed at most 1.01."
HELD = "covers 100.0 % (250 of 250), up to 100.0 % allowing for chance"
HELD_80 = f"PASS 80 % interval: {HELD}; needed at least 75 %."
HELD_95 = f"PASS 95 % interval: {HELD}; needed at least 90 %."
ALONE = "INFO version in Production: none to compare with."


def candidate(scale: float = 0.9, *, test: Evaluation | None = None, of_proof: Proof | None = None) -> Candidate:
    """A version whose CRPS and RMSE are so much of the naive forecast's, in its test period and in its proof."""
    return Candidate(test=test or judged(scale, 21), proof=of_proof or proof(scale))


def champion(
    scale: float = 0.95, *, sessions: int = 600, age: int = 0, proven: bool = True, same: bool = False
) -> Champion:
    """Version 7, likewise."""
    return Champion(version=7, age=age, proof=proof(scale, sessions), proven=proven, same=same)


def test_a_proven_version_passes_where_nothing_is_in_production() -> None:
    decision = decide(candidate(), None, GATE)
    assert decision.reasons == (ENOUGH, RECENT, OWN, POINT, HELD_80, HELD_95, SKILL, ALONE)
    assert decision.failures == ()
    assert (decision.passed, decision.promoted, decision.word) == (True, True, DecisionWord.PROMOTED)
    assert decision.verdict == Verdict.PROVEN
    assert decision.evidence == proof(0.9).odds


def test_what_is_worse_than_naive_is_refused_with_every_reason() -> None:
    decision = decide(candidate(1.5), None, GATE)
    assert (decision.passed, decision.word, decision.verdict) == (False, "refused", "no skill")
    assert decision.evidence == 1.0
    assert decision.failures == (
        f"FAIL evidence of skill: 1.0 to 1 {PERIOD}; needed 20 to 1.",
        f"FAIL newest 250 sessions: CRPS 1.5000 times naive {NAIVE}; needed at most 1.",
        "FAIL RMSE of the median: 1.5000 times that of the newest Close ($1.500, 600 sessions); needed at most 1.01.",
    )
    assert decision.reasons[-3:] == (
        "INFO evidence of no skill: over a million to 1.",
        f"INFO skill of the proof: -0.500: CRPS $0.927, naive $0.618 {NAIVE}.",
        ALONE,
    )


def test_what_equals_naive_is_refused_for_want_of_evidence() -> None:
    decision = decide(candidate(1.0), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "undecided")
    assert decision.failures == (f"FAIL evidence of skill: 1.0 to 1 {PERIOD}; needed 20 to 1.",)
    assert f"INFO skill of the proof: +0.000: CRPS $0.618, naive $0.618 {NAIVE}." in decision.reasons


def test_a_good_month_is_no_evidence() -> None:
    decision = decide(candidate(0.5, of_proof=proof(of(0.5, 21))), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "undecided")
    assert decision.failures == (f"FAIL evidence of skill: 18 to 1 {PERIOD}; needed 20 to 1.",)
    assert decide(candidate(0.5, of_proof=proof(of(0.5, 22))), None, GATE).passed


def test_the_kth_configuration_that_was_tried_needs_k_times_as_much() -> None:
    wins = of(0.9, 22)  # 21 to 1
    assert decide(candidate(of_proof=proof(wins)), None, GATE).passed
    second = decide(candidate(of_proof=proof(wins, tried=2)), None, GATE)
    assert second.failures == (f"FAIL evidence of skill: 21 to 1 {PERIOD}; needed 40 to 1 (configuration 2).",)
    assert decide(candidate(of_proof=proof(wins, tried=2)), None, Gate(min_evidence=10)).passed


def test_with_too_few_sessions_nothing_is_decided() -> None:
    decision = decide(candidate(of_proof=proof(0.9, 499)), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "undecided")
    assert decision.failures == ("FAIL sessions of proof: 499 (2018-03-06 to 2020-01-31); needed at least 500.",)
    assert decide(candidate(of_proof=proof(0.9, 499)), None, Gate(min_sessions=499)).passed


def test_where_prices_are_too_few_for_any_proof_the_version_is_refused() -> None:
    decision = decide(Candidate(test=judged(0.9, 21), proof=None), None, GATE)
    assert (decision.word, decision.verdict, decision.evidence) == ("refused", "undecided", 1.0)
    assert decision.failures == (
        "FAIL evidence of skill: none: the prices are too few for any session of a proof; needed 20 to 1.",
    )
    # What can be judged on the test period alone is.
    assert decision.reasons[1] == POINT.replace("600", "21")
    assert decision.reasons[2:] == (HELD_80.replace("250", "21"), HELD_95.replace("250", "21"), ALONE)


def test_on_the_newest_sessions_it_may_not_be_worse_than_naive() -> None:
    scales = np.full(600, 0.9)
    scales[-250:] = of(1.1, 10, 250)
    decision = decide(candidate(of_proof=proof(scales)), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "undecided")
    assert decision.failures == (f"FAIL newest 250 sessions: CRPS 1.0040 times naive {NAIVE}; needed at most 1.",)
    assert decide(candidate(of_proof=proof(scales)), None, Gate(recent_sessions=600)).passed


def test_the_network_may_not_cost_more_than_it_brings() -> None:
    decision = decide(candidate(of_proof=proof(0.9, alone=0.89)), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "undecided")
    assert decision.failures == (
        "FAIL CRPS beside scale alone: 1.0112 times that of the market's scale without the network; "
        "needed at most 1.003.",
    )
    assert decide(candidate(of_proof=proof(0.9, alone=0.89)), None, Gate(max_scale_ratio=1.012)).passed
    assert decide(candidate(of_proof=proof(0.9, alone=0.9)), None, GATE).passed


def test_a_fit_that_went_wrong_is_refused_though_its_configuration_is_proven() -> None:
    decision = decide(candidate(test=judged(0.96, 21)), None, GATE)
    assert (decision.word, decision.verdict) == ("refused", "proven")
    assert decision.failures == (
        "FAIL CRPS in the test period: 1.0667 times that of its proof (21 sessions); needed at most 1.05.",
    )
    assert decide(candidate(test=judged(0.96, 21)), None, Gate(max_own_ratio=1.07)).passed
    assert decide(candidate(test=judged(0.94, 21)), None, GATE).passed


def test_the_point_forecast_is_judged_over_the_proof_and_the_test_period() -> None:
    # 579 errors of a dollar in the proof, and 21 of two in the test period: RMSE is the root of 663 / 600.
    apart = replace(judged(0.9), forecast=judged(1.0).forecast)
    decision = decide(
        Candidate(test=replace(judged(0.9, 21), forecast=judged(2.0, 21).forecast), proof=Proof(judged=apart)),
        None,
        GATE,
    )
    assert (decision.word, decision.verdict) == ("refused", "proven")
    assert decision.failures == (
        "FAIL RMSE of the median: 1.0512 times that of the newest Close ($1.051, 600 sessions); needed at most 1.01.",
    )
    as_good = decide(
        Candidate(test=replace(judged(0.9, 21), forecast=judged(1.0, 21).forecast), proof=Proof(judged=apart)),
        None,
        GATE,
    )
    assert as_good.passed


def test_the_naive_forecast_with_the_smallest_error_counts() -> None:
    prices = judged(0.9).actual
    kinds = {"newest_Open": prices + 0.5, "newest_Close": prices + 1.0}
    short = {name: values[-21:] for name, values in kinds.items()}
    decision = decide(
        Candidate(test=replace(judged(0.9, 21), naive=short), proof=Proof(judged=replace(judged(0.9), naive=kinds))),
        None,
        GATE,
    )
    assert decision.failures == (
        "FAIL RMSE of the median: 1.8000 times that of the newest Open ($0.900, 600 sessions); needed at most 1.01.",
    )


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_a_forecast_that_is_no_number_is_refused(error: float) -> None:
    test = judged(0.9, 21)
    test.forecast[3] = error
    assert decide(candidate(test=test), None, GATE).failures == (
        "FAIL RMSE of the median: no numbers to compare: - beside $1.00 of the newest Close; needed at most 1.01.",
    )


def test_a_naive_forecast_without_any_error_can_be_equalled_but_not_beaten() -> None:
    def exact(error: float) -> Candidate:
        def known(sessions: int) -> Evaluation:
            found = judged(0.9, sessions)
            return replace(found, forecast=found.actual + error, naive={"newest_Close": found.actual})

        return Candidate(test=known(21), proof=Proof(judged=known(600)))

    assert decide(exact(0.0), None, GATE).passed
    assert decide(exact(0.01), None, GATE).failures == (
        "FAIL RMSE of the median: inf times that of the newest Close ($0.010, 600 sessions); needed at most 1.01.",
    )


def holding(held: int, sessions: int) -> Evaluation:
    """Forecasts as good as before, of whose 80 % intervals so many hold the price, and of the 95 % ones all."""
    found = judged(0.9, sessions)
    missed = np.arange(sessions) >= held
    # The 80 % interval reaches 1.8 up and down, the 95 % one 2.7.
    middle = found.actual + np.where(missed, 2.5, 0.0)
    return replace(found, quantiles=off_by(0.9, middle) - 0.9 * np.where(np.arange(sessions) % 2, -1, 1)[:, np.newaxis])


LOOSE = Gate(max_own_ratio=100)


def test_intervals_that_hold_too_few_prices_are_refused_with_the_numbers() -> None:
    # Wilson's interval of 65 in 100 is 0.5525 to 0.7364: at least 6.4 points below 80 %.
    decision = decide(candidate(test=holding(65, 100)), None, LOOSE.model_copy(update={"recent_sessions": 100}))
    assert (decision.word, decision.verdict) == ("refused", "proven")
    assert decision.failures == (
        "FAIL 80 % interval: covers 65.0 % (65 of 100), up to 73.6 % allowing for chance; needed at least 75 %.",
    )
    wider = LOOSE.model_copy(update={"recent_sessions": 100, "max_coverage_gap": 0.07})
    assert decide(candidate(test=holding(65, 100)), None, wider).passed


def test_coverage_is_judged_on_its_own_forecasts_and_before_them_on_the_proofs() -> None:
    # 229 of the proof before the test period hold, and 14 of the version's own 21.
    decision = decide(candidate(test=holding(14, 21)), None, LOOSE)
    assert decision.passed
    assert decision.reasons[4] == (
        "PASS 80 % interval: covers 97.2 % (243 of 250), up to 98.6 % allowing for chance; needed at least 75 %."
    )
    # Its own test period alone is longer than what is asked for.
    alone = decide(candidate(test=holding(14, 21)), None, LOOSE.model_copy(update={"recent_sessions": 10}))
    assert "covers 66.7 % (14 of 21), up to 82.8 % allowing for chance" in alone.reasons[4]


def test_intervals_of_the_proof_that_hold_too_little_are_refused() -> None:
    poor = Proof(judged=holding(400, 600))  # 50 of its newest 229 before the test period hold
    decision = decide(Candidate(test=judged(0.9, 21), proof=poor), None, LOOSE)
    assert any("80 % interval: covers 28.4 % (71 of 250), " in reason for reason in decision.failures)


def test_a_miss_by_less_than_half_a_cent_is_none() -> None:
    few = LOOSE.model_copy(update={"recent_sessions": 21})
    exact = judged(0.9, 21)
    for miss, held in ((0.004, 21), (0.006, 0)):
        quantiles = off_by(0.9, exact.actual) + (1.8 + miss)
        quantiles -= 0.9 * np.where(np.arange(21) % 2, -1, 1)[:, np.newaxis]
        decision = decide(candidate(test=replace(exact, quantiles=quantiles)), None, few)
        (at_80,) = [check for check in decision.checks if check.name == "80 % interval"]
        assert f"({held} of 21)" in at_80.measured


def test_what_failed_stands_first_among_the_reasons() -> None:
    decision = decide(candidate(0.9), champion(0.85), GATE)
    assert [check.result for check in decision.checks] == ["FAIL", *["PASS"] * 6, "INFO"]
    assert decision.reasons[0].startswith("FAIL version 7 in Production: ")


def test_a_version_without_distributions_is_refused_for_want_of_evidence_and_not_for_its_coverage() -> None:
    bare = Candidate(test=silent(judged(0.9, 21)), proof=Proof(judged=silent(judged(0.9))))
    decision = decide(bare, None, GATE)
    assert (decision.word, decision.verdict, decision.evidence) == ("refused", "undecided", 1.0)
    assert decision.failures == (
        f"FAIL evidence of skill: no distributions to compare {PERIOD}; needed 20 to 1.",
        "FAIL newest 250 sessions: no distributions to compare; needed at most 1.",
    )
    assert decision.reasons[2:] == (
        POINT,
        "INFO intervals: the forecasts have none, so their coverage is not judged.",
        ALONE,
    )


def test_a_proof_that_ends_before_the_test_period_is_used_all_the_same() -> None:
    early = replace(proof(1.5), judged=proof(1.5).judged.part(slice(0, 550)))
    decision = decide(Candidate(test=judged(1.5, 21), proof=early), None, GATE)
    assert decision.verdict == Verdict.NO_SKILL
    assert "RMSE of the median: 1.5000 times that of the newest Close ($1.500, 571 sessions)" in decision.reasons[2]
    assert not any("its proof" in reason for reason in decision.reasons)


def against(ours: Candidate, theirs: Champion, gate: Gate = GATE) -> tuple[bool, str]:
    """Whether a proven candidate is let through, and the sentence on the version in Production."""
    decision = decide(ours, theirs, gate)
    (sentence,) = on_production(decision)
    assert decision.failures in ((), (sentence,))
    assert sentence.startswith("PASS" if decision.passed else "FAIL")
    return decision.passed, sentence


def on_production(decision: Decision) -> list[str]:
    """The sentences on the version in Production."""
    return [reason for reason in decision.reasons if "version 7" in reason]


def test_a_version_in_production_is_replaced_by_a_better_one() -> None:
    assert against(candidate(0.9), champion(0.95)) == (
        True,
        "PASS version 7 in Production: 0.9474 times its CRPS (600 sessions); needed below 0.9975.",
    )


@pytest.mark.parametrize(("theirs", "shown"), [(0.9, "1.0000"), (0.902, "0.9978"), (0.85, "1.0588")])
def test_what_is_hardly_better_or_worse_is_refused(theirs: float, shown: str) -> None:
    assert against(candidate(0.9), champion(theirs, age=249)) == (
        False,
        f"FAIL version 7 in Production: {shown} times its CRPS (600 sessions); needed below 0.9975.",
    )


def test_the_limit_against_production_is_the_gates() -> None:
    assert against(candidate(0.9), champion(0.902), Gate(max_crps_ratio=0.998))[0]
    assert not against(candidate(0.9), champion(0.95), Gate(max_crps_ratio=0.94))[0]


@pytest.mark.parametrize(("ratio", "passes"), [(1.0, True), (1.0024, True), (1.0026, False)])
def test_an_old_version_is_replaced_by_an_equal_one(ratio: float, passes: bool) -> None:
    aged = champion(0.9, age=250)
    assert against(candidate(0.9 * ratio), aged) == (
        passes,
        f"{'PASS' if passes else 'FAIL'} version 7 in Production: {ratio:.4f} times its CRPS "
        "(600 sessions), 250 sessions older; needed below 1.0025.",
    )


@pytest.mark.parametrize(("age", "aged"), [(0, "0 sessions"), (1, "1 session"), (249, "249 sessions")])
def test_the_same_configuration_waits_until_the_version_is_old(age: int, aged: str) -> None:
    assert against(candidate(0.9), champion(0.9, age=age, same=True)) == (
        False,
        f"FAIL version 7 in Production: has the same configuration, {aged} older; needed 250 sessions older.",
    )


def test_the_same_configuration_with_a_further_horizon_need_not_wait() -> None:
    without = replace(champion(0.9, age=0, same=True), lacks=(5, 21))
    assert against(candidate(0.9), without) == (
        True,
        "PASS version 7 in Production: has the same configuration, and no forecast 5, 21 sessions ahead; "
        "needed no forecast less.",
    )
    newer = replace(champion(0.9, age=-1, same=True), lacks=(5, 21))
    assert not against(candidate(0.9), newer)[0]


def test_the_same_configuration_replaces_a_version_that_is_old() -> None:
    assert against(candidate(0.9), champion(0.9, age=250, same=True)) == (
        True,
        "PASS version 7 in Production: 1.0000 times its CRPS (600 sessions), 250 sessions older; needed below 1.0025.",
    )
    assert not against(candidate(0.9), champion(0.9, age=250, same=True), Gate(refresh_after=251))[0]


def test_a_newer_version_is_never_replaced_however_good_the_older_one_is() -> None:
    assert against(candidate(0.5), champion(0.95, age=-3)) == (
        False,
        "FAIL version 7 in Production: knows 3 more sessions than this one; needed none more: the newer one stays.",
    )


def test_with_too_few_common_sessions_nothing_is_replaced() -> None:
    few = Candidate(test=judged(0.9, 21), proof=proof(0.9))
    assert against(few, champion(0.95, sessions=249)) == (
        False,
        "FAIL version 7 in Production: 249 sessions of proof in common; needed at least 250.",
    )
    assert against(few, champion(0.95, sessions=250))[0]
    assert against(few, champion(0.95, sessions=249), Gate(common_sessions=249))[0]
    without = replace(champion(), proof=None)
    assert against(few, without) == (
        False,
        "FAIL version 7 in Production: 0 sessions of proof in common; needed at least 250.",
    )


def test_a_proven_version_replaces_one_that_was_forced_there_if_it_is_as_good() -> None:
    assert against(candidate(0.9), champion(0.9, proven=False)) == (
        True,
        "PASS version 7 in Production: 1.0000 times its CRPS (600 sessions), not proven; needed below 1.0025.",
    )
    assert not against(candidate(0.9), champion(0.89, proven=False))[0]


def test_without_a_proof_only_a_version_without_a_proof_is_replaced_and_only_by_a_clearly_better_one() -> None:
    # The candidate is as good as naive: it is not proven, but clearly better than what somebody forced there.
    better = candidate(1.0)
    decision = decide(better, champion(1.5, proven=False), GATE)
    assert (decision.passed, decision.word, decision.verdict) == (True, "promoted", "undecided")
    assert f"INFO evidence of skill: 1.0 to 1 {PERIOD}; needed 20 to 1." in decision.reasons
    assert (
        "INFO exception: no proof is needed, since it is clearly better than a version without one."
    ) in decision.reasons
    assert on_production(decision) == [
        "PASS version 7 in Production: 0.6667 times its CRPS (600 sessions); needed below 0.9975.",
        "PASS better than version 7: over a million to 1; needed 20 to 1.",
    ]
    # The version in Production was proven: not without a proof.
    assert not decide(better, champion(1.5), GATE).passed
    # Nor is one with no skill let through, however bad the other is.
    worse = decide(candidate(1.2), champion(3.0, proven=False), GATE)
    assert (worse.passed, worse.verdict) == (False, "no skill")


def test_a_proven_version_replaces_an_unproven_one_that_it_cannot_be_compared_with() -> None:
    # The proof of what was forced there ended long ago, since it has no skill.
    forced = champion(1.5, sessions=100, proven=False)
    assert against(candidate(0.9), forced) == (
        True,
        "PASS version 7 in Production: is not proven, this one is (100 sessions of proof in common); "
        "needed a proven version.",
    )
    assert not against(candidate(0.9), replace(forced, proven=True))[0]
    assert not decide(candidate(1.0), forced, GATE).passed


@pytest.mark.parametrize(("wins", "passes"), [(22, False), (26, False), (27, True)])  # 21, 39 and 45 to 1
def test_whoever_tried_a_second_configuration_needs_twice_as_much_against_a_forced_version(
    wins: int, passes: bool
) -> None:
    second = candidate(1.0, of_proof=proof(1.0, tried=2))
    decision = decide(second, replace(champion(proven=False), proof=proof(of(1.5, wins))), GATE)
    assert decision.passed == passes
    assert any(sentence.endswith("; needed 40 to 1.") for sentence in on_production(decision))


@pytest.mark.parametrize(("wins", "passes", "odds"), [(21, False, "18"), (22, True, "21")])
def test_between_two_versions_without_a_proof_chance_has_to_be_excluded(wins: int, passes: bool, odds: str) -> None:
    # On so many sessions the candidate is as good as naive, and the other is worse; on all else they are equal.
    decision = decide(candidate(1.0), replace(champion(proven=False), proof=proof(of(1.5, wins))), GATE)
    assert decision.passed == passes
    assert set(on_production(decision)) == {
        f"PASS version 7 in Production: {600 / (600 + wins / 2):.4f} times its CRPS (600 sessions); "
        "needed below 0.9975.",
        f"{'PASS' if passes else 'FAIL'} better than version 7: {odds} to 1; needed 20 to 1.",
    }


@pytest.mark.parametrize(("scale", "word", "would"), [(0.9, "watched", "promoted"), (1.5, "refused", "refused")])
def test_dry_run_says_so_and_promotes_nothing(scale: float, word: str, would: str) -> None:
    decision = decide(candidate(scale), None, Gate(mode="dry_run"))
    assert (decision.passed, decision.promoted, decision.word) == (scale < 1, False, word)
    assert decision.reasons[-1] == f"Mode dry_run: the version would be {would}, but it stays where it is."
    assert decision.reasons[:-1] == decide(candidate(scale), None, GATE).reasons


@pytest.mark.parametrize(("scale", "advice"), [(0.9, "to approve"), (1.5, "to reject")])
def test_in_the_mode_manual_every_version_waits_for_a_person_and_the_gate_advises(scale: float, advice: str) -> None:
    decision = decide(candidate(scale), None, Gate(mode="manual"))
    assert (decision.passed, decision.promoted, decision.word) == (scale < 1, False, "waiting")
    assert decision.reasons[-1] == f"A person decides (mode manual): the gate advises {advice} it."
    assert decision.reasons[:-1] == decide(candidate(scale), None, GATE).reasons


SCALES = st.floats(0.5, 2.0)


@settings(max_examples=20)
@given(ours=SCALES, own=SCALES, theirs=st.none() | SCALES, age=st.integers(-2, 300), proven=st.booleans())
def test_whatever_passes_is_proven_or_clearly_better_than_what_is_not(
    ours: float, own: float, theirs: float | None, age: int, proven: bool
) -> None:
    beside = None if theirs is None else champion(theirs, sessions=300, age=age, proven=proven)
    decision = decide(
        Candidate(test=judged(own, 21), proof=proof(ours, 510)),
        beside,
        GATE,
    )
    assert decision.passed == (not decision.failures)
    assert set(decision.failures) <= set(decision.reasons)
    if decision.passed and beside is None:
        assert decision.verdict == Verdict.PROVEN
    if decision.passed and theirs is not None:
        assert age >= 0
        assert ours / theirs < 1.0025
        assert decision.verdict == Verdict.PROVEN or not proven
    if decision.verdict == Verdict.PROVEN:
        assert ours < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "ask"},
        {"min_evidence": 0.5},
        {"min_evidence": math.inf},
        {"min_sessions": 0},
        {"recent_sessions": 0},
        {"refresh_after": 0},
        {"common_sessions": 0},
        {"max_coverage_gap": -0.01},
        {"max_coverage_gap": 1.01},
        {"max_crps_ratio": 0},
        {"max_scale_ratio": math.nan},
        {"max_rmse_ratio": math.inf},
        {"max_own_ratio": -1},
        {"min_skill": 0},
        {"min_evidense": 20},
    ],
)
def test_a_gate_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(wrong)


def test_a_decision_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        decide(candidate(), None, GATE).passed = False  # type: ignore[misc]
