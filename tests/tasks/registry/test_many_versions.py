"""A model with more versions than anybody reads: what runs daily looks at the new ones, and misses nothing by hand."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import NothingInProduction
from model.evaluation.decision import DecisionWord
from tasks.registry import mlflow_registry, stage_history
from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.registry import Registry
from tasks.settings import Settings
from tasks.tracking.client import Tracking, open_tracking
from tests.tasks.registry.versions import MODEL, NOW, PASSED, by_hand, move_by_hand, stand, train

MANY = 8


def few_are_new(patch: pytest.MonkeyPatch) -> None:
    """The newest two versions count as new."""
    patch.setattr(mlflow_registry, "LATELY", 2)
    patch.setattr(stage_history, "LATELY", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Path:
    """A state directory with eight versions that were in Production one after the other."""
    home = tmp_path_factory.mktemp("many") / "var"
    home.mkdir(mode=0o700)
    shutil.copy(template_database, home / "mlflow.db")
    tracking = open_tracking(Settings(home=home))
    registry = Registry(tracking)
    with pytest.MonkeyPatch.context() as patch:
        few_are_new(patch)
        for number in range(1, MANY + 1):
            train(tracking)
            registry.move(MODEL, number, "Production", PASSED)
    return home


@pytest.fixture
def settings(tmp_path: Path, made: Path) -> Settings:
    """Settings with a copy of that state directory."""
    return Settings(home=Path(shutil.copytree(made, tmp_path / "var")))


@pytest.fixture
def old(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of the eight versions."""
    few_are_new(monkeypatch)
    return registry


@pytest.fixture
def nobody_reads_all(old: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The same, where it is an error to read every version, or every line of the history."""

    def refuse(_: object, model: str, *conditions: str) -> None:
        assert conditions, f"every version of {model} is read"

    monkeypatch.setattr(MlflowRegistry, "versions", refuse)
    monkeypatch.setattr(stage_history.StageHistory, "changes", refuse)
    monkeypatch.setattr(stage_history.StageHistory, "newest", refuse)
    return old


def test_what_runs_daily_reads_no_version_that_is_not_new(nobody_reads_all: Registry, tracking: Tracking) -> None:
    registry = nobody_reads_all
    assert registry.production(MODEL, NOW).version == MANY
    assert registry.settle(MODEL, NOW) == ()
    assert registry.move(MODEL, 3, "Production", PASSED).archived == (MANY,)
    assert registry.move(MODEL, 5, "Staging", PASSED).changed
    registry.record(registry.version(MODEL, 5), replace(PASSED, decision=DecisionWord.REFUSED))
    assert registry.roll_back(MODEL, PASSED).version.version == MANY
    registry.remove(MODEL, 1, PASSED)
    stages = dict.fromkeys(range(2, MANY), "Archived") | {5: "Staging", MANY: "Production"}
    assert stand(tracking.client) == (stages, stages, {"production": MANY, "staging": 5})
    assert not [line for line in registry.history.tail(MODEL, 99) if line.decision == DecisionWord.BY_HAND]


def test_nothing_in_production_is_told_without_reading_every_version(nobody_reads_all: Registry) -> None:
    registry = nobody_reads_all
    for number in (2, 4, 6):
        registry.move(MODEL, number, "Staging", PASSED)
    registry.move(MODEL, MANY, "Archived", PASSED)
    with pytest.raises(NothingInProduction) as raised:
        registry.production(MODEL, NOW)
    assert "version 6 waits in Staging" in raised.value.have
    assert "version 4 waits in Staging" in raised.value.have
    assert "1 more, older ones" in raised.value.have
    assert raised.value.remedy.startswith(f"tomorrow promote {MODEL} 6 ")


def test_an_old_version_that_is_moved_by_hand_is_noticed_by_the_next_look(old: Registry, tracking: Tracking) -> None:
    move_by_hand(tracking.client, 2, "Production")
    assert old.production(MODEL, NOW).version == 2
    assert by_hand(old) == [
        (2, "Archived", "Production", "by hand"),
        (MANY, "Production", "Archived", "superseded"),
    ]
    assert old.settle(MODEL, NOW) == ()


def test_more_changes_by_hand_than_a_look_reads_are_all_noticed(old: Registry, tracking: Tracking) -> None:
    for number in (1, 2, 3, 4):
        move_by_hand(tracking.client, number, "Staging")
    assert len(old.settle(MODEL, NOW)) == 4
    assert {change[0] for change in by_hand(old)} == {1, 2, 3, 4}
    assert stand(tracking.client)[2] == {"production": MANY, "staging": 4}


def test_an_old_version_that_is_deleted_by_hand_is_noticed_when_all_are_compared(
    old: Registry, tracking: Tracking
) -> None:
    tracking.client.delete_model_version(MODEL, "2")
    assert old.settle(MODEL, NOW) == ()
    assert old.compare(MODEL, NOW) == (
        f"Version 2 of {MODEL} was deleted by hand in MLflow: now on record and in effect.",
    )
    assert by_hand(old) == [(2, "Archived", "Deleted", "by hand")]
    assert old.compare(MODEL, NOW) == ()


def test_a_rollback_passes_over_what_was_deleted(old: Registry, tracking: Tracking) -> None:
    for number in (7, 6):
        tracking.client.delete_model_version(MODEL, str(number))
    assert old.roll_back(MODEL, PASSED).version.version == 5
