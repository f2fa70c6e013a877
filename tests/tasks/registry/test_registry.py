"""Versions are registered and moved between stages; stage, alias and tag agree, whoever races."""

import contextlib
import json
import multiprocessing
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.errors import ConfigurationError, NothingInProduction, UsageError
from tasks.registry.mlflow_registry import RegistryStore
from tasks.registry.registry import Registry
from tasks.registry.version import LONGEST_TAG, Ruling, cut, parse_stage
from tasks.settings import Settings, Stage
from tasks.tracking.client import Tracking, open_tracking

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
NOW = datetime(2020, 2, 4, 14, 0, tzinfo=UTC)
RACERS = 6
# Six processes that load MLflow at once, on a busy machine.
PATIENCE = 400
ROUNDS = 5


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking)


def train(tracking: Tracking, model: str = MODEL) -> int:
    """Register what a training would: a run with a model of its own; no network is needed for it."""
    run = tracking.client.create_run(tracking.experiment_id())
    run_id = run.info.run_id
    logged = tracking.client.create_logged_model(run.info.experiment_id, name="forecaster", source_run_id=run_id)
    tracking.client.set_terminated(run_id)
    registered = Registry(tracking).register(
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


def test_a_version_is_registered_with_its_run_source_and_tags(registry: Registry, tracking: Tracking) -> None:
    number = train(tracking)
    version = registry.version(MODEL, number)
    assert (version.model, version.version, version.stage) == (MODEL, 1, "None")
    assert version.model_uri == "models:/META-Open/1"
    assert version.source.startswith("models:/m-")
    assert version.tags == {"preset": "tutorial", "stage": "None"}
    assert tracking.client.get_run(version.run_id).info.status == "FINISHED"
    logged = tracking.client.get_logged_model(version.source.removeprefix("models:/"))
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": MODEL, "version": 1}]


def test_registering_a_run_again_makes_no_second_version(registry: Registry, tracking: Tracking) -> None:
    first = registry.version(MODEL, train(tracking))
    again = registry.register(MODEL, run_id=first.run_id, model_uri=first.source)
    assert again == first
    assert train(tracking) == 2


def test_nothing_in_production_says_what_to_do(registry: Registry, tracking: Tracking) -> None:
    with pytest.raises(NothingInProduction, match="tomorrow train"):
        registry.production(MODEL, NOW)
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 2, "Staging", PASSED)
    with pytest.raises(NothingInProduction, match="tomorrow promote META-Open 2 --to production") as caught:
        registry.production(MODEL, NOW)
    assert caught.value.exit_code == 5


