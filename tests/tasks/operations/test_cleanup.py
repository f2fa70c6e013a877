"""Cleaning: what is old goes, and whatever a stage or the ledger refers to can still be loaded."""

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.errors import UsageError
from model.evaluation.decision import DecisionWord
from model.market.prices import Prices
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.operations.cleanup import remove_expired
from tasks.operations.expired import Ages, Expired, find_expired
from tasks.operations.old_runs import OldRuns, mark_lasting
from tasks.prices.snapshots import SnapshotStore
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.registry.version import RegisteredVersion
from tasks.settings import HousekeepingSettings, Stage
from tasks.tracking.client import Tracking
from tasks.tracking.run import start_run
from tasks.tracking.run_inputs import RunConfig, load_prices, log_inputs
from tests.light import market

if TYPE_CHECKING:
    from mlflow.entities import Run

# Whatever files a test makes are old by then.
NOW = datetime(2100, 1, 1, tzinfo=UTC)
AGES = Ages.from_settings(
    HousekeepingSettings(archive_days=30, remove_days=100, snapshot_days=100, log_days=30), NOW, None
)
MODEL = "META-Open"
STAGES: dict[str, Stage] = {
    "promoted": "Production",
    "forced": "Production",
    "refused": "Staging",
    "waiting": "Staging",
    "moved": "Archived",
}
CONFIG = RunConfig(request=PriceRequest(), forecaster=ForecasterConfig(), evaluation=EvaluationConfig())
DAYS_AGO = (200, 170, 140, 120, 60, 20)


def ruling(decision: str) -> Ruling:
    return Ruling(decision=DecisionWord(decision), reasons=("It was so.",), at=NOW, by="somebody")


def prices_of(days_ago: int) -> Prices:
    """The market as it was known so many days ago."""
    prices = market()
    return prices.until(date.fromisoformat(str(prices.sessions[-1 - days_ago])))


def train(tracking: Tracking, days_ago: int, tags: dict[str, str]) -> RegisteredVersion:
    """What a training leaves: a snapshot, a run with its prices, a version."""
    prices = prices_of(days_ago)
    at = NOW - timedelta(days=days_ago)
    record = SnapshotStore(tracking.settings).store(prices, at=at)
    snapshot = {"x.prices.snapshot": record.fingerprint, "x.fingerprint": prices.fingerprint}
    all_tags = {"mlflow.source.name": "tomorrow", **snapshot, **tags}
    with start_run(tracking.client, tracking.experiment_id(), "a training", all_tags) as run:
        log_inputs(run, tracking.settings, CONFIG, prices)
        logged = tracking.client.create_logged_model(run.experiment_id, name="forecaster", source_run_id=run.run_id)
    tracking.client.set_terminated(run.run_id, end_time=int(at.timestamp() * 1000))
    return Registry(tracking).register(MODEL, run_id=run.run_id, model_uri=f"models:/{logged.model_id}")


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
        naives={"newest_close": 100.0},
        late=False,
        source="yahoo",
        stale=False,
        run_id=version.run_id,
        fingerprint=prices.fingerprint,
        made_at=NOW - timedelta(days=days_ago),
    )


def make_world(tracking: Tracking, seed: int) -> None:
    """Six trainings, of which four are old, each faring by chance; and before each a fetch that nobody used."""
    chance = random.Random(seed)
    registry, ledger = Registry(tracking), Ledger(tracking.settings.ledger_uri)
    before: RegisteredVersion | None = None
    for days_ago in DAYS_AGO:
        SnapshotStore(tracking.settings).store(prices_of(days_ago + 5), at=NOW - timedelta(days=days_ago + 5))
        tags = {"x.started_from.run_id": before.run_id} if before and chance.random() < 0.4 else {}
        before = version = train(tracking, days_ago, tags)
        fate = chance.choice(("promoted", "forced", "refused", "waiting", "moved", "left"))
        if fate != "left":
            registry.move(MODEL, version.version, STAGES[fate], ruling(fate))
        if chance.random() < 0.3:
            ledger.append(forecast_with(version, days_ago))
        if chance.random() < 0.3:
            # From the prices of a fetch that no training has used.
            ledger.append(replace(forecast_with(version, days_ago + 5), version=None, run_id=""))
    written = ("logs/worker.log", 1), ("logs/up.log.1", 90), ("reports/new.html", 1), ("reports/old.html", 900)
    for name, days_ago in written:
        file = tracking.settings.home / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("said\n")
        moment = (NOW - timedelta(days=days_ago)).timestamp()
        os.utime(file, (moment, moment))


def find(tracking: Tracking) -> tuple[Expired, ...]:
    return find_expired(tracking, AGES).expired


def holdings(tracking: Tracking) -> set[str]:
    """Everything that there is, by name; a version with its stage."""
    versions = Registry(tracking).versions(MODEL)
    runs = tracking.client.search_runs([tracking.experiment_id()])
    files = [
        file
        for folder in ("prices", "logs", "reports")
        for file in (tracking.settings.home / folder).rglob("*")
        if file.is_file()
    ]
    return {
        *(f"{version.model}/{version.version} {version.stage}" for version in versions),
        *(run.info.run_id for run in runs),
        *map(str, files),
    }


