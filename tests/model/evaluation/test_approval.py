"""A person approves or rejects what waits, and the version keeps who it was and why."""

import pytest

from model.errors import UsageError
from model.evaluation.approval import PersonDecision, record_person

SUBJECT = "META-Open version 3"
SENTENCES = ("Judged.", "Compared.")


def test_an_approval_says_who_and_why() -> None:
    said = PersonDecision(approved=True, by="ada", reason="it has held up for a month")
    assert record_person(SUBJECT, "waiting", said, SENTENCES, passed=True) == (
        *SENTENCES,
        "Approved by ada: it has held up for a month.",
    )
    assert (
        record_person(SUBJECT, "waiting", PersonDecision(approved=True, by="ada"), SENTENCES, passed=True)[-1]
        == "Approved by ada."
    )


def test_an_approval_against_the_gates_advice_says_so_and_wants_a_reason() -> None:
    said = PersonDecision(approved=True, by="ada", reason=" the market has changed. ")
    assert record_person(SUBJECT, "waiting", said, SENTENCES, passed=False)[-1] == (
        "Approved by ada, against the gate: the market has changed."
    )
    with pytest.raises(UsageError, match="no reason for approving it against the gate"):
        record_person(SUBJECT, "waiting", PersonDecision(approved=True, by="ada", reason="  "), SENTENCES, passed=False)


def test_a_rejection_wants_a_reason() -> None:
    said = PersonDecision(approved=False, by="ada", reason="too dear")
    assert record_person(SUBJECT, "waiting", said, SENTENCES, passed=True)[-1] == "Rejected by ada: too dear."
    with pytest.raises(UsageError, match="no reason for rejecting it"):
        record_person(SUBJECT, "waiting", PersonDecision(approved=False, by="ada"), SENTENCES, passed=True)


@pytest.mark.parametrize("verdict", ["", "promoted", "refused", "approved", "rejected"])
def test_only_what_waits_can_be_approved_or_rejected(verdict: str) -> None:
    for approved in (True, False):
        with pytest.raises(UsageError, match="waits for nobody"):
            record_person(
                SUBJECT, verdict, PersonDecision(approved=approved, by="ada", reason="so"), SENTENCES, passed=True
            )
