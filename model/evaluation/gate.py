"""The gate: whether a version may forecast in Production, and why, in sentences with numbers.

Each check looks at the evaluations alone and gives one sentence, whether it passes or not; a version passes when
every check does. In the mode `manual` the gate advises, and a person decides. The caller acts on the decision: it moves
a version, or asks a person.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from model.config import Frozen
from model.evaluation.baselines import naive_label
from model.evaluation.decision import DecisionWord
from model.evaluation.evaluation import Evaluation

Finite = Annotated[float, Field(allow_inf_nan=False)]

NO_SKILL = "none"
# Prices are quoted in cents: an interval that ends nearer than this to a price does not miss it.
HALF_A_CENT = 0.005


class Gate(Frozen):
    """What a version must show before it may forecast in Production."""

    mode: Literal["enforce", "dry_run", "manual"] = Field(
        "enforce", description="dry_run only reports what it would do; manual advises, and a person decides"
    )
    min_skill: Finite = Field(0.0, description="the skill must be above it: 1 - RMSE / RMSE of the best naive forecast")
    max_rmse_ratio: Annotated[Finite, Field(gt=0)] = Field(
        1.0, description="the RMSE must be below this share of the Production version's, on the same sessions"
    )
    max_dm_p: Annotated[Finite, Field(gt=0, le=1)] = Field(
        1.0, description="highest one-sided Diebold-Mariano p-value against the Production version; 1: not used"
    )
    max_coverage_gap: Annotated[Finite, Field(ge=0, le=1)] = Field(
        0.05, description="how far below their level the coverage of intervals may be, chance allowed for"
    )
    min_sessions: int = Field(15, ge=1, description="with fewer sessions no version passes")
    backtest_sessions: int = Field(
        250, ge=0, description="about how many sessions of backtests, if there are any, count besides the test period"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The gate's decision on a version.

    passed:   whether every check passed
    verdict:  promoted, refused, watched (mode dry_run, and it passed) or waiting (mode manual: for a person)
    skill:    the version's tag: its skill, or `none` where it does not beat the naive forecasts
    reasons:  one sentence for every check, passed or not
    failures: the sentences of the checks that failed
    """

    passed: bool
    verdict: DecisionWord
    skill: str
    reasons: tuple[str, ...]
    failures: tuple[str, ...] = ()

    @property
    def promoted(self) -> bool:
        """Whether it is to be moved to Production."""
        return self.verdict == DecisionWord.PROMOTED


class _Check(NamedTuple):
    passed: bool
    sentence: str


def decide(candidate: Evaluation, champion: Evaluation | None, gate: Gate, past: int = 0) -> Decision:
    """Decide on `candidate`; `champion` is the Production version, scored again on the same sessions.

    past: how many of the sessions were forecast in backtests, by forecasters of the same configuration

    ValueError where the two were judged on different sessions or prices: they cannot be compared.
    """
    if champion is not None and not _same_sessions(candidate, champion):
        raise ValueError("candidate and champion must be judged on the same sessions of the same prices")
    checks = (
        _enough(candidate, gate, past),
        _against_naive(candidate, gate),
        *_against_champion(candidate, champion, gate),
        *_intervals(candidate, gate),
    )
    reasons = tuple(check.sentence for check in checks)
    failures = tuple(check.sentence for check in checks if not check.passed)
    passed = not failures
    verdict = DecisionWord.PROMOTED if passed else DecisionWord.REFUSED
    if gate.mode == "dry_run":
        reasons += (f"Mode dry_run: the version would be {verdict}, but it stays where it is.",)
        verdict = DecisionWord.WATCHED if passed else DecisionWord.REFUSED
    elif gate.mode == "manual":
        reasons += (f"A person decides (mode manual): the gate advises {'to approve' if passed else 'to reject'} it.",)
        verdict = DecisionWord.WAITING
    return Decision(
        passed=passed,
        verdict=verdict,
        skill=f"{candidate.skill:.4f}" if candidate.has_skill else NO_SKILL,
        reasons=reasons,
        failures=failures,
    )


def _same_sessions(one: Evaluation, other: Evaluation) -> bool:
    return np.array_equal(one.sessions, other.sessions) and np.array_equal(one.actual, other.actual, equal_nan=True)


def _enough(candidate: Evaluation, gate: Gate, past: int) -> _Check:
    found, needed = len(candidate.sessions), gate.min_sessions
    judged = f"Judged on {_sessions(candidate)}"
    if past:
        judged += f", {past} of them forecast in backtests of its configuration"
    if found < needed:
        return _Check(False, f"{judged}: too few to decide on, needed at least {needed}.")
    return _Check(True, f"{judged}, needed at least {needed}.")


