"""Lists what is stored for a security: snapshots, missing sessions, restatements and damaged files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from model.errors import FaultyPrices
from tasks.prices.accepted import AcceptedDay, accepted_days
from tasks.prices.fetch_record import IRREGULAR, FetchRecord
from tasks.prices.request import calendar_for
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One security in the store.

    newest:       the newest good fetch; None if there is none
    missing:      the newest completed sessions that it lacks
    fetches:      how often it was fetched; snapshots: how many different ones there are
    restatements: every fetch with irregular changes of the past, oldest first
    records:      every fetch, oldest first; only for named securities
    damaged:      a line for each file that was opened and cannot be read
    accepted:     the days whose prices a person accepted as right; only for named securities
    """

    ticker: str
    newest: FetchRecord | None
    missing: tuple[date, ...]
    fetches: int
    snapshots: int
    restatements: tuple[FetchRecord, ...]
    records: tuple[FetchRecord, ...] = ()
    damaged: tuple[str, ...] = ()
    accepted: tuple[AcceptedDay, ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether the newest fetch lacks no session."""
        return self.newest is not None and not self.missing


def stored_prices(tickers: Sequence[str], settings: Settings, now: datetime) -> list[Holding]:
    """The holdings of the named securities, every file checked; without names, of all stored ones, fewer files read."""
    store = SnapshotStore(settings)
    return [_holding(store, ticker, settings, now, all_of_it=bool(tickers)) for ticker in tickers or store.tickers()]


def _holding(store: SnapshotStore, ticker: str, settings: Settings, now: datetime, *, all_of_it: bool) -> Holding:
    """The holding of a security; with `all_of_it` every record and every snapshot is read."""
    damaged: list[str] = []
    records: list[FetchRecord] = []
    names = sorted(store.fetches(ticker), key=lambda name: (name.fetched_at, name.file.name))
    for name in names:
        if all_of_it or name.verdict in IRREGULAR:
            try:
                records.append(store.record(name))
            except FaultyPrices as error:
                damaged.append(f"{error.subject}: {error.have}")
    if all_of_it:
        for record in {record.fingerprint: record for record in records}.values():
            try:
                store.read(record)
            except FaultyPrices as error:
                damaged.append(f"{error.subject}: {error.have}")
    newest = store.newest(ticker)
    return Holding(
        ticker=ticker,
        newest=newest,
        missing=() if newest is None else missing_sessions(newest, settings, now),
        fetches=len(names),
        snapshots=len({name.digits for name in names}),
        restatements=tuple(record for record in records if record.verdict in IRREGULAR),
        records=tuple(records) if all_of_it else (),
        damaged=tuple(damaged),
        accepted=accepted_days(ticker, settings) if all_of_it else (),
    )


def missing_sessions(record: FetchRecord, settings: Settings, now: datetime) -> tuple[date, ...]:
    """The sessions after a fetch's newest one that are completed by now."""
    calendar = calendar_for(record.security, settings)
    return calendar.due_sessions(record.last, calendar.last_completed(now))