def load_everything_in_use(tracking: Tracking) -> None:
    """Load what the ledger, the stages and the way back refer to; an error where anything is gone."""
    registry, store = Registry(tracking), SnapshotStore(tracking.settings)
    for row in Ledger(tracking.settings.ledger_uri).rows():
        (record, *_) = [store.record(name) for name in store.fetches("META") if name.last == row.as_of]
        assert store.read(record).fingerprint == row.fingerprint
        if row.version is None:
            continue
        version = registry.version(row.model, row.version)
        assert version.run_id == row.run_id
        assert len(load_prices(tracking, row.run_id, version.model_uri)) > 0
        tracking.client.get_logged_model(version.source.removeprefix("models:/"))
    for version in registry.versions(MODEL):
        run = tracking.client.get_run(version.run_id)
        assert run.info.lifecycle_stage == "active"
        while parent := run.data.tags.get("x.started_from.run_id"):
            run = tracking.client.get_run(parent)
            assert run.info.lifecycle_stage == "active"
    assert store.newest("META") is not None


def test_a_proof_stays_as_long_as_a_training_that_it_speaks_for(tracking: Tracking) -> None:
    proofs = []
    for days_ago in (300, 250):
        tags = {"mlflow.source.name": "tomorrow", "kind": "proof"}
        with start_run(tracking.client, tracking.experiment_id(), "a proof", tags) as run:
            proofs.append(run.run_id)
        ended = NOW - timedelta(days=days_ago)
        tracking.client.set_terminated(run.run_id, end_time=int(ended.timestamp() * 1000))
    train(tracking, 20, {"x.proof.run": proofs[1]})
    assert [thing.name for thing in find(tracking) if thing.kind == "run"] == [proofs[0]]


def test_what_will_always_be_needed_is_marked_and_not_looked_at_again(tracking: Tracking) -> None:
    before = AGES.remove
    started = train(tracking, 220, {})
    promoted = train(tracking, 200, {"x.started_from.run_id": started.run_id})
    forecasting = train(tracking, 190, {})
    nobody_s = train(tracking, 180, {})
    train(tracking, 1, {})
    Registry(tracking).move(MODEL, promoted.version, "Production", ruling("forced"))
    Registry(tracking).move(MODEL, forecasting.version, "Archived", ruling("refused"))
    forecast(tracking, forecasting)

    first = find_expired(tracking, AGES)
    assert set(first.lasting) == {promoted.run_id, forecasting.run_id}
    assert [thing.name for thing in first.expired if thing.kind in ("version", "run")] == [
        f"{MODEL}/{started.version}",
        f"{MODEL}/{nobody_s.version}",
        nobody_s.run_id,
    ]

    mark_lasting(tracking, first.lasting)
    assert {run.info.run_id for run in found_old(tracking, before)} == {started.run_id, nobody_s.run_id}
    again = find_expired(tracking, AGES)
    assert again.lasting == ()
    assert [thing for thing in again.expired if thing.kind != "snapshot"] == [
        thing for thing in first.expired if thing.kind != "snapshot"
    ]
    # What a marked run was proven by since is kept, too.
    tracking.client.set_tag(promoted.run_id, "x.proof.run", nobody_s.run_id)
    assert not [thing for thing in find(tracking) if thing.name == nobody_s.run_id]


def found_old(tracking: Tracking, before: datetime) -> list["Run"]:
    """The runs that MLflow is asked for when it is cleaned."""
    found: list[Run] = []
    search = tracking.client.search_runs

    def searching(*given: Any, **options: Any) -> Any:
        page = search(*given, **options)
        found.extend(page)
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking.client, "search_runs", searching)
        OldRuns(tracking, before)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_cleaning_takes_what_it_listed_and_nothing_that_is_in_use(seed: int, tracking: Tracking) -> None:
    make_world(tracking, seed)
    load_everything_in_use(tracking)
    before = holdings(tracking)
    aliases = tracking.client.get_registered_model(MODEL).aliases
    listed = find(tracking)
    assert {thing.kind for thing in listed} >= {"fetch", "snapshot", "log", "report"}
    assert holdings(tracking) == before, "looking changes nothing"

    assert remove_expired(tracking, listed, NOW) == listed

    after = holdings(tracking)
    changed = {f"{thing.name} Staging" if thing.kind == "archive" else thing.name for thing in listed}
    gone = {name.removesuffix(" None").removesuffix(" Archived") for name in before - after}
    assert gone == changed
    assert after - before == {f"{thing.name} Archived" for thing in listed if thing.kind == "archive"}
    assert tracking.client.get_registered_model(MODEL).aliases.get("production") == aliases.get("production")
    assert Registry(tracking).settle(MODEL, NOW) == (), "nothing was done by hand"
    load_everything_in_use(tracking)


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [2, 5])
def test_cleaning_that_was_killed_is_completed_by_the_next(killed_after: int, tracking: Tracking) -> None:
    make_world(tracking, seed=1)
    listed = find(tracking)
    remove_expired(tracking, listed[:killed_after], NOW)
    load_everything_in_use(tracking)
    rest = find(tracking)
    remove_expired(tracking, rest, NOW)
    load_everything_in_use(tracking)
    names = {thing.name for thing in (*listed[:killed_after], *rest)}
    assert {thing.name for thing in listed} <= names


