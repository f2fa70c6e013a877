"""Which forecast of a later session stands for a version: the one that was recorded first, whatever is known since."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.ledger.forecasts import RecordedForecast


def standing(first: "RecordedForecast", rows: "Iterable[RecordedForecast]") -> "RecordedForecast | None":
    """The one of these forecasts, all of one horizon and made as of the day of `first`, that stands beside it.

    first: a version's forecast of the next session

    That is the version's own, or the naive distribution where it had no skill then: the one that was recorded together
    with `first`. A naive one that was there before, for another version, stands only where there is no such one. None
    where there is neither.
    """
    own = [row for row in rows if row.version in (first.version, None)]
    return min(own, key=lambda row: (row.made_at != first.made_at, row.made_at, row.version is None), default=None)
