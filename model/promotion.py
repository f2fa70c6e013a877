"""The gate: whether a version may forecast in Production, and why, in sentences with numbers.

Each check looks at the evaluations alone and says one sentence, whether it passes or not; a version passes when
every check does. What follows from that (moving a version, asking a person) is for the caller to do.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from model.config import Frozen
from model.evaluation import Evaluation

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Gate(Frozen):
    """What a version must show before it may forecast in Production."""

    mode: Literal["enforce", "dry_run"] = Field("enforce", description="dry_run says what it would do, moves nothing")
    min_skill: Finite = Field(0.0, description="the skill must be above it: 1 - RMSE / RMSE of the best naive forecast")
    max_rmse_ratio: Annotated[Finite, Field(gt=0)] = Field(
        1.0, description="the RMSE must be below this share of the Production version's, on the same sessions"
    )
    min_sessions: int = Field(15, ge=1, description="fewer sessions than this decide nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says of a version.

    passed:   whether it met every demand
    promoted: whether it is to be moved; never in `dry_run`
    reasons:  one sentence for every check, passed or not
    failures: those of the reasons that speak against it
    """

    passed: bool
    promoted: bool
    reasons: tuple[str, ...]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Check:
    passed: bool
    sentence: str


def decide(candidate: Evaluation, champion: Evaluation | None, gate: Gate) -> Decision:
    """Ask the gate about `candidate`; `champion` is the Production version scored again on the same sessions.

    ValueError where the two were judged on different sessions or prices: that is no comparison.
    """
    if champion is not None and not _same_sessions(candidate, champion):
        raise ValueError("candidate and champion must be judged on the same sessions of the same prices")
    checks = (_enough(candidate, gate), _against_naive(candidate, gate), _against_champion(candidate, champion, gate))
    passed = all(check.passed for check in checks)
    reasons = tuple(check.sentence for check in checks)
    if gate.mode == "dry_run":
        verdict = "would be promoted" if passed else "would be refused"
        reasons += (f"The gate only watches (mode dry_run): the version {verdict}, and stays where it is.",)
    return Decision(
        passed=passed,
        promoted=passed and gate.mode == "enforce",
        reasons=reasons,
        failures=tuple(check.sentence for check in checks if not check.passed),
    )


def _same_sessions(one: Evaluation, other: Evaluation) -> bool:
    return np.array_equal(one.sessions, other.sessions) and np.array_equal(one.actual, other.actual, equal_nan=True)


def _enough(candidate: Evaluation, gate: Gate) -> _Check:
    found, needed = len(candidate.sessions), gate.min_sessions
    if found < needed:
        return _Check(False, f"Judged on {_sessions(candidate)}: too few to decide on, needed at least {needed}.")
    return _Check(True, f"Judged on {_sessions(candidate)}, needed at least {needed}.")


def _against_naive(candidate: Evaluation, gate: Gate) -> _Check:
    ours, naive, skill = candidate.rmse, candidate.naive_rmse, candidate.skill
    name = candidate.best_naive.replace("_", " ")
    if not (math.isfinite(ours) and math.isfinite(naive)):
        return _Check(False, f"RMSE {ours:.2f} $ beside {naive:.2f} $ of the {name}: not numbers that can be compared.")
    verb = "beats" if ours < naive else "loses to" if ours > naive else "only equals"
    ours_text, naive_text = _apart(ours, naive)
    skill_text, needed_text = _apart(skill, gate.min_skill)
    return _Check(
        skill > gate.min_skill,
        f"RMSE {ours_text} $ on {_sessions(candidate)} {verb} the {name}, {naive_text} $: "
        f"skill {skill_text}, needed above {needed_text}.",
    )


def _against_champion(candidate: Evaluation, champion: Evaluation | None, gate: Gate) -> _Check:
    if champion is None:
        return _Check(True, "Nothing is in Production to compare with.")
    ours, theirs = candidate.rmse, champion.rmse
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return _Check(
            False,
            f"RMSE {ours:.2f} $ beside {theirs:.2f} $ of the version in Production: not numbers that can be compared.",
        )
    # A version without any error can be equalled, not beaten.
    ratio = ours / theirs if theirs else 1.0 if ours == 0 else math.inf
    verb = "beats" if ours < theirs else "loses to" if ours > theirs else "only equals"
    ours_text, theirs_text = _apart(ours, theirs)
    ratio_text, needed_text = _apart(ratio, gate.max_rmse_ratio)
    return _Check(
        ratio < gate.max_rmse_ratio,
        f"RMSE {ours_text} $ {verb} the version in Production, {theirs_text} $ on the same sessions: "
        f"ratio {ratio_text}, needed below {needed_text}.",
    )


def _sessions(evaluation: Evaluation) -> str:
    days = evaluation.sessions
    if len(days) == 1:
        return f"1 session, {days[0]}"
    return f"{len(days)} sessions from {days[0]} to {days[-1]}"


def _apart(*values: float) -> tuple[str, ...]:
    """The values with as many decimals, two or more, as it takes to tell different ones apart."""
    for decimals in range(2, 12):
        texts = tuple(f"{value:.{decimals}f}" for value in values)
        if len(set(texts)) == len(set(values)):
            return texts
    return tuple(repr(value) for value in values)
