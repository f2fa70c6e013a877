"""Cleaning: what is old goes, and whatever a stage or the ledger refers to can still be loaded."""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from model.errors import UsageError
from model.market.prices import Prices
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.operations.cleanup import remove_refuse
from tasks.operations.expired import Ages, Refuse, find_refuse
from tasks.prices.snapshots import SnapshotStore
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion, Ruling
from tasks.settings import HousekeepingSettings, Settings, Stage
from tasks.tracking.client import experiment_id
from tasks.tracking.run import start_run
from tasks.tracking.run_inputs import load_prices
from tests.light import market

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Whatever files a test makes are old by then.
NOW = datetime(2100, 1, 1, tzinfo=UTC)
AGES = Ages.of(HousekeepingSettings(archive_days=30, remove_days=100, snapshot_days=100, log_days=30), NOW, None)
MODEL = "META-Open"
STAGES: dict[str, Stage] = {
    "promoted": "Production",
    "forced": "Production",
    "refused": "Staging",
    "waiting": "Staging",
    "archived": "Archived",
}
DAYS_AGO = (200, 170, 140, 120, 60, 20)


def ruling(decision: str) -> Ruling:
    return Ruling(decision=decision, reasons=("It was so.",), at=NOW, by="somebody")


def prices_of(days_ago: int) -> Prices:
    """The market as it was known so many days ago."""
    prices = market()
    return prices.until(date.fromisoformat(str(prices.sessions[-1 - days_ago])))


def train(client: "MlflowClient", settings: Settings, days_ago: int, tags: dict[str, str]) -> RegisteredVersion:
    """What a training leaves: a snapshot, a run with its prices, a version."""
    prices = prices_of(days_ago)
    at = NOW - timedelta(days=days_ago)
    record = SnapshotStore(settings).store(prices, at=at)
    all_tags = {"mlflow.source.name": "tomorrow", "prices.snapshot": record.fingerprint, **tags}
    with start_run(client, experiment_id(client, settings), "a training", all_tags) as run:
        run.log_prices(prices)
        logged = client.create_logged_model(run.experiment_id, name="forecaster", source_run_id=run.run_id)
    client.set_terminated(run.run_id, end_time=int(at.timestamp() * 1000))
    return Registry(client, settings).register(MODEL, run_id=run.run_id, model_uri=f"models:/{logged.model_id}")


def forecast_with(version: RegisteredVersion, days_ago: int) -> RecordedForecast:
    prices = prices_of(days_ago)
    return RecordedForecast(
        model=MODEL,
        version=version.version,
        ticker="META",
        column="Open",
        as_of=prices.last,
        session=prices.last + timedelta(days=1),
        forecast=100.0,
        naive=100.0,
        naive_name="newest_close",
        source="yahoo",
        stale=False,
        run_id=version.run_id,
        fingerprint=prices.fingerprint,
        made_at=NOW - timedelta(days=days_ago),
    )


def make_world(client: "MlflowClient", settings: Settings, seed: int) -> None:
    """Six trainings, of which four are old, each faring by chance; and before each a fetch that nobody used."""
    chance = random.Random(seed)
    registry, ledger = Registry(client, settings), Ledger(settings.ledger_uri)
    before: RegisteredVersion | None = None
    for days_ago in DAYS_AGO:
        SnapshotStore(settings).store(prices_of(days_ago + 5), at=NOW - timedelta(days=days_ago + 5))
        tags = {"started_from.run_id": before.run_id} if before and chance.random() < 0.4 else {}
        before = version = train(client, settings, days_ago, tags)
        fate = chance.choice(("promoted", "forced", "refused", "waiting", "archived", "left"))
        if fate != "left":
            registry.move(MODEL, version.version, STAGES[fate], ruling(fate))
        if chance.random() < 0.3:
            ledger.append(forecast_with(version, days_ago))
    logs = settings.home / "logs"
    logs.mkdir()
    for name, days_ago in (("worker.log", 1), ("up.log.1", 90)):
        (logs / name).write_text("said\n")
        moment = (NOW - timedelta(days=days_ago)).timestamp()
        os.utime(logs / name, (moment, moment))


def find(client: "MlflowClient", settings: Settings) -> tuple[Refuse, ...]:
    return find_refuse(client, settings, Ledger(settings.ledger_uri).rows(), AGES)


def holdings(client: "MlflowClient", settings: Settings) -> set[str]:
    """Everything that there is, by name; a version with its stage."""
    versions = Registry(client, settings).versions(MODEL)
    runs = client.search_runs([experiment_id(client, settings)])
    files = [file for folder in ("prices", "logs") for file in (settings.home / folder).rglob("*") if file.is_file()]
    return {
        *(f"{version.model}/{version.version} {version.stage}" for version in versions),
        *(run.info.run_id for run in runs),
        *map(str, files),
    }


def load_everything_in_use(client: "MlflowClient", settings: Settings) -> None:
    """Load what the ledger, the stages and the way back refer to; an error where anything is gone."""
    registry, store = Registry(client, settings), SnapshotStore(settings)
    for row in Ledger(settings.ledger_uri).rows():
        version = registry.version(row.model, row.version)
        assert version.run_id == row.run_id
        assert len(load_prices(client, row.run_id)) > 0
        (record, *_) = [store.record(name) for name in store.fetches("META") if name.last == row.as_of]
        assert store.read(record).fingerprint == row.fingerprint
        client.get_logged_model(version.source.removeprefix("models:/"))
    for version in registry.versions(MODEL):
        run = client.get_run(version.run_id)
        assert run.info.lifecycle_stage == "active"
        while parent := run.data.tags.get("started_from.run_id"):
            run = client.get_run(parent)
            assert run.info.lifecycle_stage == "active"
    assert store.newest("META") is not None


