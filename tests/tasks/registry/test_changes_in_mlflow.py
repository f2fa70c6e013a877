"""What somebody changes in MLflow by hand is recorded and followed, and the history is not mixed with another."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import ConfigurationError, NothingInProduction, UsageError
from model.evaluation.decision import DecisionWord
from tasks.ledger.kept_files import KeptFiles
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.tracking.client import Tracking
from tests.tasks.registry.versions import MODEL, NOW, PASSED, alias_by_hand, by_hand, move_by_hand, stand, train


@pytest.mark.parametrize("how", ["stage", "stage, and the other one archived", "alias", "both"])
def test_a_version_put_into_production_by_hand_is_recorded_and_followed(
    registry: Registry, tracking: Tracking, how: str
) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    if how != "alias":
        move_by_hand(tracking.client, 3, "Production")
    if "archived" in how:
        move_by_hand(tracking.client, 1, "Archived")
    if how in ("alias", "both"):
        alias_by_hand(tracking.client, 3)
    chosen = registry.production(MODEL, NOW)
    assert chosen.version == 3
    assert "Version 3 of META-Open was moved from None to Production by hand" in chosen.notes[0]
    assert stand(tracking.client)[0] == {1: "Archived", 2: "None", 3: "Production"}
    assert stand(tracking.client)[2] == {"production": 3}
    left = "by hand" if "archived" in how else "superseded"
    assert by_hand(registry) == [(3, "None", "Production", "by hand"), (1, "Production", "Archived", left)]
    assert tracking.client.get_model_version(MODEL, "3").tags["decision.by"] == "by hand in MLflow"
    # Said once, and as good as any other move from then on.
    assert registry.production(MODEL, NOW).notes == ()
    assert registry.move(MODEL, 2, "Production", PASSED).archived == (3,)


def test_where_alias_and_stage_were_moved_apart_by_hand_the_alias_is_followed(
    registry: Registry, tracking: Tracking
) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    move_by_hand(tracking.client, 2, "Production")
    alias_by_hand(tracking.client, 3)
    assert registry.production(MODEL, NOW).version == 3
    assert stand(tracking.client)[0] == {1: "Archived", 2: "Archived", 3: "Production"}


@pytest.mark.parametrize("how", ["stage", "alias"])
def test_a_version_taken_out_of_production_by_hand_stays_out(registry: Registry, tracking: Tracking, how: str) -> None:
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    if how == "stage":
        move_by_hand(tracking.client, 1, "Staging")
    else:
        alias_by_hand(tracking.client, None)
    with pytest.raises(NothingInProduction, match="tomorrow promote META-Open 1"):
        registry.production(MODEL, NOW)
    left = "Staging" if how == "stage" else "Archived"
    assert by_hand(registry) == [(1, "Production", left, "by hand")]
    assert stand(tracking.client)[0] == {1: left}


def test_other_stages_set_by_hand_and_deleted_versions_are_recorded_too(registry: Registry, tracking: Tracking) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Staging", PASSED)
    registry.move(MODEL, 2, "Production", PASSED)
    move_by_hand(tracking.client, 3, "Archived")
    tracking.client.delete_model_version(MODEL, "1")
    assert registry.production(MODEL, NOW).version == 2
    assert by_hand(registry) == [(1, "Staging", "Deleted", "by hand"), (3, "None", "Archived", "by hand")]
    assert registry.settle(MODEL, NOW) == ()


def test_production_given_by_hand_to_a_version_that_nothing_is_on_record_of_is_followed(
    registry: Registry, tracking: Tracking
) -> None:
    train(tracking)
    move_by_hand(tracking.client, 1, "Production")
    assert registry.production(MODEL, NOW).version == 1
    assert by_hand(registry) == [(1, "None", "Production", "by hand")]
    assert not registry.move(MODEL, 1, "Production", PASSED).changed


def test_a_change_by_hand_is_honoured_before_a_move_of_ours(registry: Registry, tracking: Tracking) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    move_by_hand(tracking.client, 2, "Production")
    move = registry.move(MODEL, 3, "Production", replace(PASSED, at=NOW))
    assert (move.archived, len(move.notes)) == ((2,), 2)
    assert [change[0] for change in by_hand(registry)] == [2, 1, 3, 2]


def test_a_new_mlflow_database_beside_an_old_history_puts_nothing_into_production(
    registry: Registry, tracking: Tracking
) -> None:
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    tracking.client.delete_registered_model(MODEL)
    assert train(tracking) == 2, "a number that is on record is given out once"
    with pytest.raises(NothingInProduction):
        registry.production(MODEL, NOW)
    assert by_hand(registry) == [(1, "Production", "Deleted", "by hand")]


def test_a_move_from_another_history_is_honoured_and_not_undone(
    registry: Registry, tracking: Tracking, tmp_path: Path
) -> None:
    train(tracking)
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    elsewhere = tracking.settings.model_copy(
        update={"home": tmp_path / "elsewhere", "tracking": tracking.settings.tracking}
    )
    other = Registry(Tracking(tracking.client, elsewhere))
    other.move(MODEL, 2, "Production", PASSED)
    assert registry.production(MODEL, NOW).version == 2
    assert other.production(MODEL, NOW).version == 2


def test_a_model_that_another_mlflow_has_is_told_apart_and_its_history_kept(
    tracking: Tracking, registry: Registry
) -> None:
    registry.move(MODEL, train(tracking), "Staging", PASSED)
    before = registry.history.changes(MODEL)
    tracking.client.delete_registered_model(MODEL)  # as a new and empty MLflow looks to a ledger that was used before
    for ask in (registry.settle, registry.production):
        with pytest.raises(ConfigurationError, match="the MLflow and the ledger that belong together"):
            ask(MODEL, NOW)
    assert registry.history.changes(MODEL) == before


ANEW = Ruling(decision=DecisionWord.REMOVED, reasons=("Begun anew: cleaned up by mistake",), at=NOW, by="somebody")


def test_a_model_that_was_deleted_is_begun_anew_with_numbers_that_go_on(tracking: Tracking, registry: Registry) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 2, "Production", PASSED)
    tracking.client.delete_registered_model(MODEL)
    with pytest.raises(ConfigurationError, match="tomorrow train --anew"):
        registry.production(MODEL, NOW)
    registry.begin_anew(MODEL, ANEW)
    with pytest.raises(NothingInProduction, match="version 2, which was there, was deleted in MLflow"):
        registry.production(MODEL, NOW)
    assert by_hand(registry) == [(2, "Production", "Deleted", "removed")]
    assert train(tracking) == 4
    registry.move(MODEL, 4, "Production", PASSED)
    assert registry.production(MODEL, NOW).version == 4
    assert KeptFiles(tracking.settings.ledger_uri).highest(MODEL) == 4


def test_a_model_that_is_there_is_not_begun_anew(tracking: Tracking, registry: Registry) -> None:
    registry.move(MODEL, train(tracking), "Production", PASSED)
    with pytest.raises(UsageError, match="there is nothing to start again"):
        registry.begin_anew(MODEL, ANEW)


def test_a_model_that_never_was_is_not_begun_anew(tracking: Tracking, registry: Registry) -> None:
    with pytest.raises(UsageError, match="no version of it is on record"):
        registry.begin_anew(MODEL, ANEW)
    assert tracking.client.search_registered_models() == []


def test_that_the_version_in_production_was_deleted_by_hand_is_said_each_time(
    tracking: Tracking, registry: Registry
) -> None:
    registry.move(MODEL, train(tracking), "Production", PASSED)
    train(tracking)
    tracking.client.delete_model_version(MODEL, "1")
    for _ in range(2):
        with pytest.raises(NothingInProduction, match="version 1, which was there, was deleted in MLflow") as none:
            registry.production(MODEL, NOW)
        assert none.value.remedy == f"tomorrow promote {MODEL} 2 --to production"


def decided(tracking: Tracking) -> dict[int, dict[str, str]]:
    """Version -> what its tags keep of a decision."""
    found = tracking.client.search_model_versions(f"name='{MODEL}'")
    kept = ("stage", "verdict", "evidence", "decision")
    return {int(v.version): {key: text for key, text in v.tags.items() if key.startswith(kept)} for v in found}


def with_ledger(tracking: Tracking, ledger: Path) -> Registry:
    """The same MLflow beside another ledger."""
    settings = tracking.settings.model_copy(
        update={"ledger": tracking.settings.ledger.model_copy(update={"uri": f"sqlite:///{ledger}"})}
    )
    return Registry(Tracking(tracking.client, settings))


def test_beside_an_empty_ledger_the_history_begins_with_the_stages_found_and_decisions_are_kept(
    registry: Registry, tracking: Tracking, tmp_path: Path
) -> None:
    for _ in range(5):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    registry.move(MODEL, 2, "Production", replace(PASSED, verdict="proven", evidence=46.0))
    waiting = registry.move(MODEL, 3, "Staging", PASSED).version
    registry.record(waiting, replace(PASSED, decision=DecisionWord.WAITING, by="gate"))
    move_by_hand(tracking.client, 5, "Archived")
    before, there = decided(tracking), stand(tracking.client)
    empty = with_ledger(tracking, tmp_path / "empty.db")
    notes = empty.settle(MODEL, NOW)
    assert notes == (
        "Version 5 of META-Open was moved from None to Archived by hand in MLflow: now on record and in effect.",
        "3 versions of META-Open found in stages that were not on record in this ledger; now they are. "
        "A rollback knows only what is on record.",
    )
    assert by_hand(empty) == [
        (1, "None", "Archived", "found"),
        (2, "None", "Production", "found"),
        (3, "None", "Staging", "found"),
        (5, "None", "Archived", "by hand"),
    ]
    line = next(line for line in empty.history.changes(MODEL) if line.version == 3)
    assert line.reasons == (
        "Found in Staging by the decision that its tags keep: waiting (by gate, 2020-02-03T22:15:00+00:00).",
    )
    after = decided(tracking)
    assert {number: after[number] for number in (1, 2, 3, 4)} == {number: before[number] for number in (1, 2, 3, 4)}
    assert stand(tracking.client)[::2] == there[::2]
    assert empty.settle(MODEL, NOW) == ()
    # The ledger of before finds what was decided beside the other one, and neither undoes it.
    assert empty.production(MODEL, NOW).version == 2
    empty.record(empty.version(MODEL, 3), replace(PASSED, decision=DecisionWord.REJECTED, reasons=("Too dear.",)))
    assert len(registry.settle(MODEL, NOW)) == 1, "version 5"
    assert registry.settle(MODEL, NOW) == empty.settle(MODEL, NOW) == ()
    assert decided(tracking)[3]["decision"] == "rejected"


def test_beside_a_ledger_restored_from_a_copy_what_was_decided_since_is_found_and_kept(
    tracking: Tracking, tmp_path: Path
) -> None:
    for _ in range(2):
        train(tracking)
    copied = with_ledger(tracking, tmp_path / "ledger.db")
    copied.move(MODEL, 1, "Production", PASSED)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    copied.move(MODEL, 2, "Production", PASSED)
    before = decided(tracking)
    restored = with_ledger(tracking, tmp_path / "copy.db")
    assert restored.production(MODEL, NOW).version == 2
    assert by_hand(restored) == [(2, "None", "Production", "found"), (1, "Production", "Archived", "found")]
    assert decided(tracking) == before
    back = restored.roll_back(MODEL, replace(PASSED, decision=DecisionWord.ROLLED_BACK))
    assert back.version.version == 1
