"""The gate: whether a version may forecast in Production, and why, in sentences with numbers.

It asks three things. Is the version's configuration proven, by what it forecast over years of a backtest? Does the
version itself keep its word on its test period? Is it better than what is in Production? Each check gives one sentence,
whether it passes or not; a version passes when every check does. In the mode `manual` the gate advises, and a person
decides. The caller acts on the decision: it moves a version, or asks a person.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from model.config import Frozen
from model.evaluation.baselines import naive_label
from model.evaluation.decision import Decision, DecisionWord, Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import odds_text
from model.evaluation.evidence.proof import Compared, Needed, Proof, compare
from model.evaluation.metrics import Share
from model.market.prices import Values

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]

# A version shows itself in so many sessions; a calendar month has at least this many.
FEWEST_OWN = 15
TOO_FEW = "the prices are too few for any session of a proof"


class Gate(Frozen):
    """What a version must show before it may forecast in Production."""

    mode: Literal["enforce", "dry_run", "manual"] = Field(
        "enforce", description="dry_run only reports what it would do; manual advises, and a person decides"
    )
    min_evidence: Annotated[Finite, Field(ge=1)] = Field(
        20.0, description="the odds that skill is proven at; the k-th configuration tried needs k times as much"
    )
    min_sessions: int = Field(500, ge=1, description="with fewer sessions of proof nothing is decided")
    recent_sessions: int = Field(
        250, ge=1, description="on so many of the newest ones the CRPS may not be above the best naive distribution's"
    )
    max_scale_ratio: Positive = Field(
        1.003, description="the CRPS may be at most this share of that of the market's scale without the network"
    )
    max_crps_ratio: Positive = Field(
        0.9975, description="the CRPS must be below this share of the Production version's, on the same sessions"
    )
    refresh_after: int = Field(
        250, ge=1, description="a Production version so many sessions old is replaced by one that is as good"
    )
    max_refresh_ratio: Positive = Field(
        1.0025, description="as good is a CRPS below this share of the Production version's"
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
        0.05, description="how far below their level the coverage of intervals may be, chance allowed for"
    )

    @property
    def needed(self) -> Needed:
        """What a proof needs."""
        return Needed(self.min_evidence, self.min_sessions, self.recent_sessions, self.max_scale_ratio)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A version that wants to go to Production.

    test:  the version itself on its test period
    proof: of its configuration, up to the end of that period; None where there is none, and `why`
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
    same:    whether it has the candidate's configuration, but for the seed
    """

    version: int
    age: int
    proof: Proof | None
    proven: bool
    same: bool