@pytest.mark.parametrize("seed", range(3))
def test_cleaning_takes_what_it_listed_and_nothing_that_is_in_use(
    seed: int, client: "MlflowClient", settings: Settings
) -> None:
    make_world(client, settings, seed)
    load_everything_in_use(client, settings)
    before = holdings(client, settings)
    aliases = client.get_registered_model(MODEL).aliases
    listed = find(client, settings)
    assert {thing.kind for thing in listed} >= {"fetch", "snapshot", "log"}
    assert holdings(client, settings) == before, "looking changes nothing"

    assert remove_refuse(client, settings, listed, NOW) == listed

    after = holdings(client, settings)
    changed = {f"{thing.name} Staging" if thing.kind == "archive" else thing.name for thing in listed}
    gone = {name.removesuffix(" None").removesuffix(" Archived") for name in before - after}
    assert gone == changed
    assert after - before == {f"{thing.name} Archived" for thing in listed if thing.kind == "archive"}
    assert client.get_registered_model(MODEL).aliases.get("production") == aliases.get("production")
    assert Registry(client, settings).settle(MODEL, NOW) == (), "nothing was done by hand"
    load_everything_in_use(client, settings)


@pytest.mark.parametrize("killed_after", [2, 5])
def test_cleaning_that_was_killed_is_completed_by_the_next(
    killed_after: int, client: "MlflowClient", settings: Settings
) -> None:
    make_world(client, settings, seed=1)
    listed = find(client, settings)
    remove_refuse(client, settings, listed[:killed_after], NOW)
    load_everything_in_use(client, settings)
    rest = find(client, settings)
    remove_refuse(client, settings, rest, NOW)
    load_everything_in_use(client, settings)
    names = {thing.name for thing in (*listed[:killed_after], *rest)}
    assert {thing.name for thing in listed} <= names


def once(client: "MlflowClient", settings: Settings, decision: str = "refused") -> RegisteredVersion:
    """An old version that may go, and a younger one."""
    old = train(client, settings, 200, {})
    Registry(client, settings).move(MODEL, old.version, "Archived", ruling(decision))
    train(client, settings, 1, {})
    return old


def promote(client: "MlflowClient", settings: Settings, old: RegisteredVersion) -> None:
    Registry(client, settings).move(MODEL, old.version, "Production", ruling("forced"))


def forecast(client: "MlflowClient", settings: Settings, old: RegisteredVersion) -> None:  # noqa: ARG001
    Ledger(settings.ledger_uri).append(forecast_with(old, 1))


@pytest.mark.parametrize("meanwhile", [promote, forecast])
def test_what_comes_into_use_while_it_is_cleaned_stays(
    meanwhile: Callable[["MlflowClient", Settings, RegisteredVersion], None],
    client: "MlflowClient",
    settings: Settings,
) -> None:
    old = once(client, settings)
    listed = [thing for thing in find(client, settings) if thing.kind in ("version", "run")]
    assert [thing.name for thing in listed] == [f"{MODEL}/{old.version}", old.run_id]
    meanwhile(client, settings, old)
    assert remove_refuse(client, settings, listed, NOW) == ()
    load_everything_in_use(client, settings)


def test_a_version_that_was_in_production_is_kept_for_the_way_back(client: "MlflowClient", settings: Settings) -> None:
    once(client, settings, decision="promoted")
    assert not [thing for thing in find(client, settings) if thing.kind in ("version", "run")]


def test_runs_of_others_and_runs_that_go_on_are_let_be(client: "MlflowClient", settings: Settings) -> None:
    experiment = experiment_id(client, settings)
    theirs = client.create_run(experiment)
    client.set_terminated(theirs.info.run_id, end_time=0)
    client.create_run(experiment, tags={"mlflow.source.name": "tomorrow"})
    assert find(client, settings) == ()


def test_what_was_restated_is_kept_as_evidence(settings: Settings, client: "MlflowClient") -> None:
    store, prices = SnapshotStore(settings), prices_of(50)
    store.store(prices, at=NOW - timedelta(days=300))
    values = prices.values.copy()
    values[100] *= 1.5
    store.store(replace(prices, values=values), at=NOW - timedelta(days=299))
    store.store(prices_of(10), at=NOW - timedelta(days=298))
    listed = find(client, settings)
    assert not [thing for thing in listed if thing.file and "restated" in thing.file.name]


def test_a_version_in_a_stage_is_not_removed_whoever_asks(client: "MlflowClient", settings: Settings) -> None:
    version = train(client, settings, 200, {})
    registry = Registry(client, settings)
    registry.move(MODEL, version.version, "Production", ruling("forced"))
    with pytest.raises(UsageError, match="it is in Production"):
        registry.remove(MODEL, version.version, ruling("removed"))


def test_one_age_may_be_given_for_everything() -> None:
    ages = Ages.of(HousekeepingSettings(), NOW, 7)
    week = NOW - timedelta(days=7)
    assert (ages.archive, ages.remove, ages.snapshots, ages.logs) == (week, week, week, week)
