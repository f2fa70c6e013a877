"""What a version's stage and its tags say, and what is said of a damaged tag."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest

from model.errors import ConfigurationError, UsageError
from model.evaluation.check import judge, note
from model.evaluation.decision import Decision, DecisionWord, FurtherVerdict, Verdict
from tasks.registry.ruling import Ruling, as_judged, is_settled, judged, moved, recorded_decision, refusal
from tasks.registry.version import LONGEST_TAG, RegisteredVersion, parse_stage, start_of, truncate_tag
from tasks.settings import Stage

NOW = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)


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
        ruling = Ruling(
            decision=word, reasons=("It wins.", "By far."), at=at, by="ada", verdict="proven", evidence=46.25
        )
        read = version(ruling.tags())
        assert (read.decision, read.decided_by, read.reasons) == (word, "ada", ruling.reasons)
        assert (read.verdict, read.evidence) == ("proven", 46.25)
        assert type(ruling.tags()["decision"]) is str
    assert version({}).decision is None
    assert version({"decision": ""}).decision is None


def test_what_is_known_of_a_versions_skill_is_kept_where_it_was_judged() -> None:
    at = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)
    decision = Decision(
        passed=False, word=DecisionWord.REFUSED, verdict=Verdict.NO_SKILL, evidence=1.0, checks=(note("It loses."),)
    )
    tags = judged(decision.word, decision, at=at, by="gate").tags()
    assert (tags["verdict"], tags["evidence"], tags["decision"]) == ("no skill", "1", "refused")
    assert version(tags).named == "version 3 (no skill)"
    # A move that the gate has no say in leaves what is known as it is.
    assert not {"verdict", "evidence"} & moved((), at=at, by="ada").tags().keys()
    assert (version({}).verdict, version({}).evidence, version({}).named) == (None, None, "version 3")


def test_evidence_beyond_what_is_shown_is_kept_with_its_size() -> None:
    at = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)
    ruling = Ruling(decision=DecisionWord.PROMOTED, reasons=(), at=at, by="gate", verdict="proven", evidence=1.25e38)
    assert version(ruling.tags()).evidence == 1.25e38


def test_a_version_is_settled_when_the_gate_has_decided() -> None:
    assert not is_settled(version({}))
    assert not is_settled(version({"decision": "moved", "decision.by": "train"}))
    assert is_settled(version({"decision": "moved", "decision.by": "ada"}))
    assert is_settled(version({"decision": "waiting", "decision.by": "gate"}))


@pytest.mark.parametrize(
    ("word", "stage", "passed", "again"),
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
def test_a_decision_on_record_is_given_again(word: str, stage: Stage, passed: bool, again: str) -> None:
    tags = {"decision": word, "decision.reasons": "One.\nTwo.", "verdict": "undecided", "evidence": "2.5"}
    decision = recorded_decision(version(tags, stage))
    assert (decision.passed, decision.word) == (passed, again)
    assert (decision.verdict, decision.evidence) == ("undecided", 2.5)
    assert decision.reasons == ("One.", "Two.")


def test_a_refusal_names_what_failed_and_what_is_needed() -> None:
    decision = Decision(
        passed=False,
        word=DecisionWord.REFUSED,
        verdict=Verdict.UNDECIDED,
        evidence=2.0,
        checks=(
            judge(False, "evidence of skill", "2.0 to 1", "20 to 1"),
            judge(True, "newest 250 sessions", "CRPS 0.99 times naive", "at most 1"),
        ),
    )
    error = refusal(version({}), decision)
    assert (error.subject, error.exit_code) == ("META-Open version 3", 4)
    assert error.have.splitlines() == [
        "refused by the gate",
        "    result  check              measured  needed",
        "    FAIL    evidence of skill  2.0 to 1  20 to 1",
    ]
    assert "proven" in str(error)
    assert error.as_json()["reasons"] == [
        "FAIL evidence of skill: 2.0 to 1; needed 20 to 1.",
        "PASS newest 250 sessions: CRPS 0.99 times naive; needed at most 1.",
    ]
    assert error.as_json()["checks"] == [
        {"result": "FAIL", "name": "evidence of skill", "measured": "2.0 to 1", "needed": "20 to 1"},
        {"result": "PASS", "name": "newest 250 sessions", "measured": "CRPS 0.99 times naive", "needed": "at most 1"},
    ]


def test_where_a_training_started_is_read_from_its_tags() -> None:
    tags = {"generation": "2", "started_from": "META-Open/17", "x.started_from.run_id": "r17", "start": "From 17."}
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
        ("verdict", "skilled", "verdict"),
        ("evidence", "46 to 1", "evidence"),
    ],
)
def test_a_damaged_tag_names_the_version_and_what_to_do(tag: str, text: str, field: str) -> None:
    damaged = version({tag: text})
    with pytest.raises(ConfigurationError, match=f"tag '{tag}' of META-Open version 3") as caught:
        getattr(damaged, field)
    assert caught.value.have == repr(text)
    assert "correct the tag on the version's page in MLflow" in str(caught.value)
    assert damaged.model_uri == "models:/META-Open/3", "it can be loaded all the same"


def test_the_verdict_on_each_horizon_is_read_from_the_tags_in_order() -> None:
    tags = {
        "verdict": "proven",
        "evidence": "46",
        "verdict.21": "no skill",
        "evidence.21": "1",
        "verdict.5": "undecided",
    }
    found = version({**tags, "evidence.5": "3.5", "verdict.day": "x", "verdict.6": ""})
    assert found.further == {5: FurtherVerdict(Verdict.UNDECIDED, 3.5), 21: FurtherVerdict(Verdict.NO_SKILL, 1.0)}
    assert found.horizons == ((1, "proven", 46.0), (5, "undecided", 3.5), (21, "no skill", 1.0))
    assert recorded_decision(found).horizons == found.horizons
    with pytest.raises(ConfigurationError, match=r"tag 'verdict.5' of META-Open version 3"):
        _ = version({"verdict.5": "brilliant"}).further


def test_only_what_is_on_record_counts_of_the_tags_on_skill() -> None:
    tags = {"verdict": "proven", "evidence": "99", "verdict.5": "proven", "evidence.5": "99", "verdict.9": "proven"}
    given = version({**tags, "preset": "anchored"})
    assert as_judged(given, None).tags == {"preset": "anchored"}
    ruling = Ruling(decision=DecisionWord.REFUSED, reasons=(), at=NOW, by="gate", verdict="undecided", evidence=2.0)
    alone = as_judged(given, ruling)
    assert alone.tags == {"preset": "anchored", "verdict": "undecided", "evidence": "2"}
    further = Ruling(
        decision=DecisionWord.REFUSED,
        reasons=(),
        at=NOW,
        by="gate",
        verdict="undecided",
        further={5: FurtherVerdict(Verdict.NO_SKILL, 1.0)},
    )
    assert as_judged(given, further).further == {5: FurtherVerdict(Verdict.NO_SKILL, 1.0)}
    assert as_judged(given, further).tags["evidence"] == ""
