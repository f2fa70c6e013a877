"""The prices for a run: fetched and kept as a snapshot, or read from an earlier snapshot."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from model.errors import FaultyPrices, PricesUnavailable, RestatedPrices, UsageError
from model.market.findings import list_days
from model.market.prices import Prices
from model.market.restatement import with_vanished
from model.market.security import Security
from tasks.prices.fetch_record import Acceptance, FetchRecord
from tasks.prices.request import ResolvedRequest, calendar_for
from tasks.prices.snapshots import SHOWN, SnapshotStore
from tasks.prices.sources.read import Download, check, check_newest, download, read_prices, used
from tasks.prices.sources.yahoo import client_versions, yahoo_session
from tasks.settings import Settings
from tasks.system.lock import user_name

if TYPE_CHECKING:
    from tasks.prices.sources.yahoo_session import YahooSession

LONGEST_TAG = 4000  # characters; MLflow takes 8000 bytes
# Tag of a run: series -> the fingerprint of the snapshot or file that it was taken from, as JSON.
SERIES = "x.prices.series"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FetchedPrices:
    """Prices, and where they come from.

    record:  the record of their fetch; None for files and the sample market, which have no snapshots
    stale:   whether these are the prices of an earlier fetch, because Yahoo was not available
    missing: the newest sessions that stale prices lack
    """

    prices: Prices
    record: FetchRecord | None = None
    stale: bool = False
    missing: tuple[date, ...] = ()

    @property
    def verdict(self) -> str:
        """One word for what had changed since the fetch before."""
        return self.record.verdict if self.record else "not compared"

    @property
    def snapshot(self) -> str | None:
        """The snapshot's fingerprint, for --vintage; None without a snapshot."""
        return self.record.fingerprint if self.record else None

    def noted(self, notes: tuple[str, ...]) -> "FetchedPrices":
        """A copy with further notes on the prices."""
        return replace(self, prices=self.prices.noted(notes))

    def tags(self) -> dict[str, str]:
        """The tags of an MLflow run that tell where its prices come from, and other series beside them."""
        others = {} if self.prices.others is None else self.prices.others.sources
        series = {"prices.series": ", ".join(others), SERIES: json.dumps(dict(others))} if others else {}
        if self.record is None:
            return series
        return series | {
            "x.prices.snapshot": self.record.fingerprint,
            "prices.fetched_at": self.record.fetched_at.isoformat(timespec="seconds"),
            "prices.verdict": self.verdict,
            "prices.changes": "\n".join(self.record.changes)[:LONGEST_TAG],
            "prices.stale": str(self.stale).lower(),
            "prices.missing": " ".join(map(str, self.missing)),
        }


def series_sources(tags: Mapping[str, str]) -> dict[str, str]:
    """The other series that the tags of a run name, and each fingerprint; none where the tag is spoilt."""
    try:
        found = json.loads(tags.get(SERIES, "{}"))
    except ValueError:
        return {}
    return {name: str(source) for name, source in found.items()} if isinstance(found, dict) else {}


def fetch_prices(
    resolved: ResolvedRequest, settings: Settings, now: datetime, *, session: "YahooSession | None" = None
) -> FetchedPrices:
    """The requested prices; PricesError if they are unavailable, wrong, or irregularly restated.

    With the source yahoo: `vintage` names the snapshot to use; with `as_of`, a snapshot that was known on that day is
    used, if there is one. In all other cases Yahoo is asked, through `session` or a new session.
    """
    request = resolved.request
    if request.source != "yahoo":
        return FetchedPrices(prices=read_prices(resolved, settings, now))
    store = SnapshotStore(settings)
    if request.vintage is not None:
        return _vintage(store, resolved, settings)
    as_of = request.as_of
    known = None if as_of is None else _known_at(store, resolved.security, as_of, settings)
    if known is not None:
        note = f"as they were known on {as_of}: fetched {known.fetched_at:%Y-%m-%d %H:%M} UTC"
        return _from_store(store, known, resolved, settings, note)
    if session is not None:
        return _fetch(store, resolved, settings, now, session)
    with yahoo_session(settings.prices.timeout) as own:
        return _fetch(store, resolved, settings, now, own)


