"""The gate lets through what beats the naive forecasts and the version in Production, and says why."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.gate import Gate, decide
from tests.distributions import around

ERRORS = st.floats(min_value=0, max_value=50)


def judged(
    error: float, *, close: float = 4.062, opened: float = 4.382, sessions: int = 21, level: float = 210.0
) -> Evaluation:
    """Forecasts that are wrong by so many dollars every day, and naive ones by others."""
    actual = level + np.arange(sessions, dtype=float)
    first = np.datetime64("2020-01-02")
    return Evaluation(
        sessions=np.busday_offset(first, np.arange(sessions)),
        actual=actual,
        forecast=actual + error,
        naive={"newest_Open": actual - opened, "newest_Close": actual + close},
    )


def test_the_tutorials_network_is_refused_and_told_by_how_much() -> None:
    decision = decide(judged(7.83), None, Gate())
    assert (decision.passed, decision.promoted) == (False, False)
    assert decision.reasons == (
        "Judged on 21 sessions from 2020-01-02 to 2020-01-30, needed at least 15.",
        "RMSE 7.83 $ on 21 sessions from 2020-01-02 to 2020-01-30 loses to the newest Close, 4.06 $: "
        "skill -0.93 is no skill, needed above 0.00.",
        "Nothing is in Production to compare with.",
        "The forecasts have no intervals: their coverage is not judged.",
    )
    assert decision.failures == decision.reasons[1:2]
    assert (decision.verdict, decision.skill) == ("refused", "none")


def test_a_version_better_than_naive_and_than_production_is_promoted() -> None:
    decision = decide(judged(3.0), judged(3.5), Gate())
    assert (decision.passed, decision.promoted, decision.failures) == (True, True, ())
    assert (decision.verdict, decision.skill) == ("promoted", "0.2614")
    assert decision.reasons[1].startswith("RMSE 3.00 $ on 21 sessions")
    assert "beats the newest Close, 4.06 $: skill 0.26, needed above 0.00." in decision.reasons[1]
    assert decision.reasons[2] == (
        "RMSE 3.00 $ beats the version in Production, 3.50 $ on the same sessions: ratio 0.86, needed below 1.00."
    )


def test_what_only_equals_production_is_refused() -> None:
    assert decide(judged(3.0), judged(3.0), Gate()).failures == (
        "RMSE 3.00 $ only equals the version in Production, 3.00 $ on the same sessions: "
        "ratio 1.00, needed below 1.00.",
    )


def test_what_only_equals_the_naive_forecast_is_refused() -> None:
    assert "only equals the newest Close" in decide(judged(4.062), None, Gate()).failures[0]


def test_a_loss_too_small_for_two_decimals_is_shown_with_more() -> None:
    assert decide(judged(3.0001), judged(3.0), Gate()).failures == (
        "RMSE 3.0001 $ loses to the version in Production, 3.0000 $ on the same sessions: "
        "ratio 1.00003, needed below 1.00000.",
    )


def test_too_few_sessions_decide_nothing() -> None:
    assert decide(judged(3.0, sessions=14), None, Gate(min_sessions=15)).failures == (
        "Judged on 14 sessions from 2020-01-02 to 2020-01-21: too few to decide on, needed at least 15.",
    )


def test_a_single_session_is_named() -> None:
    assert decide(judged(3.0, sessions=1), None, Gate(min_sessions=1)).reasons[0] == (
        "Judged on 1 session, 2020-01-02, needed at least 1."
    )


def test_thresholds_are_those_of_the_gate() -> None:
    candidate, champion = judged(3.0), judged(3.1)
    assert decide(candidate, champion, Gate()).passed
    assert not decide(candidate, champion, Gate(max_rmse_ratio=0.95)).passed
    assert not decide(candidate, champion, Gate(min_skill=0.3)).passed
    assert decide(judged(3.2), champion, Gate(max_rmse_ratio=1.1)).passed
    assert decide(judged(4.5), None, Gate(min_skill=-0.5)).passed


def test_dry_run_says_so_and_promotes_nothing() -> None:
    passing, failing = (decide(judged(error), None, Gate(mode="dry_run")) for error in (3.0, 9.0))
    assert (passing.passed, passing.promoted, passing.verdict) == (True, False, "watched")
    assert "would be promoted" in passing.reasons[-1]
    assert (failing.passed, failing.promoted, failing.verdict) == (False, False, "refused")
    assert "would be refused" in failing.reasons[-1]


def wobbling(error: float, wobble: float, sessions: int = 21) -> Evaluation:
    """Forecasts that are wrong by a little more and a little less, in turn."""
    evaluation = judged(error, sessions=sessions)
    return replace(evaluation, forecast=evaluation.forecast + wobble * (-1.0) ** np.arange(sessions))


def test_diebold_mariano_is_told_and_decides_only_where_a_limit_is_set() -> None:
    candidate, champion = wobbling(3.0, 1.0), wobbling(3.1, -1.0)
    # squared errors of 16 and 4 against 4.41 and 16.81, in turn
    p = stats.ttest_1samp([16 - 4.41, 4 - 16.81] * 10 + [16 - 4.41], 0, alternative="less").pvalue
    told = decide(candidate, champion, Gate())
    assert told.passed
    unused = " (not used: gate.max_dm_p is 1)"
    assert told.reasons[3] == f"Diebold-Mariano against Production: p = {p:.2f}{unused}."
    asked = decide(candidate, champion, Gate(max_dm_p=0.05))
    assert asked.failures == (told.reasons[3].replace(unused, ", needed at most 0.05"),)
    assert decide(judged(3.0), judged(3.1), Gate(max_dm_p=0.05)).passed


def test_one_session_tells_nothing_of_chance() -> None:
    one = Gate(min_sessions=1)
    decision = decide(judged(3.0, sessions=1), judged(3.1, sessions=1), one)
    assert decision.passed
    assert decision.reasons[3] == (
        "Diebold-Mariano against Production: undefined on 1 session, 2020-01-02 (not used: gate.max_dm_p is 1)."
    )
    asked = one.model_copy(update={"max_dm_p": 0.1})
    assert decide(judged(3.0, sessions=1), judged(3.1, sessions=1), asked).failures == (
        "Diebold-Mariano against Production: undefined on 1 session, 2020-01-02, needed at most 0.1.",
    )


def holding(held: int, sessions: int = 100, held_95: int | None = None) -> Evaluation:
    """A good forecast whose intervals hold so many of the prices, and at 95 % all of them or so many."""
    evaluation = judged(3.0, sessions=sessions)
    rows = np.arange(sessions)
    off = np.where(rows < held, 0.0, np.where(rows < (sessions if held_95 is None else held_95), 6.0, 12.0))
    return replace(evaluation, quantiles=around(evaluation.actual + off, 5.0, 10.0))


def test_intervals_that_hold_too_few_prices_are_refused_with_the_numbers() -> None:
    # Wilson's interval of 65 in 100 is 0.5525 to 0.7364: at least 6.4 points below 80 %.
    decision = decide(holding(65), None, Gate())
    assert decision.failures == (
        "80 % interval: covered 65 of 100 prices (65.0 %). Even allowing for chance (up to 73.6 %) that is 6.4 points "
        "too low; limit 5.",
    )
    assert decide(holding(65), None, Gate(max_coverage_gap=0.07)).passed
    assert decide(holding(70), None, Gate()).passed


def test_intervals_that_hold_more_than_they_promise_are_no_reason_to_refuse() -> None:
    assert decide(holding(100), None, Gate(max_coverage_gap=0)).passed


def test_a_miss_by_less_than_half_a_cent_is_none() -> None:
    exact = judged(0.0, sessions=100)
    near, far = (around(exact.actual + 1 + miss, 1.0, 1.0) for miss in (0.004, 0.006))
    assert "covered 100 of 100" in decide(replace(exact, quantiles=near), None, Gate()).reasons[3]
    assert "covered 0 of 100" in decide(replace(exact, quantiles=far), None, Gate()).reasons[3]


def test_what_chance_explains_is_no_reason_to_refuse_intervals() -> None:
    # 14 of 21 are two thirds; Wilson's interval reaches from 45.4 to 82.8 %.
    decision = decide(holding(14, sessions=21), None, Gate(max_coverage_gap=0))
    assert decision.passed
    assert (
        "covered 14 of 21 prices (66.7 %; 45.4 to 82.8 % allowing for chance), which is enough" in decision.reasons[3]
    )


def test_each_level_is_judged_and_a_forecaster_that_gives_no_interval_is_not() -> None:
    decision = decide(holding(80, held_95=80), None, Gate())
    assert [reason.split(" interval")[0] for reason in decision.reasons[3:]] == ["80 %", "95 %"]
    assert decision.failures == decision.reasons[4:]
    silent = decide(replace(holding(65), quantiles=no_distributions(100)), None, Gate())
    assert silent.passed
    assert "not judged" in silent.reasons[3]


@pytest.mark.parametrize(("error", "advice"), [(3.0, "to approve"), (9.0, "to reject")])
def test_in_the_mode_manual_every_version_waits_for_a_person_and_the_gate_advises(error: float, advice: str) -> None:
    decision = decide(judged(error), None, Gate(mode="manual"))
    assert (decision.verdict, decision.promoted) == ("waiting", False)
    assert decision.passed == (error == 3.0)
    assert decision.reasons[-1] == f"A person decides (mode manual): the gate advises {advice} it."
    assert decision.reasons[:-1] == decide(judged(error), None, Gate()).reasons


@pytest.mark.parametrize(("error", "tag"), [(3.0, "0.2614"), (4.062, "none"), (9.0, "none"), (math.nan, "none")])
def test_the_skill_that_a_version_is_tagged_with(error: float, tag: str) -> None:
    assert decide(judged(error), None, Gate()).skill == tag


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_a_forecast_that_is_no_number_fails(error: float) -> None:
    decision = decide(judged(error), None, Gate(min_skill=-1e9))
    assert not decision.passed
    assert f"RMSE {error} $" in decision.failures[0]


def test_a_production_version_that_answers_no_number_is_not_silently_replaced() -> None:
    assert decide(judged(3.0), judged(math.nan), Gate()).failures == (
        "RMSE 3.00 $ beside nan $ of the version in Production: not numbers that can be compared.",
    )


def test_a_production_version_without_error_is_not_beaten() -> None:
    assert "ratio inf, needed below 1.00" in decide(judged(0.1), judged(0.0), Gate()).failures[0]
    assert "only equals the version in Production" in decide(judged(0.0), judged(0.0), Gate()).failures[0]


def test_constant_prices_leave_nothing_to_beat() -> None:
    exact = judged(0.0, close=0.0, opened=0.0)
    assert not decide(exact, None, Gate()).passed
    decision = decide(judged(0.5, close=0.0), None, Gate())
    assert "loses to the newest Close, 0.00 $: skill -inf" in decision.failures[0]


def test_other_sessions_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="same sessions"):
        decide(judged(3.0), judged(3.5, sessions=20), Gate())


def test_other_prices_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="same prices"):
        decide(judged(3.0), judged(3.5, level=100.0), Gate())


@given(candidate=ERRORS, champion=st.none() | ERRORS, close=ERRORS, opened=ERRORS)
def test_whatever_passes_beats_every_naive_forecast_and_production(
    candidate: float, champion: float | None, close: float, opened: float
) -> None:
    ours = judged(candidate, close=close, opened=opened)
    theirs = None if champion is None else judged(champion, close=close, opened=opened)
    decision = decide(ours, theirs, Gate())
    better = ours.rmse < ours.naive_rmse and (theirs is None or ours.rmse < theirs.rmse)
    # A difference in the last binary digit is a skill of exactly 0.
    assert decision.passed == (better and ours.skill > 0)
    assert decision.passed == (not decision.failures)
    assert decision.skill == ("none" if ours.skill <= 0 else f"{ours.skill:.4f}")
    assert len(decision.reasons) == (4 if theirs is None else 5)


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "ask"},
        {"max_dm_p": 0},
        {"max_dm_p": 1.5},
        {"max_coverage_gap": -0.01},
        {"min_skill": math.nan},
        {"max_rmse_ratio": 0},
        {"max_rmse_ratio": math.inf},
        {"min_sessions": 0},
        {"min_skil": 0.1},
    ],
)
def test_a_gate_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(settings)


def test_a_decision_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        decide(judged(3.0), None, Gate()).passed = False  # type: ignore[misc]