def _against_naive(candidate: Evaluation, gate: Gate) -> _Check:
    ours, naive, skill = candidate.rmse, candidate.naive_rmse, candidate.skill
    name = naive_label(candidate.best_naive)
    if not (math.isfinite(ours) and math.isfinite(naive)):
        return _Check(False, f"RMSE {ours:.2f} $ beside {naive:.2f} $ of {name}: not numbers that can be compared.")
    ours_text, naive_text = _apart(ours, naive)
    skill_text, needed_text = _apart(skill, gate.min_skill)
    no_skill = "" if candidate.has_skill else " is no skill"
    return _Check(
        skill > gate.min_skill,
        f"RMSE {ours_text} $ on {_sessions(candidate)} {_verb(ours, naive)} {name}, {naive_text} $: "
        f"skill {skill_text}{no_skill}, needed above {needed_text}.",
    )


def _against_champion(candidate: Evaluation, champion: Evaluation | None, gate: Gate) -> Iterator[_Check]:
    if champion is None:
        yield _Check(True, "Nothing is in Production to compare with.")
        return
    ours, theirs = candidate.rmse, champion.rmse
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        beside = f"RMSE {ours:.2f} $ beside {theirs:.2f} $ of the version in Production"
        yield _Check(False, f"{beside}: not numbers that can be compared.")
        return
    # A version without any error can be equalled, but not beaten.
    ratio = ours / theirs if theirs else 1.0 if ours == 0 else math.inf
    ours_text, theirs_text = _apart(ours, theirs)
    ratio_text, needed_text = _apart(ratio, gate.max_rmse_ratio)
    yield _Check(
        ratio < gate.max_rmse_ratio,
        f"RMSE {ours_text} $ {_verb(ours, theirs)} the version in Production, {theirs_text} $ on the same sessions: "
        f"ratio {ratio_text}, needed below {needed_text}.",
    )
    yield _beyond_chance(candidate, champion, gate)


def _beyond_chance(candidate: Evaluation, champion: Evaluation, gate: Gate) -> _Check:
    test, asked = candidate.against(champion.forecast), gate.max_dm_p < 1
    unused = " (not used: gate.max_dm_p is 1)"
    if math.isnan(test.p_better):
        needed = f", needed at most {gate.max_dm_p:g}" if asked else unused
        return _Check(not asked, f"Diebold-Mariano against Production: undefined on {_sessions(candidate)}{needed}.")
    p_text, needed_text = _apart(test.p_better, gate.max_dm_p)
    needed = f", needed at most {needed_text}" if asked else unused
    return _Check(test.p_better <= gate.max_dm_p, f"Diebold-Mariano against Production: p = {p_text}{needed}.")


def _intervals(candidate: Evaluation, gate: Gate) -> Iterator[_Check]:
    """One check a level: it fails where the share of prices within falls short by more than chance explains."""
    given = {level: candidate.coverage(level, HALF_A_CENT) for level in sorted(candidate.intervals)}
    if not any(held.n for held in given.values()):
        yield _Check(True, "The forecasts have no intervals: their coverage is not judged.")
        return
    for level, held in given.items():
        lowest, highest = held.bounds
        gap = max(0.0, level - highest)
        covered = f"{100 * level:g} % interval: covered {held.hits} of {held.n} prices ({100 * held.value:.1f} %"
        if gap:
            found = (
                f"{covered}). Even allowing for chance (up to {100 * highest:.1f} %) that is {100 * gap:.1f} points "
                f"too low; limit {100 * gate.max_coverage_gap:g}."
            )
        else:
            found = f"{covered}; {100 * lowest:.1f} to {100 * highest:.1f} % allowing for chance), which is enough."
        yield _Check(gap <= gate.max_coverage_gap, found)


def _verb(ours: float, theirs: float) -> str:
    return "beats" if ours < theirs else "loses to" if ours > theirs else "only equals"


def _sessions(evaluation: Evaluation) -> str:
    days = evaluation.sessions
    if len(days) == 1:
        return f"1 session, {days[0]}"
    return f"{len(days)} sessions from {days[0]} to {days[-1]}"


def _apart(*values: float) -> tuple[str, ...]:
    """The values with as many decimals, at least two, as make different ones look different."""
    for decimals in range(2, 12):
        texts = tuple(f"{value:.{decimals}f}" for value in values)
        if len(set(texts)) == len(set(values)):
            return texts
    return tuple(repr(value) for value in values)
