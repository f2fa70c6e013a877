"""The gate lets through what beats the naive forecasts and the version in Production, and says why."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model.evaluation import Evaluation
from model.promotion import Gate, decide

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
    assert not decision.passed
    assert not decision.promoted
    assert decision.reasons == (
        "Judged on 21 sessions from 2020-01-02 to 2020-01-30, needed at least 15.",
        "RMSE 7.83 $ on 21 sessions from 2020-01-02 to 2020-01-30 loses to the newest Close, 4.06 $: "
        "skill -0.93, needed above 0.00.",
        "Nothing is in Production to compare with.",
    )
    assert decision.failures == decision.reasons[1:2]


def test_a_version_better_than_naive_and_than_production_is_promoted() -> None:
    decision = decide(judged(3.0), judged(3.5), Gate())
    assert decision.passed
    assert decision.promoted
    assert decision.failures == ()
    assert decision.reasons[1].startswith("RMSE 3.00 $ on 21 sessions")
    assert "beats the newest Close, 4.06 $: skill 0.26, needed above 0.00." in decision.reasons[1]
    assert decision.reasons[2] == (
        "RMSE 3.00 $ beats the version in Production, 3.50 $ on the same sessions: ratio 0.86, needed below 1.00."
    )


def test_what_only_equals_production_is_refused() -> None:
    decision = decide(judged(3.0), judged(3.0), Gate())
    assert not decision.passed
    assert decision.failures == (
        "RMSE 3.00 $ only equals the version in Production, 3.00 $ on the same sessions: "
        "ratio 1.00, needed below 1.00.",
    )


def test_what_only_equals_the_naive_forecast_is_refused() -> None:
    decision = decide(judged(4.062), None, Gate())
    assert not decision.passed
    assert "only equals the newest Close" in decision.failures[0]


def test_a_loss_too_small_for_two_decimals_is_shown_with_more() -> None:
    decision = decide(judged(3.0001), judged(3.0), Gate())
    assert decision.failures == (
        "RMSE 3.0001 $ loses to the version in Production, 3.0000 $ on the same sessions: "
        "ratio 1.00003, needed below 1.00000.",
    )


def test_too_few_sessions_decide_nothing() -> None:
    decision = decide(judged(3.0, sessions=14), None, Gate(min_sessions=15))
    assert decision.failures == (
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
    passing, failing = decide(judged(3.0), None, Gate(mode="dry_run")), decide(judged(9.0), None, Gate(mode="dry_run"))
    assert passing.passed
    assert not passing.promoted
    assert "would be promoted" in passing.reasons[-1]
    assert not failing.passed
    assert not failing.promoted
    assert "would be refused" in failing.reasons[-1]


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_a_forecast_that_is_no_number_fails(error: float) -> None:
    decision = decide(judged(error), None, Gate(min_skill=-1e9))
    assert not decision.passed
    assert f"RMSE {error} $" in decision.failures[0]


def test_a_production_version_that_answers_no_number_is_not_silently_replaced() -> None:
    decision = decide(judged(3.0), judged(math.nan), Gate())
    assert decision.failures == (
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
    assert len(decision.reasons) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "manual"},
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
