"""Cleaning a place that several state directories share: what any of them needs stays, whoever cleans."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.operations.cleanup import remove_expired
from tasks.operations.expired import find_expired
from tasks.prices.snapshots import SHOWN, SnapshotStore
from tasks.prices.store.place import size_of, store_place
from tasks.registry.registry import Registry
from tasks.settings import Address, Settings
from tasks.settings.schema import LedgerSettings
from tasks.tracking.client import Tracking, open_tracking
from tests.tasks.operations.test_cleanup import (
    AGES,
    MODEL,
    NOW,
    forecast,
    load_everything_in_use,
    prices_of,
    ruling,
    train,
)

pytestmark = pytest.mark.servers


def on_one_mlflow(settings: Settings, database: Path) -> Tracking:
    """MLflow's database is the same file for all: what is tried here does not depend on where it lies."""
    shared = settings.tracking.model_copy(update={"uri": Address(f"sqlite:///{database}")})
    settings.home.mkdir(mode=0o700, exist_ok=True)
    return open_tracking(settings.model_copy(update={"tracking": shared}))


def kept(settings: Settings) -> set[str]:
    """The first digits of each snapshot that is there."""
    return {file.stem[:SHOWN] for file in SnapshotStore(settings).files("META")}


def test_whoever_cleans_removes_the_expired_and_keeps_what_the_others_need(
    here: Settings, elsewhere: Settings, template_database: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copy(template_database, tmp_path / "mlflow.db"))
    ours, theirs = on_one_mlflow(here, database), on_one_mlflow(elsewhere, database)
    forecasting = train(ours, 200, {})
    Registry(ours).move(MODEL, forecasting.version, "Archived", ruling("refused"))
    forecast(ours, forecasting)
    SnapshotStore(here).store(prices_of(190), at=NOW - timedelta(days=190))
    promoted = train(ours, 150, {})
    Registry(ours).move(MODEL, promoted.version, "Production", ruling("forced"))
    SnapshotStore(elsewhere).store(prices_of(140), at=NOW - timedelta(days=140))
    SnapshotStore(elsewhere).store(prices_of(1), at=NOW - timedelta(days=1))
    needed = {prices_of(days).fingerprint[:SHOWN] for days in (200, 150, 1)}
    expired = {prices_of(days).fingerprint[:SHOWN] for days in (190, 140)}
    assert kept(here) == kept(elsewhere) == needed | expired

    listed, the_same = find_expired(theirs, AGES).expired, find_expired(ours, AGES).expired
    assert listed == the_same
    assert sorted(thing.kind for thing in listed) == ["fetch", "fetch", "snapshot", "snapshot"]
    assert all(thing.size > 0 for thing in listed)
    assert remove_expired(theirs, listed, NOW) == listed
    remove_expired(ours, the_same, NOW)  # at the same moment, as on two machines with the same schedule

    assert kept(here) == kept(elsewhere) == needed
    assert find_expired(ours, AGES).expired == ()
    load_everything_in_use(ours)

    stranger = theirs.settings.model_copy(update={"ledger": LedgerSettings()})
    with pytest.raises(ConfigurationError, match="it belongs to another ledger"):
        find_expired(open_tracking(stranger), AGES)


def test_a_file_that_another_one_has_removed_meanwhile_has_no_size(here: Settings) -> None:
    assert size_of(store_place(here, "gone")) is None
