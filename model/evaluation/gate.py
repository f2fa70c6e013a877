"""The gate: whether a version may forecast in Production, and why, in checks with numbers.

It asks three things. Is the version's configuration proven, by what it forecast over years of a backtest? Does the
version itself forecast as well in its test period? Is it better than the version in Production? Each check is one line:
what was measured, and what was needed. A version passes when no check fails. In the mode `manual` the gate advises, and
a person decides. The caller acts on the decision: it moves a version, or asks a person.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from model.config import Frozen
from model.evaluation.baselines import naive_label
from model.evaluation.check import Check, Result, info, judge, note
from model.evaluation.decision import Decision, DecisionWord, Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import odds_text
from model.evaluation.evidence.proof import Compared, Needed, Proof, compare
from model.evaluation.metrics import Share
from model.market.prices import Values

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]

# The fewest test sessions that a version can be judged on; a calendar month has at least this many.
FEWEST_OWN = 15
TOO_FEW = "the prices are too few for any session of a proof"
# Failed checks come first.
_ORDER = (Result.FAIL, Result.PASS, Result.INFO)


class Gate(Frozen):
    """What a version must show before it may forecast in Production."""

    mode: Literal["enforce", "dry_run", "manual"] = Field(
        "enforce", description="dry_run only reports what it would do; manual advises, and a person decides"
    )
    min_evidence: Annotated[Finite, Field(ge=1)] = Field(
        20.0, description="odds from which skill counts as proven; the k-th configuration tried needs k times as much"
    )
    min_sessions: int = Field(500, ge=1, description="with fewer sessions of proof nothing is decided")
    recent_sessions: int = Field(
        250, ge=1, description="on this many of the newest ones the CRPS may not be above the best naive distribution's"
    )
    max_scale_ratio: Positive = Field(
        1.003, description="the CRPS may be at most this share of that of the market's scale without the network"
    )
    max_crps_ratio: Positive = Field(
        0.9975, description="the CRPS must be below this share of the Production version's, on the same sessions"
    )
    refresh_after: int = Field(
        250, ge=1, description="a Production version this many sessions old is replaced by one that is as good"
    )
    max_refresh_ratio: Positive = Field(
        1.0025, description="as good means: a CRPS below this share of the Production version's"
    )
    common_sessions: int = Field(
        250, ge=1, description="the fewest sessions on which a version is compared with the one in Production"
    )
    max_own_ratio: Positive = Field(
        1.05, description="in the test period the version's CRPS may be at most this share of its proof's forecasts'"
    )
    max_rmse_ratio: Positive = Field(
        1.01, description="RMSE / RMSE of the best naive forecast, over the proof and the test period"
    )
    max_coverage_gap: Annotated[Finite, Field(ge=0, le=1)] = Field(
        0.05, description="how far below their level the coverage of intervals may be, after allowing for chance"
    )

    @property
    def needed(self) -> Needed:
        """What a proof needs."""
        return Needed(self.min_evidence, self.min_sessions, self.recent_sessions, self.max_scale_ratio)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A version that wants to go to Production.

    test:  the version itself on its test period
    proof: of its configuration, up to the end of that period; None where there is none, for the reason `why`
    """

    test: Evaluation
    proof: Proof | None
    why: str = TOO_FEW


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Champion:
    """The version in Production.

    version: its number
    age:     how many sessions the candidate's training knew beyond its own; below 0 where it is the newer one
    proof:   of its configuration, on the candidate's prices; None where there is none
    proven:  whether its configuration had been proven when it was put there
    same:    whether it has the candidate's configuration, apart from the seed and further horizons
    lacks:   the candidate's further horizons that it does not have, where it has no other ones
    """

    version: int
    age: int
    proof: Proof | None
    proven: bool
    same: bool
    lacks: tuple[int, ...] = ()


