"""Which forecast of a later session stands for a version: the one that was recorded first, whatever is known since."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.ledger.forecasts import RecordedForecast


def standing(first: "RecordedForecast", rows: "Sequence[RecordedForecast]") -> "RecordedForecast | None":
    """The one of these forecasts, all of one horizon and made as of the day of `first`, that stands beside it.

    first: a version's forecast of the next session

    That is the version's own, or the naive distribution where it had no skill then: the one that was recorded together
    with `first`. A naive one that was there before, for another version, stands only where there is no such one. None
    where there is neither: a naive one that came later is another version's.
    """
    naive = (row for row in rows if row.version is None and row.made_at <= first.made_at)
    own = [*(row for row in rows if row.version == first.version), *naive]
    return min(own, key=lambda row: (row.made_at != first.made_at, row.made_at, row.version is None), default=None)
