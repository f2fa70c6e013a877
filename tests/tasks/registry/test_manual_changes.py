"""What a person changed in MLflow is told from the record, and of Production there is one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.decision import DecisionWord
from tasks.registry.manual_changes import (
    ModelView,
    changes_by_hand,
    describe_changes,
    differences,
    intended,
    production_of,
    superseded,
)
from tasks.registry.mlflow_registry import ModelState
from tasks.registry.ruling import Ruling
from tasks.registry.stage_history import BY_HAND, StageChange
from tasks.registry.version import RegisteredVersion, parse_stage

MODEL = "META-Open"
NOW = datetime(2020, 2, 4, 14, 0, tzinfo=UTC)
STAGES = st.sampled_from(["None", "Staging", "Production", "Archived"])


def view(
    recorded: Mapping[int, str], found: Mapping[int, str], alias: int | None, moved: str | None = "last"
) -> ModelView:
    """A model on record, and in MLflow."""
    ruling = Ruling(decision=DecisionWord.MOVED, reasons=(), at=NOW, by="me")
    return ModelView(
        versions={
            number: RegisteredVersion(model=MODEL, version=number, stage=parse_stage(stage), run_id="", source="")
            for number, stage in found.items()
        },
        state=ModelState({} if alias is None else {"production": alias}, moved),
        newest=[StageChange.of(ruling, "last", MODEL, number, "None", stage) for number, stage in recorded.items()],
    )


@pytest.mark.parametrize(
    ("found", "alias", "wanted"),
    [
        ({1: "Production", 2: "Staging"}, 1, {1: "Production", 2: "Staging"}),
        ({1: "Production", 2: "Production"}, 1, {1: "Archived", 2: "Production"}),
        ({1: "Production", 2: "Production", 3: "Production"}, 1, {1: "Archived", 2: "Archived", 3: "Production"}),
        ({1: "Archived", 2: "Production"}, 1, {1: "Archived", 2: "Production"}),
        ({1: "Production", 2: "Staging"}, 2, {1: "Archived", 2: "Production"}),
        ({1: "Production", 2: "Production", 3: "None"}, 3, {1: "Archived", 2: "Archived", 3: "Production"}),
        ({1: "Production", 2: "Staging"}, None, {1: "Archived", 2: "Staging"}),
        ({1: "Staging", 2: "Staging"}, 1, {1: "Staging", 2: "Staging"}),
        ({1: "Production", 2: "Staging"}, 9, {1: "Archived", 2: "Staging"}),
        ({2: "Staging"}, None, {1: "Deleted", 2: "Staging"}),
        ({1: "Production"}, 1, {1: "Production", 2: "Deleted"}),
    ],
    ids=[
        "nothing changed",
        "another one put there",
        "of several the highest",
        "another one put there, the first archived",
        "the alias moved",
        "alias and stage moved apart",
        "the alias taken away",
        "the stage taken away",
        "an alias of no version",
        "the one in Production deleted",
        "one in Staging deleted",
    ],
)
def test_each_change_by_hand_is_honoured(found: dict[int, str], alias: int | None, wanted: dict[int, str]) -> None:
    assert intended({1: "Production", 2: "Staging"}, found, alias) == wanted


@given(
    recorded=st.dictionaries(st.integers(1, 5), STAGES),
    found=st.dictionaries(st.integers(1, 5), STAGES),
    alias=st.none() | st.integers(1, 6),
)
def test_there_is_never_more_than_one_in_production_and_then_nothing_is_left_to_change(
    recorded: dict[int, str], found: dict[int, str], alias: int | None
) -> None:
    wanted = intended(recorded, found, alias)
    assert list(wanted.values()).count("Production") <= 1
    for version, stage in found.items():
        assert stage == "Production" or wanted[version] in (stage, "Production")
    there = {version: stage for version, stage in wanted.items() if stage != "Deleted"}
    assert intended(wanted, there, production_of(wanted)) == there


def test_what_leaves_production_comes_last_among_the_differences() -> None:
    assert list(differences({1: "Production", 2: "Staging"}, {1: "Archived", 2: "Staging", 3: "Production"})) == [
        (3, "None", "Production"),
        (1, "Production", "Archived"),
    ]
    assert list(differences({1: "Staging"}, {1: "Staging", 2: "None"})) == []


@pytest.mark.parametrize(
    ("found", "alias", "moved", "agrees"),
    [
        ({1: "Production"}, 1, "last", True),
        ({1: "Production"}, 1, "another", False),
        ({1: "Production"}, None, "last", False),
        ({1: "Archived"}, None, "last", False),
        ({1: "Production", 2: "Staging"}, 1, "last", False),
        ({1: "Production", 2: "None"}, 1, "last", True),
    ],
)
def test_mlflow_agrees_with_the_record_or_not(
    found: dict[int, str], alias: int | None, moved: str, agrees: bool
) -> None:
    assert view({1: "Production"}, found, alias, moved).agrees is agrees


def test_a_model_that_nobody_moved_agrees() -> None:
    assert view({}, {}, None, None).agrees
    assert view({}, {1: "None"}, None, None).agrees


def test_what_made_room_is_told_from_what_was_changed_itself() -> None:
    changes = changes_by_hand(MODEL, view({1: "Production"}, {1: "Production", 2: "Production"}, 1), NOW)
    assert [(line.version, line.before, line.after, line.decision) for line in changes] == [
        (2, "None", "Production", DecisionWord.BY_HAND),
        (1, "Production", "Archived", DecisionWord.SUPERSEDED),
    ]
    assert len({line.move for line in changes}) == 1
    assert {line.by for line in changes} == {BY_HAND}
    assert changes[0].reasons == ("Changed in MLflow, outside this program; noticed 2020-02-04 14:00 UTC.",)
    assert describe_changes(changes) == (
        "Version 2 of META-Open was moved from None to Production by hand in MLflow: now on record and in effect.",
        "Version 1 of META-Open was replaced in Production, and is in Archived now.",
    )


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"stage": "Staging", "decision": "waiting"}, DecisionWord.FOUND),
        ({"stage": "Staging", "decision": "praised"}, DecisionWord.FOUND),
        ({"stage": "None", "decision": "waiting"}, DecisionWord.BY_HAND),
        ({"stage": "Staging", "decision": ""}, DecisionWord.BY_HAND),
        ({}, DecisionWord.BY_HAND),
    ],
    ids=["decided there", "a damaged decision", "moved since", "nothing decided", "no tags"],
)
def test_what_was_decided_beside_another_ledger_is_told_from_what_was_changed_by_hand(
    tags: Mapping[str, str], word: DecisionWord
) -> None:
    empty = view({}, {1: "Staging"}, None, "a move of another ledger")
    tagged = replace(empty, versions={1: replace(empty.versions[1], tags=tags)})
    [change] = changes_by_hand(MODEL, tagged, NOW)
    assert (change.decision, change.before, change.after) == (word, "None", "Staging")


def test_what_was_archived_and_deleted_by_hand_is_described_as_that() -> None:
    changes = changes_by_hand(MODEL, view({1: "Production", 2: "Staging"}, {1: "Archived"}, None), NOW)
    assert [(line.version, line.after, line.decision) for line in changes] == [
        (2, "Deleted", DecisionWord.BY_HAND),
        (1, "Archived", DecisionWord.BY_HAND),
    ]
    assert describe_changes(changes)[0] == (
        "Version 2 of META-Open was deleted by hand in MLflow: now on record and in effect."
    )


def test_what_is_superseded_names_its_successor_and_the_decision() -> None:
    forced = Ruling(decision=DecisionWord.FORCED, reasons=("It loses.",), at=NOW, by="ada", forced="to see it")
    made_room = superseded(7, forced)
    assert made_room.reasons == ("Version 7 took its place in Production: forced.",)
    assert (made_room.decision, made_room.at, made_room.by, made_room.forced) == ("superseded", NOW, "ada", None)
