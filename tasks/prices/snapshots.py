"""Snapshots of prices: every price history that was fetched, and a record of each fetch.

    prices/META/ab12...ef.parquet                                              named after its prices' fingerprint
    prices/META/fetches/20261120T213000.000000Z_2026-11-20_grown_ab12cd34ef56.json

They lie in the state directory, or in the place that `prices.store` names. No file is ever changed. The records' names
are the index: time of the fetch, newest session, verdict on changes, and the first digits of the snapshot's name.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from urllib.parse import quote, unquote

from pydantic import ValidationError

from model.errors import FaultyPrices
from model.market.prices import Prices
from model.market.restatement import compare_prices
from tasks.prices.fetch_record import IRREGULAR, Acceptance, FetchRecord
from tasks.prices.parquet import check_fingerprint, read_prices, write_price_file
from tasks.prices.store.owner import changing
from tasks.prices.store.place import (
    Place,
    files_in,
    folders_in,
    make_folder,
    remove,
    remove_left,
    store_place,
    write_whole,
)
from tasks.settings import Settings
from tasks.system.disk_errors import folder_fault

SHOWN = 12  # digits of a fingerprint in a name
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)_(\d{4}-\d\d-\d\d)_([a-z]+)_([0-9a-f]{12})(?:_\d+)?\.json")
_MOMENT = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchName:
    """The parts of the name of a fetch's record; the file itself need not be read."""

    file: Place
    fetched_at: datetime
    last: date
    verdict: str
    digits: str


