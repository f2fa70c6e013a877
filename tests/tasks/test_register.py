"""Versions are registered and moved between stages; stage, alias and tag agree, whoever races."""

import json
import multiprocessing
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from model.errors import NothingInProduction, UsageError
from tasks.register import Registry
from tasks.settings import Settings, Stage
from tasks.store import experiment_id, open_client
from tasks.version import LONGEST_TAG, Ruling, cut, parse_stage

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from mlflow import MlflowClient

MODEL = "META-Open"
PASSED = Ruling(
    decision="promoted",
    reasons=("RMSE 3.00 $ beats the newest Close, 4.06 $.", "Nothing is in Production to compare with."),
    at=datetime(2020, 2, 3, 22, 15, tzinfo=UTC),
    by="somebody",
)
RACERS = 6
ROUNDS = 5


@pytest.fixture
def registry(client: "MlflowClient", settings: Settings) -> Registry:
    return Registry(client, settings)


def train(client: "MlflowClient", settings: Settings, model: str = MODEL) -> int:
    """Register what a training would: a run with a model of its own; no network is needed for it."""
    run = client.create_run(experiment_id(client, settings))
    run_id = run.info.run_id
    logged = client.create_logged_model(run.info.experiment_id, name="forecaster", source_run_id=run_id)
    client.set_terminated(run_id)
    registered = Registry(client, settings).register(
        model, run_id=run_id, model_uri=f"models:/{logged.model_id}", tags={"preset": "tutorial"}
    )
    return registered.version


def stand(client: "MlflowClient") -> tuple[dict[int, str], dict[int, str], dict[str, int]]:
    """Stages by version, the tag `stage` by version, aliases: as MLflow itself tells them."""
    found = client.search_model_versions(f"name='{MODEL}'")
    aliases = client.get_registered_model(MODEL).aliases
    return (
        {int(version.version): str(version.current_stage) for version in found},
        {int(version.version): version.tags["stage"] for version in found},
        {name: int(version) for name, version in aliases.items()},
    )


