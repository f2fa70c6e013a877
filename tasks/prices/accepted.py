"""Days whose odd prices a person has accepted as right: one file per day and decision.

    accepted/AAPL/2000-09-29_20261127T101500.000000Z.json

They lie beside the snapshots of prices, and apply to prices from any source, from the next check on. To take a decision
back, remove its file.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from model.errors import FaultyPrices, UsageError, printable
from tasks.prices.store.owner import take_place
from tasks.prices.store.place import Place, files_in, make_folder, store_place, write_whole
from tasks.settings import Settings
from tasks.system.disk_errors import folder_fault

# In characters: the reason is shown with every use of the prices.
LONGEST_REASON = 300


class AcceptedDay(BaseModel):
    """Who accepted the prices of a day as right, when and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticker: str
    day: date
    by: str
    at: AwareDatetime
    reason: str

    def __str__(self) -> str:
        return f"accepted by {self.by} on {self.at:%Y-%m-%d}: {self.reason}"


def accepted_days(ticker: str, settings: Settings) -> tuple[AcceptedDay, ...]:
    """The accepted days of a security, oldest first, each by its newest decision; FaultyPrices for a damaged file."""
    files = sorted(files_in(_folder(ticker, settings), ".json"), key=lambda file: file.name)
    found = {one.day: one for one in map(_read, files)}
    return tuple(found[day] for day in sorted(found))


def accept_days(
    ticker: str, days: Sequence[date], *, by: str, at: datetime, reason: str, today: date, settings: Settings
) -> tuple[AcceptedDay, ...]:
    """Record days as accepted; UsageError for a day after `today`, and without a reason or with a too long one."""
    if not reason.strip():
        raise UsageError(
            f"--accept {days[0]}",
            have="no reason",
            need="the reason why the prices of that day are right; it is recorded",
            remedy='add --reason "..."',
        )
    if len(reason) > LONGEST_REASON:
        have, need = f"a reason of {len(reason)} characters", f"{LONGEST_REASON} at most"
        raise UsageError(f"--accept {days[0]}", have=have, need=need, remedy="shorten it")
    for day in days:
        if day > today:
            raise UsageError(
                f"--accept {day}",
                have=f"a day in the future: at the exchange it is {today}",
                need="today or an earlier day",
                remedy="correct --accept",
            )
    why = printable(reason.strip())
    made = tuple(AcceptedDay(ticker=ticker, day=day, by=by, at=at.astimezone(UTC), reason=why) for day in days)
    folder = _folder(ticker, settings)
    try:
        take_place(settings)
        make_folder(folder, settings)
        for one in made:
            _write(folder / f"{one.day}_{one.at:%Y%m%dT%H%M%S.%fZ}.json", one.model_dump_json(indent=1))
    except OSError as error:
        raise folder_fault(f"accepted days of prices in {folder}", error) from None
    return made


def _write(file: Place, text: str) -> None:
    write_whole(file, lambda place: place.write_text(text, encoding="utf-8"))


def _folder(ticker: str, settings: Settings) -> Place:
    return store_place(settings, "accepted") / quote(ticker, safe="^=")


def _read(file: Place) -> AcceptedDay:
    try:
        return AcceptedDay.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise FaultyPrices(
            f"accepted day of prices {file}",
            have=f"damaged, or of a newer release: {fault}",
            need="the record as it was written",
            remedy="put it back from a backup, or remove it and accept the day again: tomorrow prices --accept",
        ) from None