def decide(candidate: Candidate, champion: Champion | None, gate: Gate) -> Decision:
    """Decide on a candidate beside the version in Production, if there is one."""
    proof = candidate.proof
    compared = compare(proof, champion.proof) if proof and champion and champion.proof else None
    replaces = _replaces_unproven(proof, champion, compared, gate)
    checks = [
        *_proof(candidate, gate, replaces=replaces),
        *_own(candidate, gate),
        *_point_forecast(candidate, gate),
        *_intervals(candidate, gate),
        *_against_champion(proof, champion, compared, gate),
    ]
    checks.sort(key=lambda check: _ORDER.index(check.result))
    passed = all(check.holds for check in checks)
    word = DecisionWord.PROMOTED if passed else DecisionWord.REFUSED
    if gate.mode == "dry_run":
        checks.append(note(f"Mode dry_run: the version would be {word}, but it stays where it is."))
        word = DecisionWord.WATCHED if passed else DecisionWord.REFUSED
    elif gate.mode == "manual":
        advice = "to approve" if passed else "to reject"
        checks.append(note(f"A person decides (mode manual): the gate advises {advice} it."))
        word = DecisionWord.WAITING
    return Decision(
        passed=passed,
        word=word,
        verdict=proof.verdict(gate.needed) if proof else Verdict.UNDECIDED,
        evidence=proof.odds if proof else 1.0,
        checks=tuple(checks),
    )


def _replaces_unproven(proof: Proof | None, champion: Champion | None, compared: Compared | None, gate: Gate) -> bool:
    """Whether the candidate is clearly better than a version that was put into Production without a proof."""
    if proof is None or champion is None or compared is None or champion.proven:
        return False
    return (
        proof.verdict(gate.needed) != Verdict.NO_SKILL
        and compared.sessions >= gate.common_sessions
        and compared.ratio < gate.max_crps_ratio
        and compared.odds >= proof.needed_odds(gate.needed)
    )


def _proof(candidate: Candidate, gate: Gate, *, replaces: bool) -> Iterator[Check]:
    proof = candidate.proof
    if proof is None:
        yield judge(False, "evidence of skill", f"none: {candidate.why}", odds_text(gate.min_evidence))
        return
    for condition in proof.conditions(gate.needed):
        # Where it replaces a version that is worse and has no proof, it needs none itself.
        yield replace(condition, result=Result.INFO) if replaces and not condition.holds else condition
    if replaces and proof.verdict(gate.needed) != Verdict.PROVEN:
        yield info("exception", "no proof is needed, since it is clearly better than a version without one")
    yield from proof.figures(gate.needed)


def _own(candidate: Candidate, gate: Gate) -> Iterator[Check]:
    """Whether the version itself forecasts as well as its configuration's other fits: some fits go wrong."""
    test, proof = candidate.test, candidate.proof
    if proof is None or proof.evidence is None or proof.verdict(gate.needed) == Verdict.NO_SKILL:
        return  # another check refuses it already, and a proof without skill may end before the test period
    found, name = compare(Proof(judged=test), proof), "CRPS in the test period"
    if found.sessions < FEWEST_OWN:
        few = f"{found.sessions} sessions that its proof has too"
        yield judge(False, name, few, f"at least {FEWEST_OWN}")
        return
    measured = f"{found.ratio:.4f} times that of its proof ({found.sessions} sessions)"
    yield judge(found.ratio <= gate.max_own_ratio, name, measured, f"at most {gate.max_own_ratio:g}")


def _point_forecast(candidate: Candidate, gate: Gate) -> Iterator[Check]:
    """The medians over all sessions of the proof before the test period, and the version's own in it."""
    test, before = candidate.test, _before(candidate)
    parts = [test] if before is None else [before, test]
    names = [name for name in test.naive if all(name in part.naive for part in parts)]
    ours, n = _rmse([part.actual - part.forecast for part in parts]), sum(len(part.sessions) for part in parts)
    errors = {name: _rmse([part.actual - part.naive[name] for part in parts]) for name in names}
    best = min(errors, key=lambda name: errors[name])
    naive, money = errors[best], test.money
    name, needed = "RMSE of the median", f"at most {gate.max_rmse_ratio:g}"
    if not (math.isfinite(ours) and math.isfinite(naive)):
        pair = f"{money.price(ours)} beside {money.price(naive)} of {naive_label(best)}"
        yield judge(False, name, f"no numbers to compare: {pair}", needed)
        return
    # A naive forecast without any error can be equalled, but not beaten.
    ratio = ours / naive if naive else 1.0 if ours == 0 else math.inf
    measured = f"{ratio:.4f} times that of {naive_label(best)} ({money.score(ours)}, {n:,} sessions)"
    yield judge(ratio <= gate.max_rmse_ratio, name, measured, needed)


