"""At no moment are two versions in Production, and a move that was killed is completed."""

import contextlib
from dataclasses import replace
from functools import partial

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from model.errors import ConfigurationError
from model.evaluation.decision import DecisionWord
from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import Stage
from tasks.tracking.client import Tracking
from tests.tasks.registry.versions import MODEL, NOW, PASSED, by_hand, stand, train


def test_at_no_moment_of_a_promotion_are_two_versions_in_production(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    seen = []
    transition = MlflowRegistry.transition

    def transition_and_look(mlflow: MlflowRegistry, model: str, number: int, stage: Stage) -> None:
        transition(mlflow, model, number, stage)
        seen.append((list(stand(tracking.client)[0].values()).count("Production"), set(stand(tracking.client)[2])))

    monkeypatch.setattr(MlflowRegistry, "transition", transition_and_look)
    registry.move(MODEL, 2, "Production", PASSED)
    registry.roll_back(MODEL, PASSED)
    registry.move(MODEL, 3, "Production", PASSED)
    assert [count for count, _ in seen] == [0, 1] * 3
    assert all("production" in aliases for _, aliases in seen)


@pytest.mark.parametrize("steps", range(14))
def test_a_move_that_was_killed_is_completed_by_whoever_looks_next(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    train(tracking)
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    left = steps

    def dying(write: str) -> None:
        original = getattr(tracking.client, write)

        def once_less(*args: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return original(*args, **options)

        monkeypatch.setattr(tracking.client, write, once_less)

    for write in (
        "transition_model_version_stage",
        "set_registered_model_alias",
        "set_model_version_tag",
        "set_registered_model_tag",
    ):
        dying(write)
    with contextlib.suppress(KeyboardInterrupt):
        registry.move(MODEL, 2, "Production", replace(PASSED, verdict="proven", evidence=46.0))
    monkeypatch.undo()
    # It was on record before anything was moved: nobody has to ask again.
    assert registry.production(MODEL, NOW).version == 2
    stages = {1: "Archived", 2: "Production"}
    assert stand(tracking.client) == (stages, stages, {"production": 2})
    assert by_hand(registry) == []
    tags = tracking.client.get_model_version(MODEL, "2").tags
    assert (tags["decision"], tags["verdict"], tags["evidence"]) == ("promoted", "proven", "46")
    assert [change.version for change in registry.history.changes(MODEL)] == [1, 2, 1]


def one_in_production_and_one_waiting(registry: Registry, tracking: Tracking) -> object:
    """Version 1 is in Production and version 2 is not; how MLflow has them."""
    registry.move(MODEL, train(tracking), "Production", PASSED)
    train(tracking)
    return stand(tracking.client)


def refusing(tracking: Tracking, monkeypatch: pytest.MonkeyPatch, *writes: str, after: int = 0) -> None:
    """A server that lets us read, and from so many writes on forbids these."""
    left = after

    def wrapped(write: str) -> None:
        original = getattr(tracking.client, write)

        def ask(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise MlflowException("Permission denied", error_code=PERMISSION_DENIED)
            return original(*args, **options)

        monkeypatch.setattr(tracking.client, write, ask)

    for write in writes:
        wrapped(write)


def test_a_move_that_mlflow_forbids_is_taken_back_and_made_by_nobody_later(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = one_in_production_and_one_waiting(registry, tracking)
    with monkeypatch.context() as patch:
        refusing(tracking, patch, "transition_model_version_stage")
        for ask in (partial(registry.move, MODEL, 2, "Production"), partial(registry.move, MODEL, 1, "Archived")):
            with pytest.raises(ConfigurationError, match="Permission denied") as refused:
                ask(PASSED)
            assert refused.value.subject == f"the stages of {MODEL}"
            assert "nothing will be moved later" in refused.value.remedy
    assert registry.production(MODEL, NOW).version == 1
    assert registry.compare(MODEL, NOW) == ()
    assert stand(tracking.client) == before
    told = [(line.version, line.before, line.after, line.decision) for line in registry.history.tail(MODEL, 4)]
    assert told == [
        *((2, "Production", "None", "taken back"), (1, "Archived", "Production", "taken back")),
        *((1, "Production", "Archived", "promoted"), (1, "Archived", "Production", "taken back")),
    ]
    registry.move(MODEL, 2, "Production", PASSED)
    assert registry.roll_back(MODEL, PASSED).version.version == 1, "a move that was taken back is not on the way"


def test_a_decision_by_way_of_a_stage_is_one_move_and_is_taken_back_as_one(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tracking)
    arrival: tuple[Stage, Ruling] = (
        "Staging",
        replace(PASSED, decision=DecisionWord.MOVED, reasons=("Trained.",), by="train"),
    )
    decide = partial(registry.decide, MODEL, 1, PASSED, promoted=True, by_way_of=arrival)
    with monkeypatch.context() as patch:
        refusing(tracking, patch, "transition_model_version_stage")
        with pytest.raises(ConfigurationError, match="Permission denied"):
            decide()
    assert (registry.version(MODEL, 1).stage, registry.compare(MODEL, NOW)) == ("None", ())
    decided = decide()
    assert (decided.stage, decided.decision) == ("Production", PASSED.decision)
    lines = registry.history.changes(MODEL)
    assert [(line.before, line.after, line.decision) for line in lines] == [
        *(("None", "Staging", "moved"), ("Staging", "Production", "promoted"), ("Production", "None", "taken back")),
        *(("None", "Staging", "moved"), ("Staging", "Production", "promoted")),
    ]
    assert lines[-1].move == lines[-2].move != lines[0].move
    assert registry.production(MODEL, NOW).version == 1


def test_what_was_made_of_a_move_before_mlflow_forbade_the_rest_is_undone_by_whoever_looks_next(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = one_in_production_and_one_waiting(registry, tracking)
    with monkeypatch.context() as patch:
        refusing(tracking, patch, "transition_model_version_stage", after=1)
        with pytest.raises(ConfigurationError, match="Permission denied"):
            registry.move(MODEL, 2, "Production", PASSED)
    assert stand(tracking.client) != before
    assert registry.production(MODEL, NOW).version == 1
    assert stand(tracking.client) == before


def test_another_fault_of_mlflow_leaves_the_move_to_be_completed(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tracking)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client, "transition_model_version_stage", full)
        with pytest.raises(OSError, match="No space"):
            registry.move(MODEL, 1, "Production", PASSED)
    assert registry.production(MODEL, NOW).version == 1