def fall_back(
    resolved: ResolvedRequest, settings: Settings, now: datetime, allowed: int | None, error: PricesUnavailable
) -> FetchedPrices:
    """The last good snapshot in place of unavailable prices, if it lacks at most `allowed` sessions.

    Otherwise the given error is raised again; it then names that snapshot, if there is one.

    allowed: None: never use a snapshot
    """
    request, store = resolved.request, SnapshotStore(settings)
    record, prices, notes = store.newest_readable(resolved.security.ticker)
    if request.source != "yahoo" or request.vintage is not None or record is None or prices is None:
        raise error
    prices = _on_exchange(prices, resolved)
    calendar = calendar_for(prices.security, settings)
    until = resolved.until(calendar.last_completed(now))
    prices = used(prices, resolved.first, until)
    missing = calendar.due_sessions(prices.last, until)
    there = f"the snapshot {record.fingerprint[:SHOWN]}, fetched {record.fetched_at:%Y-%m-%d %H:%M} UTC"
    lacks = f"lacks {_count(len(missing))}" if missing else "lacks no session"
    if allowed is None or len(missing) > allowed:
        limit = "no snapshot may be used instead" if allowed is None else f"{_count(allowed)} may be lacking"
        raise type(error)(
            error.subject,
            have=f"{error.have}\n  there is {there}, which {lacks}; {limit} (prices.stale_sessions in mlflow.yaml)",
            need=error.need,
            remedy=error.remedy,
            **{**error.data, "snapshot": record.fingerprint, "missing": [str(day) for day in missing]},
        )
    prices = check(prices, settings)
    note = f"stale: Yahoo was not available ({error.have}); this is {there}, which {lacks}"
    return FetchedPrices(
        prices=replace(prices, notes=(note, *prices.notes, *notes)), record=record, stale=True, missing=missing
    )


def _fetch(
    store: SnapshotStore, resolved: ResolvedRequest, settings: Settings, now: datetime, session: "YahooSession"
) -> FetchedPrices:
    """Ask Yahoo once; correct prices are stored even if the newest sessions are missing."""
    found = download(resolved.security, settings, now, session, resolved.request.exchange)
    found = _completed(store, found, settings)
    until = resolved.until(found.missing[-1] if found.missing else found.prices.last)
    rows = used(found.prices, resolved.first, until)
    try:
        sound = check(found.prices.since(resolved.first), settings)
    except FaultyPrices as error:
        if until >= found.prices.last:
            raise _with_vintage(store, error, resolved.security.ticker) from None
        return FetchedPrices(prices=_cut(rows, until, settings))  # only later days are wrong: nothing is stored
    accept = Acceptance(by=user_name(), at=now) if resolved.request.accept_restatement else None
    record = store.store(
        replace(found.prices, notes=sound.notes),
        at=now,
        metadata=found.metadata,
        libraries=client_versions(),
        accept=accept,
        since=resolved.first,
    )
    _check_good(store, record, until)
    check_newest(found, until)
    if until < found.prices.last:
        return FetchedPrices(prices=_cut(rows, until, settings), record=record)
    return FetchedPrices(prices=replace(rows, notes=(*record.notes, *_changes(record))), record=record)


def _completed(store: SnapshotStore, found: Download, settings: Settings) -> Download:
    """The download, with sessions that Yahoo has lost since the last good snapshot filled in from it, and a note."""
    prices, calendar = found.prices, calendar_for(found.prices.security, settings)
    whole = np.isfinite(prices.values).all(axis=1)
    expected = calendar.sessions(prices.first, prices.last)
    if not calendar.observed and whole.all() and np.isin(expected, prices.sessions).all():
        return found
    record, before, _ = store.newest_readable(prices.security.ticker)
    if record is None or before is None:
        return found
    completed, days = with_vanished(before, prices, before.sessions if calendar.observed else expected)
    if not len(days):
        return found
    note = (
        f"no longer at Yahoo, so taken from the snapshot {record.fingerprint[:SHOWN]}, fetched "
        f"{record.fetched_at:%Y-%m-%d %H:%M} UTC: {list_days(days)}"
    )
    return replace(found, prices=replace(completed, notes=(*completed.notes, note)))


def _cut(rows: Prices, until: date, settings: Settings) -> Prices:
    note = f"as Yahoo has them now, cut at {until}: no snapshot was fetched when {until} was the newest day"
    # Other notes are left out, since they may be about later days.
    return check(replace(rows, notes=(note,)), settings)