class SnapshotStore:
    """The snapshots of one state directory, or of all that share a place, with all their processes.

    A killed process leaves no half-written file; when `store` returns, everything is on the disk.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = store_place(settings, "prices")

    def tickers(self) -> tuple[str, ...]:
        """The tickers of all securities in the store."""
        return tuple(sorted(map(unquote, folders_in(self._root))))

    def fetches(self, ticker: str) -> tuple[FetchName, ...]:
        """Every fetch of a security, ordered by newest session, then by time of the fetch."""
        names = [name for name in map(_name, files_in(self._folder(ticker) / "fetches", ".json")) if name]
        return tuple(sorted(names, key=lambda name: (name.last, name.fetched_at, name.file.name)))

    def record(self, name: FetchName) -> FetchRecord:
        """The record of a fetch; FaultyPrices names the file if it is damaged."""
        try:
            return FetchRecord.model_validate_json(name.file.read_bytes())
        except (OSError, ValidationError) as error:
            fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror or "it is gone"
            raise FaultyPrices(
                f"record of a fetch {name.file}",
                have=f"damaged, or of a newer release: {fault}",
                need="the record as it was written",
                remedy="put it back from a backup, or remove it: the snapshot itself is another file",
            ) from None

    def read(self, record: FetchRecord) -> Prices:
        """The prices of a fetch; FaultyPrices names the file if it is damaged, changed or missing."""
        file = self.file(record)
        try:
            prices = read_prices(file.read_bytes, file.name)
            check_fingerprint(prices, record.fingerprint, str(file))
        except FaultyPrices as error:
            raise FaultyPrices(
                f"snapshot {file}",
                have=error.have if file.exists() else "no such file",
                need="the prices as they were stored",
                remedy="put it back from a backup, or fetch again: tomorrow prices --fetch",
                file=str(file),
            ) from None
        return replace(prices, security=record.security, notes=record.notes)

    def file(self, record: FetchRecord) -> Place:
        """The file of a fetch's snapshot."""
        return self._folder(record.security.ticker) / f"{record.fingerprint}.parquet"

    def files(self, ticker: str) -> tuple[Place, ...]:
        """Every snapshot of a security, sorted by fingerprint."""
        return tuple(sorted(files_in(self._folder(ticker), ".parquet"), key=lambda file: file.name))

    def remove(self, file: str) -> None:
        """Remove a snapshot or the record of a fetch, by its address; remove a record before its snapshot."""
        inside = file.removeprefix(f"{self._root}/")
        with self._errors(), changing(self._settings, unquote(inside.partition("/")[0])):
            remove(self._root / inside)

    def newest(self, ticker: str) -> FetchRecord | None:
        """The record of the newest good fetch; damaged records are skipped."""
        for name in reversed(self.fetches(ticker)):
            with suppress(FaultyPrices):
                record = self.record(name)
                if record.good:
                    return record
        return None

    def newest_readable(self, ticker: str) -> tuple[FetchRecord | None, Prices | None, tuple[str, ...]]:
        """The newest good fetch that can be read, its prices, and a note for each newer one that cannot be.

        (None, None, notes) where there is none.
        """
        notes: list[str] = []
        for name in reversed(self.fetches(ticker)):
            try:
                record = self.record(name)
                if record.good:
                    return record, self.read(record), tuple(notes)
            except FaultyPrices as error:
                notes.append(f"passed over: {error.subject}: {error.have}")
        return None, None, tuple(notes)

    def store(
        self,
        prices: Prices,
        *,
        at: datetime,
        metadata: dict[str, str | None] | None = None,
        libraries: dict[str, str] | None = None,
        accept: Acceptance | None = None,
        since: date | None = None,
    ) -> FetchRecord:
        """Store fetched prices and the record of their fetch, with what has changed since the fetch before.

        at:     the time of the fetch, with a zone
        accept: who accepts irregular changes; without it, such a fetch is stored but does not count as good
        since:  the first day that is compared
        """
        ticker = prices.security.ticker
        with self._errors(), changing(self._settings, ticker):
            for folder in (self._folder(ticker), self._folder(ticker) / "fetches"):
                make_folder(folder, self._settings)
                remove_left(folder)
            previous, before, notes = self.newest_readable(ticker)
            record = FetchRecord(
                security=prices.security,
                source=prices.source,
                origin=prices.origin,
                fetched_at=at.astimezone(UTC),
                fingerprint=prices.fingerprint,
                sessions=len(prices),
                first=prices.first,
                last=prices.last,
                metadata=metadata or {},
                libraries=libraries or {},
                notes=(*prices.notes, *notes),
            )
            if previous is not None and before is not None:
                change = compare_prices(before.since(since), prices.since(since))
                update = {
                    "previous": previous.fingerprint,
                    "verdict": change.verdict,
                    "changes": change.lines,
                    "days": change.days,
                    "accepted": accept if change.verdict in IRREGULAR else None,
                }
                record = record.model_copy(update=update)
            if before is None or before.fingerprint != record.fingerprint:
                self._keep(prices, record)
            self._write_down(record)
        return record

    def _keep(self, prices: Prices, record: FetchRecord) -> None:
        try:
            self.read(record)
        except FaultyPrices:
            write_whole(self.file(record), partial(write_price_file, replace(prices, notes=())))

    def _write_down(self, record: FetchRecord) -> None:
        folder = self._folder(record.security.ticker) / "fetches"
        stem = f"{record.fetched_at:{_MOMENT}}_{record.last}_{record.verdict}_{record.fingerprint[:SHOWN]}"
        file, number = folder / f"{stem}.json", 1
        while file.exists():
            number += 1
            file = folder / f"{stem}_{number}.json"
        text = record.model_dump_json(indent=1)
        write_whole(file, lambda place: place.write_text(text, encoding="utf-8"))

    def _folder(self, ticker: str) -> Place:
        return self._root / quote(ticker, safe="^=")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise folder_fault(f"price snapshots in {self._root}", error) from None


def _name(file: Place) -> FetchName | None:
    found = _NAME.fullmatch(file.name)
    if found is None:
        return None
    moment, last, verdict, digits = found.groups()
    return FetchName(
        file=file,
        fetched_at=datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC),
        last=date.fromisoformat(last),
        verdict=verdict,
        digits=digits,
    )
