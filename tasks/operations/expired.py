"""Finds what is old and in no use; cleanup.py removes it.

Kept at any age: what is in Production or Staging or has ever been in Production; the version, run and prices of every
row of the ledger; the runs that a kept run was started from or proven by; the newest good fetch of a security, and
every irregular restatement, since both are evidence. Only runs that this program made are looked at.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from model.evaluation.decision import DecisionWord
from tasks.ledger.forecasts import RecordedForecast
from tasks.prices.snapshots import SHOWN, FetchName, SnapshotStore
from tasks.registry.registry import Registry
from tasks.registry.version import PROVEN_BY, RegisteredVersion
from tasks.settings import HousekeepingSettings, Settings
from tasks.tracking.client import Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Kind = Literal["archive", "version", "run", "fetch", "snapshot", "log"]

OURS = "tags.`mlflow.source.name` = 'tomorrow'"
PARENT = "mlflow.parentRunId"
STARTED_FROM = "started_from.run_id"
SNAPSHOT = "prices.snapshot"
FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """One thing that may be removed, or a version that may be archived.

    name: a version as MODEL/NUMBER, a run's id, or the path of a fetch's record, a snapshot or a log
    size: in bytes, of a file
    """

    kind: Kind
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Ages:
    """A thing is old if it was made, or ended, before this time."""

    archive: datetime
    remove: datetime
    snapshots: datetime
    logs: datetime

    @classmethod
    def from_settings(cls, settings: HousekeepingSettings, now: datetime, older_than: int | None) -> "Ages":
        """The settings' ages, or one for all of them."""
        days = (settings.archive_days, settings.remove_days, settings.snapshot_days, settings.log_days)
        return cls(*(now - timedelta(days=own if older_than is None else older_than) for own in days))


def find_expired(tracking: Tracking, forecasts: Iterable[RecordedForecast], ages: Ages) -> tuple[Expired, ...]:
    """Everything that may be removed, in the order in which it has to be."""
    rows = tuple(forecasts)
    registry = Registry(tracking)
    runs = {run.info.run_id: run for run in _runs(tracking.client, tracking.experiment_id())}
    models = registry.models()
    versions = tuple(version for model in models for version in registry.versions(model))
    named = {(row.model, row.version) for row in rows if row.version is not None}
    named |= {(model, number) for model in models for number in registry.once_in_production(model)}
    archived = tuple(_archivable(versions, named, runs, ages.archive))
    removed = tuple(
        version for version in versions if is_free(version, named) and _is_old(runs.get(version.run_id), ages.remove)
    )
    kept_runs = {version.run_id for version in versions if version not in removed} | {row.run_id for row in rows}
    old_runs = tuple(_old_runs(runs, kept_runs, ages.remove))
    staying = [run for run_id, run in runs.items() if run_id not in old_runs]
    return (
        *(Expired(kind="archive", name=f"{version.model}/{version.version}") for version in archived),
        *(Expired(kind="version", name=f"{version.model}/{version.version}") for version in removed),
        *(Expired(kind="run", name=run_id) for run_id in old_runs),
        *_snapshots(tracking.settings, rows, staying, ages.snapshots),
        *_logs(tracking.settings, ages.logs),
    )


def is_free(version: RegisteredVersion, named: set[tuple[str, int]]) -> bool:
    """Whether neither a stage nor one of the `named` (model, number) pairs of ledger and history needs a version.

    Its decision says that it was in Production even where the history is in another ledger.
    """
    return (
        version.stage not in ("Production", "Staging")
        and (version.model, version.version) not in named
        and not (version.decision and version.decision.promotes)
    )


def _archivable(
    versions: tuple[RegisteredVersion, ...], named: set[tuple[str, int]], runs: "dict[str, Run]", before: datetime
) -> Iterator[RegisteredVersion]:
    """The old versions in Staging that wait for nobody; the newest of each model stays, since its alias names it."""
    newest = {version.model: version.version for version in versions if version.stage == "Staging"}
    for version in versions:
        if (
            version.stage == "Staging"
            and version.version != newest[version.model]
            and version.decision != DecisionWord.WAITING
            and (version.model, version.version) not in named
            and _is_old(runs.get(version.run_id), before)
        ):
            yield version


def _old_runs(runs: "dict[str, Run]", kept: set[str], before: datetime) -> Iterator[str]:
    """The old runs that no kept run was started from, proven by or is a part of."""
    needed = {run_id for run_id, run in runs.items() if run_id in kept or not _is_old(run, before)}
    waiting = list(needed)
    while waiting:
        run = runs.get(waiting.pop())
        tags = run.data.tags if run else {}
        others = {tags[tag] for tag in (STARTED_FROM, PROVEN_BY, PARENT) if tags.get(tag)} - needed
        needed |= others
        waiting += others
    yield from (run_id for run_id in runs if run_id not in needed)


def _is_old(run: "Run | None", before: datetime) -> bool:
    """Whether a run ended before that time; one that is not ours, is gone, or is still running is never old."""
    if run is None or run.info.end_time is None:
        return False
    ended: float = run.info.end_time / 1000
    return ended < before.timestamp()


def _runs(client: "MlflowClient", experiment: str) -> "Iterator[Run]":
    token = None
    while True:
        page = client.search_runs([experiment], OURS, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _snapshots(
    settings: Settings, rows: tuple[RecordedForecast, ...], runs: "list[Run]", before: datetime
) -> Iterator[Expired]:
    """The records of old fetches first, then the snapshots that no remaining record names."""
    store = SnapshotStore(settings)
    fingerprints = {row.fingerprint for row in rows}
    for run in runs:
        fingerprints |= {run.data.tags.get(tag, "") for tag in (SNAPSHOT, FINGERPRINT)}
    beginnings = {fingerprint[:SHOWN] for fingerprint in fingerprints}
    for ticker in store.tickers():
        days = {row.as_of for row in rows if row.ticker == ticker}
        newest = store.newest(ticker)
        left: list[FetchName] = []
        for name in store.fetches(ticker):
            needed = (
                name.fetched_at >= before
                or name.verdict == "restated"
                or name.last in days
                or (newest is not None and newest.fingerprint.startswith(name.digits))
                or name.digits in beginnings
            )
            if needed:
                left.append(name)
            else:
                yield _file("fetch", name.file)
        recorded = beginnings | {name.digits for name in left}
        for file in store.files(ticker):
            if file.stem[:SHOWN] not in recorded and file.stat().st_mtime < before.timestamp():
                yield _file("snapshot", file)


def _logs(settings: Settings, before: datetime) -> Iterator[Expired]:
    for file in sorted((settings.home / "logs").glob("*.log*")):
        if file.stat().st_mtime < before.timestamp():
            yield _file("log", file)


def _file(kind: Kind, file: Path) -> Expired:
    return Expired(kind=kind, name=str(file), size=file.stat().st_size)
