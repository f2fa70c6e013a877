"""The axis of sessions: one place for each, so that weekends and holidays leave no gap; its ticks are dates."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model.market.prices import Days, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 9
# The axis is at least this many sessions long: otherwise a single bar would fill it.
FEWEST_SHOWN = 7
# A first gap between ticks smaller than this share of the usual one: their labels would overlap.
TOO_NEAR = 0.75

Ticks = list[tuple[int, str]]


def places(sessions: Days) -> Values:
    """(n,) where the sessions stand on their axis: 0 for the first of them, 1 for the next."""
    return np.arange(len(sessions), dtype=np.float64)


def session_axis(axes: "Axes", sessions: Days, most_ticks: int = MOST_TICKS, name: str = "session") -> None:
    """Make the horizontal axis one of sessions, which are drawn at their `places`."""
    n = len(sessions)
    margin = max(0.5 + 0.015 * n, (FEWEST_SHOWN - n) / 2)
    axes.set_xlim(-margin, n - 1 + margin)
    ticks = session_ticks(sessions, most_ticks)
    axes.set_xticks([row for row, _ in ticks], [text for _, text in ticks])
    axes.set_xlabel(name, fontsize=11)


def session_ticks(sessions: Days, most: int = MOST_TICKS) -> Ticks:
    """Rows and dates of at most `most` sessions: days, weeks, months or years, the finest that are not too many.

    The first tick has its year, and each one that begins another year.
    """
    months, years = (_whole(sessions, unit) for unit in ("M", "Y"))
    for rows, write in _candidates(sessions, months, years):
        kept = _apart(rows)
        if len(kept) <= most:
            return _written(sessions, kept, write)
    return _written(sessions, np.array([0, len(sessions) - 1]), _year)


def _candidates(
    sessions: Days, months: npt.NDArray[np.int64], years: npt.NDArray[np.int64]
) -> "Iterator[tuple[npt.NDArray[np.int64], Callable[[Days], list[str]]]]":
    """Sessions that could have ticks, from the finest to the coarsest, and how these are written."""
    for step in (1, 2):
        yield np.arange(0, len(sessions), step), _day
    # Weeks are counted from Mondays; 1970-01-01 was a Thursday.
    weeks = (sessions.astype("datetime64[D]").astype(np.int64) + 3) // 7
    for weeks_apart in (1, 2):
        yield _first_of(weeks // weeks_apart), _day
    for months_apart in (1, 2, 3, 6):
        yield _first_of(months // months_apart), _month
    for years_apart in (1, 2, 5, 10, 20, 50):
        yield _first_of(years // years_apart), _year


def _whole(sessions: Days, unit: str) -> npt.NDArray[np.int64]:
    return sessions.astype(f"datetime64[{unit}]").astype(np.int64)


def _first_of(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first row of each group."""
    return np.concatenate([[0], 1 + np.flatnonzero(np.diff(groups))])


def _apart(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows without the first where it is too near the second; its month, say, began before the axis anyway."""
    gaps = np.diff(rows)
    return rows[1:] if len(gaps) > 1 and gaps[0] < TOO_NEAR * np.median(gaps[1:]) else rows


def _written(sessions: Days, rows: npt.NDArray[np.int64], write: "Callable[[Days], list[str]]") -> Ticks:
    texts, years = write(sessions[rows]), sessions[rows].astype("datetime64[Y]")
    if write is not _year:
        new = [True, *(before != after for before, after in pairwise(years))]
        texts = [f"{text}\n{year}" if first else text for text, year, first in zip(texts, years, new, strict=True)]
    return list(zip((int(row) for row in rows), texts, strict=True))


def _day(days: Days) -> list[str]:
    return [f"{day.item().day} {day.item():%b}" for day in days]


def _month(days: Days) -> list[str]:
    return [f"{day.item():%b}" for day in days]


def _year(days: Days) -> list[str]:
    return [str(day.astype("datetime64[Y]")) for day in days]
