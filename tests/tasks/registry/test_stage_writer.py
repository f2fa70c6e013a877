"""At no moment are two versions in Production, and a move that was killed is completed."""

import contextlib
from dataclasses import replace

import pytest

from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.registry import Registry
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
