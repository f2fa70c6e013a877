"""Other series beside a security's sessions: at each of them what was known at its close, and nothing else.

Two exchanges may lie in different time zones, have different holidays, and close at different hours. So values are not
joined by date, but by the moment at which each was known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.market.exchange_library import Moments
from model.market.prices import Days, OtherSeries, Values

# A value that is older than so many sessions says nothing any more.
LONGEST_STALE = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """Another series as it was observed, in any order; a day may have several values, each known later than the other.

    name:        what it is called as an input
    columns:     what a table calls its values
    days:        (m,) datetime64[D], what each value is of
    known_at:    (m,) datetime64[s] in UTC, from when on it was known; NaT where it is never used
    values:      (m, len(columns)) float64
    fingerprint: of the snapshot or file
    """

    name: str
    columns: tuple[str, ...]
    days: Days
    known_at: Moments
    values: Values
    fingerprint: str


def beside(sessions: Days, closes: Moments, observed: Sequence[Observed]) -> OtherSeries:
    """What was known of some series at the close of each session.

    sessions: (n,) datetime64[D], strictly increasing
    closes:   (n,) datetime64[s] in UTC, when the session was over; NaT where that is not known
    """
    values = [np.empty((len(sessions), 0)), *(known_values(sessions, closes, each) for each in observed)]
    return OtherSeries(
        columns=tuple(column for each in observed for column in each.columns),
        values=np.hstack(values),
        sources={each.name: each.fingerprint for each in observed},
    )


def known_values(sessions: Days, closes: Moments, observed: Observed) -> Values:
    """(n, len(observed.columns)) the newest values known at each close.

    NaN where nothing was known, or where the newest is of a day more than LONGEST_STALE sessions ago.
    """
    usable = ~np.isnat(observed.known_at) & np.isfinite(observed.values).all(axis=1)
    days, known_at, values = (each[usable] for each in (observed.days, observed.known_at, observed.values))
    order = np.lexsort((days, known_at))
    days, known_at, values = days[order], known_at[order], values[order]
    made = np.full((len(sessions), len(observed.columns)), np.nan)
    if not len(days):
        return made
    # The newest day known so far; a later value of the same day takes the place of an earlier one.
    newest = np.where(days >= np.maximum.accumulate(days), np.arange(len(days)), 0)
    chosen = np.maximum.accumulate(newest)
    at = np.searchsorted(known_at, closes, side="right") - 1
    there = (at >= 0) & ~np.isnat(closes)
    rows = chosen[np.maximum(at, 0)]
    age = np.arange(1, len(sessions) + 1) - np.searchsorted(sessions, days[rows], side="right")
    there &= age <= LONGEST_STALE
    made[there] = values[rows[there]]
    return made
