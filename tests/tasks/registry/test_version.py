"""What a version's stage and its tags say, and what is said of a damaged tag."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest

from model.errors import ConfigurationError, UsageError
from model.evaluation.decision import DecisionWord
from tasks.registry.ruling import Ruling, is_settled, recorded_decision
from tasks.registry.version import LONGEST_TAG, RegisteredVersion, parse_stage, start_of, truncate_tag
from tasks.settings import Stage


def version(tags: Mapping[str, str], stage: Stage = "Staging") -> RegisteredVersion:
    return RegisteredVersion(model="META-Open", version=3, stage=stage, run_id="r", source="models:/m-1", tags=tags)


@pytest.mark.parametrize(
    ("text", "stage"),
    [("production", "Production"), ("STAGING", "Staging"), (" Archived ", "Archived"), ("none", "None")],
)
def test_a_stage_is_understood_in_any_case(text: str, stage: Stage) -> None:
    assert parse_stage(text) == stage


@pytest.mark.parametrize("text", ["", "prod", "Produktion"])
def test_an_unknown_stage_names_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError, match="None, Staging, Production, Archived"):
        parse_stage(text)


def test_a_text_too_long_for_a_tag_says_that_it_was_cut() -> None:
    assert truncate_tag("x" * LONGEST_TAG) == "x" * LONGEST_TAG
    short = truncate_tag("x" * 9000)
    assert len(short) == LONGEST_TAG
    assert short.endswith("x ... (cut: 9000 characters)")


def test_what_was_decided_is_read_from_the_tags_that_keep_it() -> None:
    at = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)
    for word in DecisionWord:
        ruling = Ruling(decision=word, reasons=("It wins.", "By far."), at=at, by="ada", skill="0.1000")
        read = version(ruling.tags())
        assert (read.decision, read.decided_by, read.reasons) == (word, "ada", ruling.reasons)
        assert type(ruling.tags()["decision"]) is str
    assert version({}).decision is None
    assert version({"decision": ""}).decision is None


def test_a_version_is_settled_when_the_gate_has_decided() -> None:
    assert not is_settled(version({}))
    assert not is_settled(version({"decision": "moved", "decision.by": "train"}))
    assert is_settled(version({"decision": "moved", "decision.by": "ada"}))
    assert is_settled(version({"decision": "waiting", "decision.by": "gate"}))


@pytest.mark.parametrize(
    ("word", "stage", "passed", "verdict"),
    [
        ("promoted", "Archived", True, "promoted"),
        ("forced", "Production", False, "promoted"),
        ("moved", "Production", False, "promoted"),
        ("moved", "Staging", False, "refused"),
        ("watched", "Staging", True, "refused"),
        ("waiting", "Staging", False, "waiting"),
        ("", "None", False, "refused"),
    ],
)
def test_a_decision_on_record_is_given_again(word: str, stage: Stage, passed: bool, verdict: str) -> None:
    decision = recorded_decision(version({"decision": word, "decision.reasons": "One.\nTwo.", "skill": "none"}, stage))
    assert (decision.passed, decision.verdict, decision.skill) == (passed, verdict, "none")
    assert decision.reasons == ("One.", "Two.")


def test_where_a_training_started_is_read_from_its_tags() -> None:
    tags = {"generation": "2", "started_from": "META-Open/17", "started_from.run_id": "r17", "start": "From 17."}
    assert start_of(version(tags)) == {"generation": 2, "version": 17, "run_id": "r17", "reason": "From 17."}
    assert start_of(version({})) == {"generation": 0, "version": None, "run_id": None, "reason": ""}
    assert version({"as_of": "2020-01-31"}).as_of == date(2020, 1, 31)


@pytest.mark.parametrize(
    ("tag", "text", "field"),
    [
        ("decision", "promted", "decision"),
        ("generation", "two", "generation"),
        ("generation", "-1", "generation"),
        ("started_from", "META-Open/latest", "started_from"),
        ("as_of", "31.1.2020", "as_of"),
    ],
)
def test_a_damaged_tag_names_the_version_and_what_to_do(tag: str, text: str, field: str) -> None:
    damaged = version({tag: text})
    with pytest.raises(ConfigurationError, match=f"tag '{tag}' of META-Open version 3") as caught:
        getattr(damaged, field)
    assert caught.value.have == repr(text)
    assert "correct the tag on the version's page in MLflow" in str(caught.value)
    assert damaged.model_uri == "models:/META-Open/3", "it can be loaded all the same"