def test_promotion_archives_the_version_before_and_keeps_the_decision(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    train(tracking)
    registry.move(MODEL, 1, "Staging", PASSED)
    first = registry.move(MODEL, 1, "Production", PASSED)
    assert (first.before, first.archived, first.changed, first.notes) == ("Staging", (), True, ())
    second = registry.move(MODEL, 2, "Production", PASSED)
    assert second.archived == (1,)
    assert stand(tracking.client) == (
        {1: "Archived", 2: "Production"},
        {1: "Archived", 2: "Production"},
        {"production": 2},
    )
    chosen = registry.production(MODEL, NOW)
    assert (chosen.version, chosen.notes) == (2, ())
    assert chosen.tags["decision"] == "promoted"
    assert chosen.tags["decision.reasons"] == "\n".join(PASSED.reasons)
    assert chosen.tags["decision.at"] == "2020-02-03T22:15:00+00:00"
    assert chosen.tags["decision.by"] == "somebody"
    assert chosen.tags["decision.forced"] == ""


def test_at_no_moment_of_a_promotion_are_two_versions_in_production(
    registry: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    seen = []
    transition = RegistryStore.transition

    def transition_and_look(store: RegistryStore, model: str, number: int, stage: Stage) -> None:
        transition(store, model, number, stage)
        seen.append((list(stand(tracking.client)[0].values()).count("Production"), set(stand(tracking.client)[2])))

    monkeypatch.setattr(RegistryStore, "transition", transition_and_look)
    registry.move(MODEL, 2, "Production", PASSED)
    registry.roll_back(MODEL, PASSED)
    registry.move(MODEL, 3, "Production", PASSED)
    assert [count for count, _ in seen] == [0, 1] * 3
    assert all("production" in aliases for _, aliases in seen)


def test_mlflows_own_addresses_lead_to_the_same_versions(registry: Registry, tracking: Tracking) -> None:
    for _ in range(4):
        train(tracking)
    for number, stage in ((1, "Production"), (2, "Production"), (4, "Staging"), (3, "Staging")):
        registry.move(MODEL, number, parse_stage(stage), PASSED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        latest = {found.current_stage: int(found.version) for found in tracking.client.get_latest_versions(MODEL)}
    assert latest == {"Archived": 1, "Production": 2, "Staging": 4}
    assert stand(tracking.client)[2] == {"production": 2, "staging": 4}


def test_a_refusal_is_noted_on_a_version_that_stays(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    staged = registry.move(MODEL, 1, "Staging", PASSED).version
    refused = Ruling(decision="refused", reasons=("It loses.",), at=PASSED.at, by="the gate")
    noted = registry.record(staged, refused)
    assert (noted.stage, noted.tags["decision"], noted.tags["decision.reasons"]) == ("Staging", "refused", "It loses.")


def test_the_reason_for_forcing_is_kept_with_the_version_it_was_for(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    forced = Ruling(decision="forced", reasons=("It loses.",), at=PASSED.at, by="me", forced="to show it")
    assert registry.move(MODEL, 1, "Production", forced).version.tags["decision.forced"] == "to show it"
    assert registry.move(MODEL, 1, "Archived", PASSED).version.tags["decision.forced"] == ""


def test_moving_to_where_it_is_changes_nothing_and_says_so(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    before = tracking.client.get_model_version(MODEL, "1")
    again = registry.move(MODEL, 1, "Production", Ruling(decision="moved", reasons=(), at=PASSED.at, by="other"))
    assert not again.changed
    assert again.notes == ("Version 1 of META-Open is in Production already.",)
    after = tracking.client.get_model_version(MODEL, "1")
    assert (after.tags, after.last_updated_timestamp) == (before.tags, before.last_updated_timestamp)


@pytest.mark.parametrize("stage", ["None", "Staging", "Archived"])
def test_leaving_production_leaves_nothing_there(registry: Registry, tracking: Tracking, stage: Stage) -> None:
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    registry.move(MODEL, 1, stage, PASSED)
    assert stand(tracking.client) == ({1: stage}, {1: stage}, {"staging": 1} if stage == "Staging" else {})
    with pytest.raises(NothingInProduction):
        registry.production(MODEL, NOW)


def test_an_unknown_model_names_the_known_ones(registry: Registry, tracking: Tracking) -> None:
    with pytest.raises(UsageError, match="tomorrow train"):
        registry.version("META-Opne", 1)
    train(tracking)
    train(tracking, "AAPL-Close")
    with pytest.raises(UsageError, match="one of AAPL-Close, META-Open"):
        registry.version("META-Opne", 1)


@pytest.mark.parametrize("number", [0, -1, 3, 10**12])
def test_an_unknown_version_names_the_known_ones(registry: Registry, tracking: Tracking, number: int) -> None:
    train(tracking)
    train(tracking)
    with pytest.raises(UsageError, match="one of 1, 2") as caught:
        registry.move(MODEL, number, "Production", PASSED)
    assert caught.value.exit_code == 2
    assert stand(tracking.client)[0] == {1: "None", 2: "None"}


def alias_by_hand(client: "MlflowClient", version: int | None) -> None:
    """What MLflow's newer pages do."""
    if version is None:
        client.delete_registered_model_alias(MODEL, "production")
    else:
        client.set_registered_model_alias(MODEL, "production", str(version))


def by_hand(registry: Registry) -> list[tuple[int, str, str, str]]:
    """What the history says of changes that were not ours."""
    changes = registry.history.changes(MODEL)
    return [(change.version, change.before, change.after, change.decision) for change in changes if change.at == NOW]


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


def test_the_history_of_models_from_before_it_is_taken_from_their_tags(registry: Registry, tracking: Tracking) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    registry.move(MODEL, 2, "Staging", replace(PASSED, decision="moved", at=PASSED.at + timedelta(days=1)))
    registry.move(MODEL, 2, "Production", replace(PASSED, at=PASSED.at + timedelta(days=2)))
    before = registry.history.changes(MODEL)
    # As a release without a history left it.
    tracking.client.delete_registered_model_tag(MODEL, "stages.moved")
    tracking.settings.home.joinpath("ledger.db").unlink()
    fresh = Registry(tracking)
    assert fresh.production(MODEL, NOW).version == 2
    after = fresh.history.changes(MODEL)
    kept = [(change.version, change.after, change.at, change.reasons) for change in before if change.version == 1][:1]
    assert [(change.version, change.after, change.at, change.reasons) for change in after][:1] == kept
    assert [(change.version, change.after, change.decision) for change in after] == [
        (1, "Production", "promoted"),
        (1, "Archived", "superseded"),
        (2, "Production", "promoted"),
    ]
    back = Ruling(decision="rolled back", reasons=("It drifts.",), at=NOW, by="me")
    assert fresh.roll_back(MODEL, back).version.version == 1


def test_a_new_mlflow_database_beside_an_old_history_puts_nothing_into_production(
    registry: Registry, tracking: Tracking
) -> None:
    train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    tracking.client.delete_registered_model(MODEL)
    train(tracking)
    with pytest.raises(NothingInProduction):
        registry.production(MODEL, NOW)
    assert by_hand(registry) == [(1, "Production", "None", "by hand")]


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


def test_a_rollback_gives_production_to_the_version_before_and_further_back_each_time(
    registry: Registry, tracking: Tracking
) -> None:
    for number in range(1, 5):
        train(tracking)
        registry.move(MODEL, number, "Production", PASSED)
    tracking.client.delete_model_version(MODEL, "2")
    back = Ruling(decision="rolled back", reasons=("It drifts.",), at=NOW, by="me")
    first = registry.roll_back(MODEL, back)
    assert (first.version.version, first.archived) == (3, (4,))
    assert first.version.tags["decision.reasons"] == "It drifts."
    # Version 2 is gone, and passed over.
    assert registry.roll_back(MODEL, back).version.version == 1
    with pytest.raises(UsageError, match="no version that was in Production before it"):
        registry.roll_back(MODEL, back)
    assert registry.production(MODEL, NOW).version == 1
    # What was rolled back is not on the way any more.
    train(tracking)
    registry.move(MODEL, 5, "Production", PASSED)
    assert registry.roll_back(MODEL, back).version.version == 1


def test_nothing_in_production_cannot_be_rolled_back(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    with pytest.raises(NothingInProduction):
        registry.roll_back(MODEL, PASSED)


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
        registry.move(MODEL, 2, "Production", replace(PASSED, skill="0.1000"))
    monkeypatch.undo()
    # It was on record before anything was moved: nobody has to ask again.
    assert registry.production(MODEL, NOW).version == 2
    stages = {1: "Archived", 2: "Production"}
    assert stand(tracking.client) == (stages, stages, {"production": 2})
    assert by_hand(registry) == []
    tags = tracking.client.get_model_version(MODEL, "2").tags
    assert (tags["decision"], tags["skill"]) == ("promoted", "0.1000")
    assert [change.version for change in registry.history.changes(MODEL)] == [1, 2, 1]


def test_a_text_too_long_for_a_tag_says_that_it_was_cut() -> None:
    assert cut("x" * LONGEST_TAG) == "x" * LONGEST_TAG
    short = cut("x" * 9000)
    assert len(short) == LONGEST_TAG
    assert short.endswith("x ... (cut: 9000 characters)")


def test_many_versions_are_all_read(registry: Registry, tracking: Tracking) -> None:
    run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
    train(tracking)
    for _ in range(259):
        tracking.client.create_model_version(MODEL, f"runs:/{run_id}/forecaster", run_id)
    assert [version.version for version in registry.versions(MODEL)] == list(range(1, 261))
    with pytest.raises(UsageError, match=r"one of 1, 2, 3, \.\.\., 258, 259, 260 \(260 in all\)"):
        registry.version(MODEL, 261)


def _promote_in_rounds(settings: Settings, number: int, line: "Barrier") -> None:
    registry = Registry(open_tracking(settings))
    for _ in range(ROUNDS):
        line.wait(PATIENCE)
        registry.move(MODEL, number, "Production", PASSED)
        line.wait(PATIENCE)
        line.wait(PATIENCE)


@pytest.mark.slow
def test_racing_promotions_leave_exactly_one_version_in_production(tracking: Tracking) -> None:
    for _ in range(RACERS):
        train(tracking)
    spawn = multiprocessing.get_context("spawn")
    line = spawn.Barrier(RACERS + 1)
    racers = [
        spawn.Process(target=_promote_in_rounds, args=(tracking.settings, number, line), daemon=True)
        for number in range(1, RACERS + 1)
    ]
    for racer in racers:
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
    for racer in racers:
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
def test_a_decision_and_its_move_are_one_step(tracking: Tracking) -> None:
    for _ in range(4):
        train(tracking)
    spawn = multiprocessing.get_context("spawn")
    line = spawn.Barrier(4)
    racers = [
        spawn.Process(target=_promote_better, args=(tracking.settings, number, line), daemon=True)
        for number in range(1, 5)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(240)
        assert racer.exitcode == 0
    assert Registry(tracking).production(MODEL, NOW).version == 4


@pytest.mark.servers
def test_a_real_server_keeps_stages_aliases_and_tags_alike(mlflow_server: Settings) -> None:
    tracking = open_tracking(mlflow_server)
    client = tracking.client
    registry = Registry(tracking)
    with pytest.raises(NothingInProduction):
        registry.production(MODEL, NOW)
    assert [train(tracking), train(tracking)] == [1, 2]
    registry.move(MODEL, 2, "Staging", PASSED)
    registry.move(MODEL, 1, "Production", PASSED)
    assert registry.move(MODEL, 2, "Production", PASSED).archived == (1,)
    stages = {1: "Archived", 2: "Production"}
    assert stand(client) == (stages, stages, {"production": 2})
    assert registry.production(MODEL, NOW).notes == ()
    assert not registry.move(MODEL, 2, "Production", PASSED).changed
    with pytest.raises(UsageError, match="one of 1, 2"):
        registry.version(MODEL, 3)
    with pytest.raises(UsageError, match="one of META-Open"):
        registry.version("META-Opne", 3)


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