def _before(candidate: Candidate) -> Evaluation | None:
    """The sessions of the proof before the test period."""
    if candidate.proof is None:
        return None
    judged = candidate.proof.judged
    earlier = judged.sessions < candidate.test.sessions[0]
    return judged.part(earlier) if earlier.any() else None


def _rmse(errors: list[Values]) -> float:
    squares = sum(float((part**2).sum()) for part in errors)
    return math.sqrt(squares / sum(len(part) for part in errors))


def _intervals(candidate: Candidate, gate: Gate) -> Iterator[Check]:
    """One check per level: it fails where the share of prices within is too low by more than chance explains.

    It judges the version's own forecasts of the test period, and as many of the proof's before it as bring their number
    to recent_sessions.
    """
    test, before = candidate.test, _before(candidate)
    missing = max(0, gate.recent_sessions - len(test.sessions))
    newest = before.part(slice(-missing, None)) if before is not None and missing else None
    for level in sorted(test.intervals):
        shares = [part.coverage_as_quoted(level) for part in (newest, test) if part and part.intervals]
        held = Share(hits=sum(share.hits for share in shares), n=sum(share.n for share in shares))
        _, highest = held.bounds
        gap, least = max(0.0, level - highest), max(0.0, level - gate.max_coverage_gap)
        covers = f"covers {100 * held.value:.1f} % ({held.hits} of {held.n})"
        measured = f"{covers}, up to {100 * highest:.1f} % allowing for chance"
        name, needed = f"{100 * level:g} % interval", f"at least {100 * least:g} %"
        yield judge(gap <= gate.max_coverage_gap, name, measured, needed)
    if not test.intervals:
        yield info("intervals", "the forecasts have none, so their coverage is not judged")


def _against_champion(
    proof: Proof | None, champion: Champion | None, compared: Compared | None, gate: Gate
) -> Iterator[Check]:
    if champion is None:
        yield info("version in Production", "none to compare with")
        return
    named, common = f"version {champion.version} in Production", compared.sessions if compared else 0
    if champion.age < 0:
        newer = f"knows {-champion.age} more sessions than this one"
        yield judge(False, named, newer, "none more: the newer one stays")
        return
    proven = proof is not None and proof.verdict(gate.needed) == Verdict.PROVEN
    if compared is None or common < gate.common_sessions:
        shared = f"{common} sessions of proof in common"
        if proven and not champion.proven:
            yield judge(True, named, f"is not proven, this one is ({shared})", "a proven version")
        else:
            yield judge(False, named, shared, f"at least {gate.common_sessions}")
        return
    odds = gate.min_evidence if proof is None else proof.needed_odds(gate.needed)
    yield from _compared(champion, compared, gate, named, odds, proven=proven)


def _compared(
    champion: Champion, compared: Compared, gate: Gate, named: str, odds: float, *, proven: bool
) -> Iterator[Check]:
    aged, on = f"{champion.age} session{'' if champion.age == 1 else 's'} older", f"{compared.sessions:,} sessions"
    measured = f"{compared.ratio:.4f} times its CRPS ({on})"
    if champion.age >= gate.refresh_after or (proven and not champion.proven):
        why = aged if champion.age >= gate.refresh_after else "not proven"
        as_good = compared.ratio < gate.max_refresh_ratio
        yield judge(as_good, named, f"{measured}, {why}", f"below {gate.max_refresh_ratio:g}")
        return
    if champion.same and champion.lacks:
        # The next session's forecast is the same, so it takes nothing away, and adds the later ones.
        ahead = f"{', '.join(map(str, champion.lacks))} sessions ahead"
        yield judge(True, named, f"has the same configuration, and no forecast {ahead}", "no forecast less")
        return
    if champion.same:
        yield judge(False, named, f"has the same configuration, {aged}", f"{gate.refresh_after} sessions older")
        return
    yield judge(compared.ratio < gate.max_crps_ratio, named, measured, f"below {gate.max_crps_ratio:g}")
    if not champion.proven:
        # Neither is proven: the difference between the two must be more than chance explains.
        better = f"better than version {champion.version}"
        yield judge(compared.odds >= odds, better, odds_text(compared.odds), odds_text(odds))
