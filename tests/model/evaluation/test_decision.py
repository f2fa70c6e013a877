"""What a person decides is kept with its reasons, and the words of decisions stay as they are stored."""

import pytest

from model.errors import UsageError
from model.evaluation.check import judge, note
from model.evaluation.decision import DecisionWord, PersonDecision, record_person

SUBJECT = "META-Open version 3"
CHECKS = (note("Judged."), judge(True, "newest 250 sessions", "CRPS 0.99 times naive", "at most 1"))


def record(
    person: PersonDecision, passed: bool, decided: DecisionWord | None = DecisionWord.WAITING
) -> tuple[str, ...]:
    checks = record_person(SUBJECT, decided, person, CHECKS, passed)
    assert checks[:-1] == CHECKS
    return tuple(map(str, checks))


def test_an_approval_says_who_and_why() -> None:
    said = PersonDecision(approved=True, by="ada", reason="it has held up for a month")
    assert record(said, passed=True) == (
        "Judged.",
        "PASS newest 250 sessions: CRPS 0.99 times naive; needed at most 1.",
        "Approved by ada: it has held up for a month.",
    )
    assert record(PersonDecision(approved=True, by="ada"), passed=True)[-1] == "Approved by ada."


def test_an_approval_against_the_gates_advice_says_so_and_wants_a_reason() -> None:
    said = PersonDecision(approved=True, by="ada", reason=" the market has changed. ")
    assert record(said, passed=False)[-1] == ("Approved by ada, against the gate: the market has changed.")
    with pytest.raises(UsageError, match="no reason for approving it against the gate"):
        record(PersonDecision(approved=True, by="ada", reason="  "), passed=False)


def test_a_rejection_wants_a_reason() -> None:
    said = PersonDecision(approved=False, by="ada", reason="too dear")
    assert record(said, passed=True)[-1] == "Rejected by ada: too dear."
    with pytest.raises(UsageError, match="no reason for rejecting it"):
        record(PersonDecision(approved=False, by="ada"), passed=True)


@pytest.mark.parametrize("decided", [None, *(word for word in DecisionWord if word != DecisionWord.WAITING)])
def test_only_what_waits_can_be_approved_or_rejected(decided: DecisionWord | None) -> None:
    for approved in (True, False):
        with pytest.raises(UsageError, match="does not wait for approval"):
            record(PersonDecision(approved=approved, by="ada", reason="so"), passed=True, decided=decided)


def test_a_word_is_stored_and_shown_as_it_is() -> None:
    assert [str(word) for word in DecisionWord] == [
        *("promoted", "refused", "watched", "waiting", "approved", "rejected"),
        *("forced", "moved", "rolled back", "superseded", "by hand", "removed", "found", "taken back"),
    ]
    assert f"{DecisionWord.ROLLED_BACK}" == "rolled back"


def test_what_promotes_and_what_passes() -> None:
    assert {word for word in DecisionWord if word.promotes} == {"promoted", "approved", "forced"}
    assert {word for word in DecisionWord if word.passes} == {"promoted", "approved", "watched"}
