"""What a person decides about a version that waits for approval (the gate's mode `manual`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecision:
    """How a person, `by` name, decides on a version that waits, and why."""

    approved: bool
    by: str
    reason: str = ""


def record_person(
    subject: str, verdict: str, person: PersonDecision, reasons: Sequence[str], passed: bool
) -> tuple[str, ...]:
    """The reasons to keep on a version that a person approves or rejects: the gate's, and the person's.

    subject: the version, as an error names it
    verdict: the decision that is noted on it so far
    reasons: the gate's sentences, and whether it `passed`

    UsageError where the version waits for nobody, and where a rejection, or an approval against the gate's advice,
    says no reason.
    """
    if verdict != "waiting":
        raise UsageError(
            subject,
            have=f"it waits for nobody: its decision is {verdict!r}" if verdict else "it waits for nobody",
            need="a version that was trained or promoted while the gate's mode was manual",
            remedy="look at the decisions in MLflow; past the gate: tomorrow promote ... --force --reason TEXT",
        )
    reason, against = person.reason.strip(), person.approved and not passed
    if not reason and (against or not person.approved):
        raise UsageError(
            subject,
            have=f"no reason for {'approving it against the gate' if against else 'rejecting it'}",
            need="a reason, which stays on the version for whoever asks later",
            remedy='add --reason "..."',
        )
    done = f"{'Approved' if person.approved else 'Rejected'} by {person.by}{', against the gate' if against else ''}"
    return (*reasons, f"{done}: {reason.rstrip('.')}." if reason else f"{done}.")
