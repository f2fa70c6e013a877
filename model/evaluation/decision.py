"""The decisions on a version, the checks behind them, and a person's reasons beside the gate's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from model.errors import UsageError, printable
from model.evaluation.check import Check, Result, note


class Verdict(StrEnum):
    """What is known of a configuration's skill; the texts are stored and shown."""

    PROVEN = "proven"
    UNDECIDED = "undecided"
    NO_SKILL = "no skill"


class FurtherVerdict(NamedTuple):
    """What is known of a version's skill at a horizon beyond the next session, and the odds that it has skill."""

    verdict: Verdict
    evidence: float


class HorizonVerdict(NamedTuple):
    """The same with the number of sessions ahead, 1 for the next session; None where that is not on record."""

    horizon: int
    verdict: Verdict | None
    evidence: float | None


def verdicts(
    verdict: Verdict | None, evidence: float | None, further: Mapping[int, FurtherVerdict]
) -> tuple[HorizonVerdict, ...]:
    """The verdict on each horizon, that on the next session first."""
    return HorizonVerdict(1, verdict, evidence), *(HorizonVerdict(ahead, *known) for ahead, known in further.items())


class DecisionWord(StrEnum):
    """What was decided on a version, in one word; the texts are stored and shown.

    The gate says promoted, refused, watched (mode dry_run: it passes, and stays where it is) or waiting (mode manual:
    for a person). A person approves or rejects a version that waits, forces one past the gate, rolls back, or moves
    one to a stage that the gate does not guard. A version that is replaced in Production is superseded. A decision that
    stands in another ledger and not in this one is found. A move that MLflow refused is taken back.
    """

    PROMOTED = "promoted"
    REFUSED = "refused"
    WATCHED = "watched"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    FORCED = "forced"
    MOVED = "moved"
    ROLLED_BACK = "rolled back"
    SUPERSEDED = "superseded"
    BY_HAND = "by hand"
    REMOVED = "removed"
    FOUND = "found"
    TAKEN_BACK = "taken back"

    @property
    def promotes(self) -> bool:
        """Whether it puts a version into Production after the gate was asked, whatever the gate said."""
        return self in (DecisionWord.PROMOTED, DecisionWord.APPROVED, DecisionWord.FORCED)

    @property
    def passes(self) -> bool:
        """Whether the gate, or a person in its place, lets the version pass."""
        return self in (DecisionWord.PROMOTED, DecisionWord.APPROVED, DecisionWord.WATCHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The gate's decision on a version.

    passed:   whether every check passed
    word:     promoted, refused, watched (mode dry_run, and it passed) or waiting (mode manual: for a person)
    verdict:  what is known of its configuration's skill; None where that is not on record
    evidence: the odds that it has skill; None likewise
    checks:   each check with its result; those that failed stand first
    further:  sessions ahead -> what is known of its skill at each horizon beyond the next session that was judged
    """

    passed: bool
    word: DecisionWord
    verdict: Verdict | None
    evidence: float | None
    checks: tuple[Check, ...]
    further: Mapping[int, FurtherVerdict] = field(default_factory=dict)

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each check, which can be read as the check again."""
        return tuple(map(str, self.checks))

    @property
    def horizons(self) -> tuple[HorizonVerdict, ...]:
        """The verdict on each horizon, that on the next session first."""
        return verdicts(self.verdict, self.evidence, self.further)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.result == Result.FAIL)

    @property
    def failures(self) -> tuple[str, ...]:
        """The failed checks as sentences."""
        return tuple(map(str, self.failed))

    @property
    def promoted(self) -> bool:
        """Whether it is to be moved to Production."""
        return self.word == DecisionWord.PROMOTED


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecision:
    """What a person, `by` name, decides on a version that waits, and why."""

    approved: bool
    by: str
    reason: str = ""


def check_reason(subject: str, reason: str) -> None:
    """UsageError where a person gives no reason."""
    if not reason.strip():
        raise UsageError(
            subject,
            have="no reason",
            need="a reason; it is recorded with the version",
            remedy='add --reason "..."',
        )


def waits_for_nobody(subject: str, decision: str) -> UsageError:
    """The error for a person's decision on a version that waits for none; its decision in a word, or an empty text."""
    return UsageError(
        subject,
        have=f"it does not wait for approval: its decision is {decision!r}"
        if decision
        else "it does not wait for approval",
        need="a version that was trained or promoted while the gate's mode was manual",
        remedy="look at the decisions: tomorrow history MODEL; to ask the gate: tomorrow promote MODEL VERSION",
    )


def record_person(
    subject: str, decided: DecisionWord | None, person: PersonDecision, checks: Sequence[Check], passed: bool
) -> tuple[Check, ...]:
    """The checks to keep on a version that a person approves or rejects: the gate's, and the person's reason.

    subject: the version, as an error names it
    decided: the decision that is noted on it so far
    checks:  the gate's, and whether it `passed`

    UsageError where the version waits for nobody, and where a rejection, or an approval against the gate's advice,
    gives no reason.
    """
    if decided != DecisionWord.WAITING:
        raise waits_for_nobody(subject, decided.value if decided else "")
    reason, against = printable(person.reason.strip()), person.approved and not passed
    if not reason and (against or not person.approved):
        raise UsageError(
            subject,
            have=f"no reason for {'approving it against the gate' if against else 'rejecting it'}",
            need="a reason; it is recorded with the version",
            remedy='add --reason "..."',
        )
    done = f"{'Approved' if person.approved else 'Rejected'} by {printable(person.by)}"
    done += ", against the gate" if against else ""
    return (*checks, note(f"{done}: {reason.rstrip('.')}." if reason else f"{done}."))
