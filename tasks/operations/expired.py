"""Finds what is old and unused; cleanup.py removes it.

Never removed, at any age: versions that are in Production or Staging, or were ever in Production; the version, run and
prices of every row of the ledger, those of other series among them; the runs that a kept run was started from or proven
by; the newest good fetch of a security, and every fetch with an irregular restatement, as evidence. Only runs that this
program made are looked at.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from model.evaluation.decision import DecisionWord
from tasks.ledger.totals import Totals
from tasks.operations.old_runs import OldRuns, run_ended
from tasks.prices.snapshots import SHOWN, FetchName, SnapshotStore
from tasks.prices.store.owner import check_owner
from tasks.prices.store.place import Place, size_of
from tasks.registry.registry import Registry
from tasks.settings import HousekeepingSettings, Settings
from tasks.tracking.client import Tracking

Kind = Literal["archive", "version", "run", "fetch", "snapshot", "log", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """One thing that may be removed, or a version that may be archived.

    name: a version as MODEL/NUMBER, a run's id, or the path of a fetch's record, a snapshot, a log or a daily report
    size: in bytes, of a file
    """

    kind: Kind
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Ages:
    """For each kind, the time before which a thing must have been made, or ended, to be old."""

    archive: datetime
    remove: datetime
    snapshots: datetime
    logs: datetime

    @classmethod
    def from_settings(cls, settings: HousekeepingSettings, now: datetime, older_than: int | None) -> "Ages":
        """The settings' ages; with `older_than`, that many days for all kinds."""
        days = (settings.archive_days, settings.remove_days, settings.snapshot_days, settings.log_days)
        return cls(*(now - timedelta(days=own if older_than is None else older_than) for own in days))


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The result of a search.

    expired: everything that may be removed, in the order in which to remove it
    lasting: the ids of old runs that will always be needed; they are marked, to be skipped the next time
    """

    expired: tuple[Expired, ...]
    lasting: tuple[str, ...]


def find_expired(tracking: Tracking, ages: Ages) -> Findings:
    """Everything that may be removed; it looks only at old things, without runs marked as lasting."""
    old = OldRuns(tracking, ages.remove)
    return Findings(
        expired=(
            *(Expired(kind="archive", name=name) for name in _archivable(tracking, ages.archive)),
            *(Expired(kind="version", name=f"{version.model}/{version.version}") for version in old.versions),
            *(Expired(kind="run", name=run_id) for run_id in old.expired),
            *_snapshots(tracking.settings, old, ages.snapshots),
            *_files("log", tracking.settings.home / "logs", "*.log*", ages.logs),
            *_files("report", tracking.settings.home / "reports", "*.html", ages.remove),
        ),
        lasting=old.lasting,
    )


def _archivable(tracking: Tracking, before: datetime) -> Iterator[str]:
    """Old versions in Staging that await no approval; each model's newest one stays, since the alias names it."""
    registry, totals = Registry(tracking), Totals(tracking.settings.ledger_uri)
    for model in registry.models():
        once = registry.once_in_production(model)
        for number in sorted(registry.history.in_stage(model, "Staging")[1:]):
            version = registry.find(model, number)
            if version is None or version.stage != "Staging":
                continue
            ended = run_ended(tracking.client, version.run_id)
            if ended is None:
                continue
            if ended >= before:
                break  # those with higher numbers were trained later
            named = number in once or totals.has(model, number)
            if not named and version.decision != DecisionWord.WAITING:
                yield f"{model}/{number}"


def _snapshots(settings: Settings, old: OldRuns, before: datetime) -> Iterator[Expired]:
    """The records of old fetches, then the snapshots that no remaining record names."""
    check_owner(settings)
    store, totals = SnapshotStore(settings), Totals(settings.ledger_uri)
    for ticker in store.tickers():
        days = totals.days(ticker)
        beginnings = {fingerprint[:SHOWN] for fingerprint in totals.fingerprints(ticker)}
        newest, fetches = store.newest(ticker), store.fetches(ticker)
        beside = set(_newest_at(fetches, old.used_as_series(ticker)))
        left: list[FetchName] = []
        for name in fetches:
            needed = (
                name.fetched_at >= before
                or name in beside
                or name.verdict == "restated"
                or name.last in days
                or (newest is not None and newest.fingerprint.startswith(name.digits))
                or name.digits in beginnings
                or old.left_with(name.digits)
            )
            if needed:
                left.append(name)
            else:
                yield from _file("fetch", name.file)
        recorded = beginnings | {name.digits for name in left}
        for file in store.files(ticker):
            digits = file.stem[:SHOWN]
            if digits not in recorded and not old.left_with(digits):
                yield from _file("snapshot", file, before)


def _newest_at(fetches: Iterable[FetchName], moments: Collection[datetime]) -> Iterator[FetchName]:
    """The fetch that was the newest one at each moment: a forecast was made with it beside its own prices."""
    by_time = sorted(fetches, key=lambda name: name.fetched_at)
    for moment in moments:
        known = bisect_right(by_time, moment, key=lambda name: name.fetched_at)
        if known:
            yield by_time[known - 1]


def _files(kind: Kind, folder: Path, pattern: str, before: datetime) -> Iterator[Expired]:
    for file in sorted(folder.glob(pattern)):
        yield from _file(kind, file, before)


def _file(kind: Kind, file: Place, before: datetime | None = None) -> Iterator[Expired]:
    """The file, if it is still there, and was written before that time."""
    size = size_of(file)
    if size is not None and (before is None or size.written < before):
        yield Expired(kind=kind, name=str(file), size=size.bytes)