class _Check(NamedTuple):
    passed: bool
    sentence: str


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
    checks.sort(key=lambda check: check.passed)
    reasons = tuple(check.sentence for check in checks)
    failures = tuple(check.sentence for check in checks if not check.passed)
    passed = not failures
    word = DecisionWord.PROMOTED if passed else DecisionWord.REFUSED
    if gate.mode == "dry_run":
        reasons += (f"Mode dry_run: the version would be {word}, but it stays where it is.",)
        word = DecisionWord.WATCHED if passed else DecisionWord.REFUSED
    elif gate.mode == "manual":
        reasons += (f"A person decides (mode manual): the gate advises {'to approve' if passed else 'to reject'} it.",)
        word = DecisionWord.WAITING
    return Decision(
        passed=passed,
        word=word,
        verdict=proof.verdict(gate.needed) if proof else Verdict.UNDECIDED,
        evidence=proof.odds if proof else 1.0,
        reasons=reasons,
        failures=failures,
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


def _proof(candidate: Candidate, gate: Gate, *, replaces: bool) -> Iterator[_Check]:
    proof = candidate.proof
    if proof is None:
        yield _Check(False, f"There is no evidence of skill: {candidate.why}.")
        return
    for condition in proof.conditions(gate.needed):
        yield _Check(condition.holds or replaces, condition.sentence)
    if replaces and proof.verdict(gate.needed) != Verdict.PROVEN:
        yield _Check(True, "It may pass without a proof, since it is clearly better than a version that has none.")


def _own(candidate: Candidate, gate: Gate) -> Iterator[_Check]:
    """Whether the version itself forecasts as its configuration did, fitted at other times: some fits go wrong."""
    test, proof = candidate.test, candidate.proof
    if proof is None or proof.evidence is None or proof.verdict(gate.needed) == Verdict.NO_SKILL:
        return  # it is refused for that, and a proof without skill may end before the test period
    found = compare(Proof(judged=test), proof)
    if found.sessions < FEWEST_OWN:
        few = f"In the test period the version itself can be compared with its proof on {found.sessions} sessions"
        yield _Check(False, f"{few}: too few, needed at least {FEWEST_OWN}.")
        return
    yield _Check(
        found.ratio <= gate.max_own_ratio,
        f"In the test period the version's own CRPS is {found.ratio:.4f} times that of its proof on {found.sessions} "
        f"sessions; at most {gate.max_own_ratio:g}.",
    )


def _point_forecast(candidate: Candidate, gate: Gate) -> Iterator[_Check]:
    """The medians over all sessions of the proof before the test period, and the version's own in it."""
    test, before = candidate.test, _before(candidate)
    parts = [test] if before is None else [before, test]
    names = [name for name in test.naive if all(name in part.naive for part in parts)]
    ours, n = _rmse([part.actual - part.forecast for part in parts]), sum(len(part.sessions) for part in parts)
    errors = {name: _rmse([part.actual - part.naive[name] for part in parts]) for name in names}
    best = min(errors, key=lambda name: errors[name])
    naive, money = errors[best], test.money
    if not (math.isfinite(ours) and math.isfinite(naive)):
        said = f"RMSE {money.price(ours)} beside {money.price(naive)} of {naive_label(best)}"
        yield _Check(False, f"{said}: no numbers to compare.")
        return
    # A naive forecast without any error can be equalled, but not beaten.
    ratio = ours / naive if naive else 1.0 if ours == 0 else math.inf
    yield _Check(
        ratio <= gate.max_rmse_ratio,
        f"RMSE of the median {money.score(ours)} on {n:,} sessions, {ratio:.4f} times that of {naive_label(best)}; "
        f"at most {gate.max_rmse_ratio:g}.",
    )


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


def _intervals(candidate: Candidate, gate: Gate) -> Iterator[_Check]:
    """One check a level: it fails where the share of prices within falls short by more than chance explains.

    Judged are its own forecasts of the test period, and before it as many of the proof's as make up recent_sessions.
    """
    test, before = candidate.test, _before(candidate)
    missing = max(0, gate.recent_sessions - len(test.sessions))
    newest = before.part(slice(-missing, None)) if before is not None and missing else None
    for level in sorted(test.intervals):
        shares = [part.coverage_as_quoted(level) for part in (newest, test) if part and part.intervals]
        held = Share(hits=sum(share.hits for share in shares), n=sum(share.n for share in shares))
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
    if not test.intervals:
        yield _Check(True, "The forecasts have no intervals: their coverage is not judged.")


def _against_champion(
    proof: Proof | None, champion: Champion | None, compared: Compared | None, gate: Gate
) -> Iterator[_Check]:
    if champion is None:
        yield _Check(True, "Nothing is in Production to compare with.")
        return
    named = f"version {champion.version} in Production"
    if champion.age < 0:
        yield _Check(False, f"It knows {-champion.age} sessions less than {named}: a newer version is not replaced.")
        return
    proven = proof is not None and proof.verdict(gate.needed) == Verdict.PROVEN
    if compared is None or compared.sessions < gate.common_sessions:
        common = compared.sessions if compared else 0
        if proven and not champion.proven:
            yield _Check(True, f"It has {common} sessions of proof in common with {named}, which is not proven.")
            return
        yield _Check(
            False,
            f"It has {common} sessions of proof in common with {named}: too few to compare, "
            f"needed at least {gate.common_sessions}.",
        )
        return
    odds = gate.min_evidence if proof is None else proof.needed_odds(gate.needed)
    yield _compared(champion, compared, gate, named, odds, proven=proven)


def _compared(champion: Champion, compared: Compared, gate: Gate, named: str, odds: float, *, proven: bool) -> _Check:
    on = f"on {compared.sessions:,} sessions"
    what = (
        f"The configuration is that of {named}"
        if champion.same
        else f"CRPS {compared.ratio:.4f} times that of {named} {on}"
    )
    aged = f"{champion.age} sessions older"
    if champion.age >= gate.refresh_after or (proven and not champion.proven):
        why = f"which is {aged}" if champion.age >= gate.refresh_after else "which is not proven"
        passed = compared.ratio < gate.max_refresh_ratio
        return _Check(passed, f"{what}, {why}: a CRPS below {gate.max_refresh_ratio:g} times its own is enough.")
    if champion.same:
        sentence = f"{what}, which is {aged}: it is replaced when it is {gate.refresh_after} sessions old."
        return _Check(False, sentence)
    evidence = ""
    passed = compared.ratio < gate.max_crps_ratio
    if not champion.proven:
        # Neither is proven: what chance cannot do has to show between the two.
        passed = passed and compared.odds >= odds
        evidence = f", evidence that it is better {odds_text(compared.odds)}, needed {odds_text(odds)}"
    return _Check(passed, f"{what}; needed below {gate.max_crps_ratio:g}{evidence}.")
