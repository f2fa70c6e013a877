"""Decisions on versions: as they are kept on a version, and as they are read from it again."""

from dataclasses import asdict, dataclass
from datetime import datetime

from model.errors import PromotionRefused, printable
from model.evaluation.check import read_check, text_table
from model.evaluation.decision import Decision, DecisionWord
from tasks.registry.errors import after_refusal
from tasks.registry.version import RegisteredVersion
from tasks.settings import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision on a version, as it is kept on it.

    reasons:  sentences, the gate's or a person's
    at, by:   when (with its time zone) and by whom
    forced:   why the gate was overridden, where it was
    verdict:  what is known of its skill: proven, undecided or no skill; None where nothing was judged
    evidence: the odds that it has skill; None likewise
    """

    decision: DecisionWord
    reasons: tuple[str, ...]
    at: datetime
    by: str
    forced: str | None = None
    verdict: str | None = None
    evidence: float | None = None

    def __post_init__(self) -> None:
        """Write what people have typed as it may be shown, each reason on a line of its own."""
        object.__setattr__(self, "reasons", tuple(map(printable, self.reasons)))
        object.__setattr__(self, "by", printable(self.by))
        object.__setattr__(self, "forced", None if self.forced is None else printable(self.forced))

    def tags(self) -> dict[str, str]:
        """The tags that keep it, in the order to set them; an empty text where there is nothing to say."""
        verdict = {} if self.verdict is None else {"verdict": self.verdict}
        evidence = {} if self.evidence is None else {"evidence": f"{self.evidence:.6g}"}
        return {
            **verdict,
            **evidence,
            "decision.reasons": "\n".join(self.reasons),
            "decision.at": self.at.isoformat(timespec="seconds"),
            "decision.by": self.by,
            "decision.forced": self.forced or "",
            # Last: where a process was killed between them, the decision is not there yet, and is made again.
            "decision": self.decision.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a move did: `version` as it is now, the stage it had `before`, and the versions it `archived`."""

    version: RegisteredVersion
    before: Stage
    archived: tuple[int, ...]
    changed: bool
    notes: tuple[str, ...] = ()


def judged(word: DecisionWord, decision: Decision, *, at: datetime, by: str, forced: str | None = None) -> Ruling:
    """The record of a decision that the gate was asked for."""
    return Ruling(
        decision=word,
        reasons=decision.reasons,
        at=at,
        by=by,
        forced=forced,
        verdict=decision.verdict,
        evidence=decision.evidence,
    )


def moved(reasons: tuple[str, ...], *, at: datetime, by: str) -> Ruling:
    """The record of a move that the gate has no say in."""
    return Ruling(decision=DecisionWord.MOVED, reasons=reasons, at=at, by=by)


def refusal(candidate: RegisteredVersion, decision: Decision) -> PromotionRefused:
    """The error for a version that the gate does not let pass."""
    return PromotionRefused(
        f"{candidate.model} version {candidate.version}",
        have="\n".join(("refused by the gate", *text_table(decision.failed, "    "))),
        need="a version whose configuration is proven, and that is better than the version in Production",
        remedy=after_refusal(candidate),
        reasons=list(decision.reasons),
        checks=[asdict(check) for check in decision.checks],
    )


def is_settled(version: RegisteredVersion) -> bool:
    """Whether the gate has decided on a version; a kill may come before."""
    # Until the gate has spoken, the record is that of the move into the stage where versions wait for it.
    waits_for_gate = version.decision == DecisionWord.MOVED and version.decided_by in ("train", "gate")
    return version.decision is not None and not waits_for_gate


def recorded_decision(version: RegisteredVersion) -> Decision:
    """The decision that is on record for a version, be it the gate's or a person's."""
    word = version.decision
    decided = DecisionWord.REFUSED
    # What was moved there by hand, or by the way back, was not asked for by the gate, and is there all the same.
    if word is not None and (word.promotes or version.stage == "Production"):
        decided = DecisionWord.PROMOTED
    elif word == DecisionWord.WAITING:
        decided = DecisionWord.WAITING
    return Decision(
        passed=word is not None and word.passes,
        word=decided,
        verdict=version.verdict,
        evidence=version.evidence,
        checks=tuple(map(read_check, version.reasons)),
    )
