"""Stage, alias and tag agree, whoever races."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.errors import NothingInProduction
from tasks.registry.registry import Registry
from tasks.settings import Settings
from tasks.tracking.client import open_tracking
from tests.postgres import database_on, postgres_server
from tests.racers import racers
from tests.tasks.registry.versions import MODEL, NOW, PASSED, stand, train

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier


RACERS = 6
# Six processes that begin at once, on a busy machine.
PATIENCE = 400
ROUNDS = 5


@pytest.fixture(params=["one state directory", pytest.param("two on one PostgreSQL", marks=pytest.mark.servers)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Settings]]:
    """Where the racers work: on one state directory, or on two that share MLflow's database and the ledger."""
    if request.param == "one state directory":
        yield [request.getfixturevalue("settings")]
        return
    with postgres_server() as server, database_on(server) as tracking, database_on(server) as ledger:
        shared = {"tracking": {"uri": tracking}, "ledger": {"uri": ledger}}
        yield [Settings.model_validate({"home": tmp_path / name, **shared}) for name in ("here", "elsewhere")]


def _promote_in_rounds(settings: Settings, number: int, line: "Barrier") -> None:
    registry = Registry(open_tracking(settings))
    for _ in range(ROUNDS):
        line.wait(PATIENCE)
        registry.move(MODEL, number, "Production", PASSED)
        line.wait(PATIENCE)
        line.wait(PATIENCE)


@pytest.mark.slow
def test_racing_promotions_leave_exactly_one_version_in_production(places: list[Settings]) -> None:
    tracking = open_tracking(places[0])
    for _ in range(RACERS):
        train(tracking)
    processes = racers()
    line = processes.Barrier(RACERS + 1)
    started = [
        processes.Process(target=_promote_in_rounds, args=(places[number % len(places)], number, line), daemon=True)
        for number in range(1, RACERS + 1)
    ]
    for racer in started:
        racer.start()
    for _ in range(ROUNDS):
        line.wait(PATIENCE)
        line.wait(PATIENCE)
        stages, tags, aliases = stand(tracking.client)
        assert sorted(stages.values()) == ["Archived"] * (RACERS - 1) + ["Production"]
        assert tags == stages
        assert stages[aliases["production"]] == "Production"
        assert "staging" not in aliases
        line.wait(PATIENCE)
    for racer in started:
        racer.join(60)
        assert racer.exitcode == 0


def _promote_better(settings: Settings, number: int, line: "Barrier") -> None:
    """Read the champion, decide by the number, move: as one step."""
    registry = Registry(open_tracking(settings))
    line.wait(PATIENCE)
    with registry.locked(MODEL):
        try:
            champion = registry.production(MODEL, NOW).version
        except NothingInProduction:
            champion = 0
        if number > champion:
            registry.move(MODEL, number, "Production", PASSED)


@pytest.mark.slow
def test_a_decision_and_its_move_are_one_step(places: list[Settings]) -> None:
    tracking = open_tracking(places[0])
    for _ in range(4):
        train(tracking)
    processes = racers()
    line = processes.Barrier(4)
    started = [
        processes.Process(target=_promote_better, args=(places[number % len(places)], number, line), daemon=True)
        for number in range(1, 5)
    ]
    for racer in started:
        racer.start()
    for racer in started:
        racer.join(240)
        assert racer.exitcode == 0
    assert Registry(tracking).production(MODEL, NOW).version == 4
