"""Removes expired things. Each is checked again just before, since it may have come into use meanwhile.

If the process is killed half-way, nothing is broken: the next one finds what is left.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from model.evaluation.decision import DecisionWord
from tasks.ledger.totals import Totals
from tasks.operations.expired import Expired
from tasks.operations.old_runs import is_free
from tasks.prices.snapshots import SnapshotStore
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.tracking.client import Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient


def remove_expired(tracking: Tracking, things: Iterable[Expired], now: datetime) -> tuple[Expired, ...]:
    """Remove or archive the things; return those that were, without any that has come into use meanwhile."""
    registry, totals, store = Registry(tracking), Totals(tracking.settings.ledger_uri), SnapshotStore(tracking.settings)
    done: list[Expired] = []
    for thing in things:
        if thing.kind == "archive":
            is_done = _archive(registry, totals, thing.name, now)
        elif thing.kind == "version":
            is_done = _remove_version(registry, totals, thing.name, now)
        elif thing.kind == "run":
            is_done = _remove_run(tracking.client, totals, registry, thing.name)
        else:
            is_done = _remove_file(store, thing)
        if is_done:
            done.append(thing)
    return tuple(done)


def _archive(registry: Registry, totals: Totals, name: str, now: datetime) -> bool:
    model, number = _version(name)
    with registry.locked(model):
        version = registry.version(model, number)
        if version.stage != "Staging" or totals.has(model, number):
            return False
        said = version.decision
        reason = f"It was in Staging for a long time{f' ({said})' if said else ''}, and there are newer versions."
        registry.move(
            model, number, "Archived", Ruling(decision=DecisionWord.MOVED, reasons=(reason,), at=now, by="clean")
        )
    return True


def _remove_version(registry: Registry, totals: Totals, name: str, now: datetime) -> bool:
    model, number = _version(name)
    # While the lock is held nothing is promoted, and only a promoted version makes forecasts.
    with registry.locked(model):
        named = totals.has(model, number) or number in registry.once_in_production(model)
        if named or not is_free(registry.version(model, number)):
            return False
        reason = "It is old, and neither a stage nor the ledger refers to it."
        registry.remove(model, number, Ruling(decision=DecisionWord.REMOVED, reasons=(reason,), at=now, by="clean"))
    return True


def _remove_run(client: "MlflowClient", totals: Totals, registry: Registry, run_id: str) -> bool:
    """Mark a run and the model that it logged as deleted, as MLflow's pages do; `mlflow gc` frees the disk space."""
    from mlflow.entities import LifecycleStage

    run = client.get_run(run_id)
    in_use = totals.runs([run_id]) or registry.of_runs([run_id])
    if run.info.lifecycle_stage != LifecycleStage.ACTIVE or in_use:
        return False
    for logged in run.outputs.model_outputs if run.outputs else ():
        client.delete_logged_model(logged.model_id)
    client.delete_run(run_id)
    return True


def _remove_file(store: SnapshotStore, thing: Expired) -> bool:
    if thing.kind in ("log", "report"):
        Path(thing.name).unlink(missing_ok=True)
    else:
        store.remove(thing.name)
    return True


def _version(name: str) -> tuple[str, int]:
    model, _, number = name.rpartition("/")
    return model, int(number)
