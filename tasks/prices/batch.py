"""A fetch of many securities that can be taken up again where it was interrupted."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from model.market.calendar import ExchangeCalendar
from tasks.prices.inventory import missing_sessions
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import Settings
from tasks.system.durable_file import make_folder_durably, write_durably


class _Begun(BaseModel):
    begun: AwareDatetime


class Batch:
    """The securities of one list, and since when they are being fetched.

    A list that was begun after the newest session's end and not ended is taken up again: what has been fetched since,
    with every session, is not fetched again.
    """

    def __init__(self, tickers: Sequence[str], settings: Settings, now: datetime) -> None:
        self._settings = settings
        digest = hashlib.sha256("\n".join(sorted(tickers)).encode()).hexdigest()[:16]
        self._file = settings.home / "prices" / f"fetching-{digest}.json"
        begun = _read(self._file)
        calendar = ExchangeCalendar()
        self.taken_up = begun is not None and calendar.last_completed(begun) == calendar.last_completed(now)
        self.begun = begun if begun is not None and self.taken_up else now
        if not self.taken_up:
            make_folder_durably(self._file.parent)
            text = _Begun(begun=now).model_dump_json()
            write_durably(self._file, lambda place: place.write_text(text, encoding="utf-8"))

    def has(self, ticker: str, store: SnapshotStore, now: datetime) -> bool:
        """Whether a security has been fetched since the list was begun, and nothing of it is missing."""
        record = store.newest(ticker) if self.taken_up else None
        return (
            record is not None and record.fetched_at >= self.begun and not missing_sessions(record, self._settings, now)
        )

    def end(self) -> None:
        """All of it was asked for."""
        self._file.unlink(missing_ok=True)


def _read(file: Path) -> datetime | None:
    try:
        return _Begun.model_validate_json(file.read_bytes()).begun
    except (OSError, ValidationError):
        return None
