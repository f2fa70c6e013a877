"""Decisions on versions, as they are stored with a version and read again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from model.errors import PromotionRefused, printable
from model.evaluation.check import read_check, text_table
from model.evaluation.decision import Decision, DecisionWord, FurtherVerdict
from tasks.registry.errors import after_refusal
from tasks.registry.version import RegisteredVersion
from tasks.settings import Stage

# The tags on a version's skill; those of a further horizon are verdict.5 and evidence.5.
JUDGED = ("verdict", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision on a version, as it is stored with it.

    reasons:  sentences, the gate's or a person's
    at, by:   when (with its time zone) and by whom
    forced:   why the gate was overridden; None where it was not
    verdict:  on its skill: proven, undecided or no skill; None where it was not judged
    evidence: the odds that it has skill; None likewise
    further:  sessions ahead -> both of them at each horizon beyond the next session that was judged
    """

    decision: DecisionWord
    reasons: tuple[str, ...]
    at: datetime
    by: str
    forced: str | None = None
    verdict: str | None = None
    evidence: float | None = None
    further: Mapping[int, FurtherVerdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make texts that people typed safe to show, each reason on one line."""
        object.__setattr__(self, "reasons", tuple(map(printable, self.reasons)))
        object.__setattr__(self, "by", printable(self.by))
        object.__setattr__(self, "forced", None if self.forced is None else printable(self.forced))

    def tags(self) -> dict[str, str]:
        """The tags that store it, in the order to set them."""
        verdict = {} if self.verdict is None else {"verdict": self.verdict}
        evidence = {} if self.evidence is None else {"evidence": f"{self.evidence:.6g}"}
        return {
            **verdict,
            **evidence,
            **{f"verdict.{ahead}": str(known.verdict) for ahead, known in self.further.items()},
            **{f"evidence.{ahead}": f"{known.evidence:.6g}" for ahead, known in self.further.items()},
            "decision.reasons": "\n".join(self.reasons),
            "decision.at": self.at.isoformat(timespec="seconds"),
            "decision.by": self.by,
            "decision.forced": self.forced or "",
            # Last: if the process is killed before this tag is set, the decision is not there, and is made again.
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
    """The ruling for a decision of the gate."""
    return Ruling(
        decision=word,
        reasons=decision.reasons,
        at=at,
        by=by,
        forced=forced,
        verdict=decision.verdict,
        evidence=decision.evidence,
        further=decision.further,
    )


def moved(reasons: tuple[str, ...], *, at: datetime, by: str) -> Ruling:
    """The ruling for a move that does not need the gate."""
    return Ruling(decision=DecisionWord.MOVED, reasons=reasons, at=at, by=by)


def as_judged(version: RegisteredVersion, ruling: Ruling | None) -> RegisteredVersion:
    """A version whose tags on its skill are replaced by those of a ruling; without one it has none."""
    known = dict[str, str]() if ruling is None else dict.fromkeys(JUDGED, "") | ruling.tags()
    others = {key: text for key, text in version.tags.items() if not _is_on_skill(key)}
    return replace(version, tags=others | {key: text for key, text in known.items() if _is_on_skill(key)})


def _is_on_skill(tag: str) -> bool:
    return tag.partition(".")[0] in JUDGED


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
    """Whether a version has been decided on; a kill may have come before the gate decided."""
    # Until the gate has decided, the newest decision is the move into the stage where versions wait for it.
    waits_for_gate = version.decision == DecisionWord.MOVED and version.decided_by in ("train", "gate")
    return version.decision is not None and not waits_for_gate


def recorded_decision(version: RegisteredVersion) -> Decision:
    """The decision on record for a version, made by the gate or by a person."""
    word = version.decision
    decided = DecisionWord.REFUSED
    # A version moved by hand or by a rollback is in Production, too, although the gate did not decide it.
    if word is not None and (word.promotes or version.stage == "Production"):
        decided = DecisionWord.PROMOTED
    elif word == DecisionWord.WAITING:
        decided = DecisionWord.WAITING
    return Decision(
        passed=word is not None and word.passes,
        word=decided,
        verdict=version.verdict,
        evidence=version.evidence,
        further=version.further,
        checks=tuple(map(read_check, version.reasons)),
    )