def _with_vintage(store: SnapshotStore, error: FaultyPrices, ticker: str) -> FaultyPrices:
    """The error, with the last good snapshot named in its remedy."""
    good = store.newest(ticker)
    if good is None:
        return error
    snapshot = f"use the snapshot of {good.last}: --vintage {good.fingerprint[:SHOWN]}"
    return FaultyPrices(
        error.subject,
        have=error.have,
        need=error.need,
        remedy=f"{error.remedy};\n          or {snapshot}",
        **{**error.data, "snapshot": good.fingerprint},
    )


def _check_good(store: SnapshotStore, record: FetchRecord, until: date) -> None:
    """Raise RestatedPrices if a fetch changed days up to `until` irregularly and nobody has accepted that."""
    if record.good or (record.verdict == "restated" and min(record.days) > str(until)):
        return
    days = f"{_count(len(record.days))} of the past" if record.verdict == "restated" else "every price of the past"
    before = (record.previous or "")[:SHOWN]
    raise RestatedPrices(
        f"Yahoo's prices of {record.security.ticker}",
        have=f"{days} changed irregularly since the snapshot {before}"
        + "".join(f"\n  - {line}" for line in record.changes),
        need="unchanged past prices, except for splits, dividends and the newest two sessions",
        remedy="compare the days with another source; if they are right, run it again with --accept-restatement\n"
        f"          (the new prices: {store.file(record)});\n"
        f"          until then the earlier snapshot can be used: --vintage {before}",
        source="yahoo",
        days=list(record.days),
        changes=list(record.changes),
        snapshot=record.fingerprint,
        previous=record.previous,
    )


def _changes(record: FetchRecord) -> tuple[str, ...]:
    accepted = (f"restated irregularly, and accepted by {record.accepted.by}",) if record.accepted else ()
    return (*accepted, *(f"since the fetch before: {line}" for line in record.changes))


def _vintage(store: SnapshotStore, resolved: ResolvedRequest, settings: Settings) -> FetchedPrices:
    """The prices of the snapshot whose name begins with the request's `vintage`."""
    digits, ticker = resolved.request.vintage or "", resolved.security.ticker
    # Names hold only the first digits; the other digits are in the records.
    names = [name for name in store.fetches(ticker) if digits.startswith(name.digits[: len(digits)])]
    records = [record for record in map(store.record, names) if record.fingerprint.startswith(digits)]
    found = {record.fingerprint: record for record in records}
    good = {record.fingerprint: record for record in records if record.good}
    if len(found) != 1 or not good:
        have = "a snapshot that was restated irregularly and not accepted"
        if len(found) != 1:
            shown = ", ".join(name[:SHOWN] for name in sorted(found))
            have = f"{len(found)} snapshots: {shown}" if found else "no snapshot of that name"
        raise UsageError(
            f"--vintage {digits}",
            have=have,
            need=f"the first digits of one good snapshot of {ticker}",
            remedy=f"see tomorrow prices --ticker {ticker}",
        )
    (record,) = good.values()
    return _from_store(store, record, resolved, settings, f"vintage {record.fingerprint[:SHOWN]}, of {record.last}")


def _known_at(store: SnapshotStore, security: Security, as_of: date, settings: Settings) -> FetchRecord | None:
    """The newest good fetch that has every session up to `as_of` and was made before the next session ended."""
    names = [name for name in store.fetches(security.ticker) if name.last <= as_of]
    calendar = calendar_for(security, settings)
    for name in reversed(names):
        whole = not calendar.due_sessions(name.last, as_of)
        if whole and calendar.last_completed(name.fetched_at) == name.last:
            record = store.record(name)
            if record.good:
                return record
    return None


def _from_store(
    store: SnapshotStore, record: FetchRecord, resolved: ResolvedRequest, settings: Settings, note: str
) -> FetchedPrices:
    """The rows of a snapshot that the request uses, checked."""
    prices = _on_exchange(store.read(record), resolved)
    rows = check(used(prices, resolved.first, resolved.until(prices.last)), settings)
    return FetchedPrices(prices=replace(rows, notes=(note, *rows.notes)), record=record)


def _on_exchange(prices: Prices, resolved: ResolvedRequest) -> Prices:
    """The prices, with the exchange that the request names, if it names one."""
    exchange = resolved.request.exchange
    return prices if exchange is None else replace(prices, security=replace(prices.security, exchange=exchange))


def _count(sessions: int) -> str:
    return f"{sessions} session" + ("" if sessions == 1 else "s")