def once(tracking: Tracking, decision: str = "refused") -> RegisteredVersion:
    """An old version that may go, and a younger one."""
    old = train(tracking, 200, {})
    Registry(tracking).move(MODEL, old.version, "Archived", ruling(decision))
    train(tracking, 1, {})
    return old


def promote(tracking: Tracking, old: RegisteredVersion) -> None:
    Registry(tracking).move(MODEL, old.version, "Production", ruling("forced"))


def forecast(tracking: Tracking, old: RegisteredVersion) -> None:
    Ledger(tracking.settings.ledger_uri).append(forecast_with(old, 1))


@pytest.mark.parametrize("meanwhile", [promote, forecast])
def test_what_comes_into_use_while_it_is_cleaned_stays(
    meanwhile: Callable[[Tracking, RegisteredVersion], None],
    tracking: Tracking,
) -> None:
    old = once(tracking)
    listed = [thing for thing in find(tracking) if thing.kind in ("version", "run")]
    assert [thing.name for thing in listed] == [f"{MODEL}/{old.version}", old.run_id]
    meanwhile(tracking, old)
    assert remove_expired(tracking, listed, NOW) == ()
    load_everything_in_use(tracking)


def test_a_version_that_was_in_production_is_kept_for_the_way_back(tracking: Tracking) -> None:
    once(tracking, decision="promoted")
    assert not [thing for thing in find(tracking) if thing.kind in ("version", "run")]


def test_runs_of_others_and_runs_that_go_on_are_let_be(tracking: Tracking) -> None:
    experiment = tracking.experiment_id()
    theirs = tracking.client.create_run(experiment)
    tracking.client.set_terminated(theirs.info.run_id, end_time=0)
    tracking.client.create_run(experiment, tags={"mlflow.source.name": "tomorrow"})
    assert find(tracking) == ()


def test_what_was_restated_is_kept_as_evidence(tracking: Tracking) -> None:
    store, prices = SnapshotStore(tracking.settings), prices_of(50)
    store.store(prices, at=NOW - timedelta(days=300))
    values = prices.values.copy()
    values[100] *= 1.5
    store.store(replace(prices, values=values), at=NOW - timedelta(days=299))
    store.store(prices_of(10), at=NOW - timedelta(days=298))
    listed = find(tracking)
    assert not [thing for thing in listed if "restated" in Path(thing.name).name]


def test_a_version_in_a_stage_is_not_removed_whoever_asks(tracking: Tracking) -> None:
    version = train(tracking, 200, {})
    registry = Registry(tracking)
    registry.move(MODEL, version.version, "Production", ruling("forced"))
    with pytest.raises(UsageError, match="it is in Production"):
        registry.remove(MODEL, version.version, ruling("removed"))


def test_one_age_may_be_given_for_everything() -> None:
    ages = Ages.from_settings(HousekeepingSettings(), NOW, 7)
    week = NOW - timedelta(days=7)
    assert (ages.archive, ages.remove, ages.snapshots, ages.logs) == (week, week, week, week)


def test_a_snapshot_of_a_series_stays_as_long_as_a_run_was_made_with_it(tracking: Tracking) -> None:
    store, kept = SnapshotStore(tracking.settings), list[str]()
    for days_ago in (900, 800, 10):
        prices = prices_of(days_ago)
        index = replace(prices, security=replace(prices.security, ticker="^VIX"))
        kept.append(store.store(index, at=NOW - timedelta(days=days_ago)).fingerprint)
    train(tracking, 5, {"x.prices.series": json.dumps({"^VIX": kept[1]})})
    expired = [Path(one.name).name for one in find(tracking) if one.kind == "fetch"]
    assert [fingerprint for fingerprint in kept if any(fingerprint[:12] in name for name in expired)] == [kept[0]]


def test_a_snapshot_of_a_series_stays_when_a_forecast_was_made_with_it(tracking: Tracking) -> None:
    store, kept = SnapshotStore(tracking.settings), list[str]()
    for days_ago in (900, 800, 700, 10):
        prices = prices_of(days_ago)
        index = replace(prices, security=replace(prices.security, ticker="^VIX"))
        kept.append(store.store(index, at=NOW - timedelta(days=days_ago)).fingerprint)
    version = train(tracking, 850, {"x.prices.series": json.dumps({"^VIX": kept[0]})})
    other = train(tracking, 690, {})
    ledger = Ledger(tracking.settings.ledger_uri)
    ledger.append(forecast_with(version, 750))
    ledger.append(forecast_with(other, 650))
    expired = [Path(one.name).name for one in find(tracking) if one.kind == "fetch"]
    assert [fingerprint for fingerprint in kept if any(fingerprint[:12] in name for name in expired)] == [kept[2]]