def move_by_hand(client: "MlflowClient", version: int, stage: Stage) -> None:
    """What a click in MLflow's own pages does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(MODEL, str(version), stage)


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


def test_a_version_is_registered_with_its_run_source_and_tags(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    number = train(client, settings)
    version = registry.version(MODEL, number)
    assert (version.model, version.version, version.stage) == (MODEL, 1, "None")
    assert version.model_uri == "models:/META-Open/1"
    assert version.source.startswith("models:/m-")
    assert version.tags == {"preset": "tutorial", "stage": "None"}
    assert client.get_run(version.run_id).info.status == "FINISHED"
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": MODEL, "version": 1}]


def test_registering_a_run_again_makes_no_second_version(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    first = registry.version(MODEL, train(client, settings))
    again = registry.register(MODEL, run_id=first.run_id, model_uri=first.source)
    assert again == first
    assert train(client, settings) == 2


def test_nothing_in_production_says_what_to_do(registry: Registry, client: "MlflowClient", settings: Settings) -> None:
    with pytest.raises(NothingInProduction, match="tomorrow train"):
        registry.production(MODEL)
    for _ in range(3):
        train(client, settings)
    registry.move(MODEL, 2, "Staging", PASSED)
    with pytest.raises(NothingInProduction, match="tomorrow promote META-Open 2 --to production") as caught:
        registry.production(MODEL)
    assert caught.value.exit_code == 5


def test_promotion_archives_the_version_before_and_keeps_the_decision(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    train(client, settings)
    train(client, settings)
    registry.move(MODEL, 1, "Staging", PASSED)
    first = registry.move(MODEL, 1, "Production", PASSED)
    assert (first.before, first.archived, first.changed, first.notes) == ("Staging", (), True, ())
    second = registry.move(MODEL, 2, "Production", PASSED)
    assert second.archived == (1,)
    assert stand(client) == (
        {1: "Archived", 2: "Production"},
        {1: "Archived", 2: "Production"},
        {"production": 2},
    )
    chosen = registry.production(MODEL)
    assert (chosen.version, chosen.notes) == (2, ())
    assert chosen.tags["decision"] == "promoted"
    assert chosen.tags["decision.reasons"] == "\n".join(PASSED.reasons)
    assert chosen.tags["decision.at"] == "2020-02-03T22:15:00+00:00"
    assert chosen.tags["decision.by"] == "somebody"
    assert chosen.tags["decision.forced"] == ""


def test_mlflows_own_addresses_lead_to_the_same_versions(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    for _ in range(4):
        train(client, settings)
    for number, stage in ((1, "Production"), (2, "Production"), (4, "Staging"), (3, "Staging")):
        registry.move(MODEL, number, parse_stage(stage), PASSED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        latest = {found.current_stage: int(found.version) for found in client.get_latest_versions(MODEL)}
    assert latest == {"Archived": 1, "Production": 2, "Staging": 4}
    assert stand(client)[2] == {"production": 2, "staging": 4}


def test_a_refusal_is_noted_on_a_version_that_stays(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    train(client, settings)
    staged = registry.move(MODEL, 1, "Staging", PASSED).version
    refused = Ruling(decision="refused", reasons=("It loses.",), at=PASSED.at, by="the gate")
    noted = registry.record(staged, refused)
    assert (noted.stage, noted.tags["decision"], noted.tags["decision.reasons"]) == ("Staging", "refused", "It loses.")


def test_the_reason_for_forcing_is_kept_with_the_version_it_was_for(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    train(client, settings)
    forced = Ruling(decision="forced", reasons=("It loses.",), at=PASSED.at, by="me", forced="to show it")
    assert registry.move(MODEL, 1, "Production", forced).version.tags["decision.forced"] == "to show it"
    assert registry.move(MODEL, 1, "Archived", PASSED).version.tags["decision.forced"] == ""


def test_moving_to_where_it_is_changes_nothing_and_says_so(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    train(client, settings)
    registry.move(MODEL, 1, "Production", PASSED)
    before = client.get_model_version(MODEL, "1")
    again = registry.move(MODEL, 1, "Production", Ruling(decision="moved", reasons=(), at=PASSED.at, by="other"))
    assert not again.changed
    assert again.notes == ("Version 1 of META-Open is in Production already.",)
    after = client.get_model_version(MODEL, "1")
    assert (after.tags, after.last_updated_timestamp) == (before.tags, before.last_updated_timestamp)


@pytest.mark.parametrize("stage", ["None", "Staging", "Archived"])
def test_leaving_production_leaves_nothing_there(
    registry: Registry, client: "MlflowClient", settings: Settings, stage: Stage
) -> None:
    train(client, settings)
    registry.move(MODEL, 1, "Production", PASSED)
    registry.move(MODEL, 1, stage, PASSED)
    assert stand(client) == ({1: stage}, {1: stage}, {"staging": 1} if stage == "Staging" else {})
    with pytest.raises(NothingInProduction):
        registry.production(MODEL)


def test_an_unknown_model_names_the_known_ones(registry: Registry, client: "MlflowClient", settings: Settings) -> None:
    with pytest.raises(UsageError, match="tomorrow train"):
        registry.version("META-Opne", 1)
    train(client, settings)
    train(client, settings, "AAPL-Close")
    with pytest.raises(UsageError, match="one of AAPL-Close, META-Open"):
        registry.version("META-Opne", 1)


@pytest.mark.parametrize("number", [0, -1, 3, 10**12])
def test_an_unknown_version_names_the_known_ones(
    registry: Registry, client: "MlflowClient", settings: Settings, number: int
) -> None:
    train(client, settings)
    train(client, settings)
    with pytest.raises(UsageError, match="one of 1, 2") as caught:
        registry.move(MODEL, number, "Production", PASSED)
    assert caught.value.exit_code == 2
    assert stand(client)[0] == {1: "None", 2: "None"}


def test_a_stage_changed_by_hand_is_told_and_the_alias_followed(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    for _ in range(3):
        train(client, settings)
    registry.move(MODEL, 1, "Production", PASSED)
    move_by_hand(client, 1, "Archived")
    move_by_hand(client, 3, "Production")
    chosen = registry.production(MODEL)
    assert chosen.version == 1
    assert len(chosen.notes) == 2
    assert "whose stage is Archived" in " ".join(chosen.notes)
    assert "tomorrow promote META-Open 3 --to production" in " ".join(chosen.notes)
    move = registry.move(MODEL, 2, "Production", PASSED)
    assert move.archived == (3,)
    assert "Version 3 of META-Open had the stage Production without the alias" in move.notes[0]
    assert stand(client)[0] == {1: "Archived", 2: "Production", 3: "Archived"}


def test_production_given_by_hand_alone_is_not_followed_but_named(
    registry: Registry, client: "MlflowClient", settings: Settings
) -> None:
    train(client, settings)
    move_by_hand(client, 1, "Production")
    with pytest.raises(NothingInProduction, match="outside this program") as caught:
        registry.production(MODEL)
    assert caught.value.remedy == "tomorrow promote META-Open 1 --to production"
    assert registry.move(MODEL, 1, "Production", PASSED).changed
    assert registry.production(MODEL).notes == ()


@pytest.mark.parametrize("steps", range(10))
def test_a_promotion_that_was_killed_is_completed_by_asking_again(
    registry: Registry, client: "MlflowClient", settings: Settings, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    train(client, settings)
    train(client, settings)
    registry.move(MODEL, 1, "Production", PASSED)
    left = steps

    def dying(write: str) -> None:
        original = getattr(client, write)

        def once_less(*args: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return original(*args, **options)

        monkeypatch.setattr(client, write, once_less)

    for write in ("transition_model_version_stage", "set_registered_model_alias", "set_model_version_tag"):
        dying(write)
    with pytest.raises(KeyboardInterrupt):
        registry.move(MODEL, 2, "Production", PASSED)
    monkeypatch.undo()
    # Whatever was done by then, forecasts have exactly one version to follow.
    assert registry.production(MODEL).version in (1, 2)
    registry.move(MODEL, 2, "Production", PASSED)
    stages = {1: "Archived", 2: "Production"}
    assert stand(client) == (stages, stages, {"production": 2})


def test_a_text_too_long_for_a_tag_says_that_it_was_cut() -> None:
    assert cut("x" * LONGEST_TAG) == "x" * LONGEST_TAG
    short = cut("x" * 9000)
    assert len(short) == LONGEST_TAG
    assert short.endswith("x ... (cut: 9000 characters)")


def test_many_versions_are_all_read(registry: Registry, client: "MlflowClient", settings: Settings) -> None:
    run_id = client.create_run(experiment_id(client, settings)).info.run_id
    train(client, settings)
    for _ in range(259):
        client.create_model_version(MODEL, f"runs:/{run_id}/forecaster", run_id)
    assert [version.version for version in registry.versions(MODEL)] == list(range(1, 261))
    with pytest.raises(UsageError, match=r"one of 1, 2, 3, \.\.\., 258, 259, 260 \(260 in all\)"):
        registry.version(MODEL, 261)


def _promote_in_rounds(settings: Settings, number: int, line: "Barrier") -> None:
    registry = Registry(open_client(settings), settings)
    for _ in range(ROUNDS):
        line.wait(120)
        registry.move(MODEL, number, "Production", PASSED)
        line.wait(120)
        line.wait(120)


def test_racing_promotions_leave_exactly_one_version_in_production(client: "MlflowClient", settings: Settings) -> None:
    for _ in range(RACERS):
        train(client, settings)
    spawn = multiprocessing.get_context("spawn")
    line = spawn.Barrier(RACERS + 1)
    racers = [
        spawn.Process(target=_promote_in_rounds, args=(settings, number, line), daemon=True)
        for number in range(1, RACERS + 1)
    ]
    for racer in racers:
        racer.start()
    for _ in range(ROUNDS):
        line.wait(120)
        line.wait(120)
        stages, tags, aliases = stand(client)
        assert sorted(stages.values()) == ["Archived"] * (RACERS - 1) + ["Production"]
        assert tags == stages
        assert stages[aliases["production"]] == "Production"
        assert "staging" not in aliases
        line.wait(120)
    for racer in racers:
        racer.join(60)
        assert racer.exitcode == 0


def _promote_better(settings: Settings, number: int, line: "Barrier") -> None:
    """Read the champion, decide by the number, move: as one step."""
    registry = Registry(open_client(settings), settings)
    line.wait(120)
    with registry.locked(MODEL):
        try:
            champion = registry.production(MODEL).version
        except NothingInProduction:
            champion = 0
        if number > champion:
            registry.move(MODEL, number, "Production", PASSED)


def test_a_decision_and_its_move_are_one_step(client: "MlflowClient", settings: Settings) -> None:
    for _ in range(4):
        train(client, settings)
    spawn = multiprocessing.get_context("spawn")
    line = spawn.Barrier(4)
    racers = [
        spawn.Process(target=_promote_better, args=(settings, number, line), daemon=True) for number in range(1, 5)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(240)
        assert racer.exitcode == 0
    assert Registry(client, settings).production(MODEL).version == 4


@pytest.mark.servers
def test_a_real_server_keeps_stages_aliases_and_tags_alike(mlflow_server: Settings) -> None:
    client = open_client(mlflow_server)
    registry = Registry(client, mlflow_server)
    with pytest.raises(NothingInProduction):
        registry.production(MODEL)
    assert [train(client, mlflow_server), train(client, mlflow_server)] == [1, 2]
    registry.move(MODEL, 2, "Staging", PASSED)
    registry.move(MODEL, 1, "Production", PASSED)
    assert registry.move(MODEL, 2, "Production", PASSED).archived == (1,)
    stages = {1: "Archived", 2: "Production"}
    assert stand(client) == (stages, stages, {"production": 2})
    assert registry.production(MODEL).notes == ()
    assert not registry.move(MODEL, 2, "Production", PASSED).changed
    with pytest.raises(UsageError, match="one of 1, 2"):
        registry.version(MODEL, 3)
    with pytest.raises(UsageError, match="one of META-Open"):
        registry.version("META-Opne", 3)
