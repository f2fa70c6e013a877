"""What is kept of a decision on a version: the gate's, a person's, or a move that no gate was asked about."""

from datetime import datetime

from model.errors import PromotionRefused
from model.evaluation.gate import Decision
from tasks.registry.version import RegisteredVersion, Ruling


def judged(word: str, decision: Decision, *, at: datetime, by: str, forced: str | None = None) -> Ruling:
    """The record of a decision that the gate was asked for."""
    return Ruling(decision=word, reasons=decision.reasons, at=at, by=by, forced=forced, skill=decision.skill)


def moved(reasons: tuple[str, ...], *, at: datetime, by: str) -> Ruling:
    """The record of a move that the gate has no say in."""
    return Ruling(decision="moved", reasons=reasons, at=at, by=by)


def refusal(candidate: RegisteredVersion, decision: Decision) -> PromotionRefused:
    """The error for a version that the gate does not let pass."""
    return PromotionRefused(
        f"{candidate.model} version {candidate.version}",
        have=" ".join(decision.failures),
        need="a version that beats the naive forecast and the version in Production on the same sessions",
        remedy='train a better one, or say why it should go all the same: --force --reason "..."',
        reasons=list(decision.reasons),
    )
