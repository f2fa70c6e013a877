"""Daily prices of one security, checked once and frozen."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model.artifact.series_input import SeriesInput
from model.errors import TooFewPrices
from model.market.money import Money
from model.market.security import Security

if TYPE_CHECKING:
    import pandas as pd

Days = npt.NDArray[np.datetime64]
Values = npt.NDArray[np.float64]

COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherSeries:
    """Other series beside a security's prices, as each was known at the close of every session.

    columns: their names, as a table has them: `^VIX`, `^VIX High`
    values:  (n, len(columns)) float64; NaN where nothing was known, or nothing of the newest sessions
    sources: series -> the fingerprint of the snapshot or file that it was taken from
    """

    columns: tuple[str, ...]
    values: Values
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.values.shape[1:] != (len(self.columns),):
            raise ValueError(f"values of shape {self.values.shape} for {len(self.columns)} columns")
        self.values.flags.writeable = False

    def table(self) -> dict[str, Values]:
        """Every column by name, (n,) each."""
        return dict(zip(self.columns, self.values.T, strict=True))

    def rows(self, first: int, stop: int) -> "OtherSeries":
        """The sessions from one row to before another."""
        return replace(self, values=self.values[first:stop].copy())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prices:
    """What is known of a security, one row a completed session.

    sessions: (n,) datetime64[D], strictly increasing
    values:   (n, 6) float64 in the order of COLUMNS: prices in its unit, split-adjusted; the volume in shares
    source:   `yahoo`, `csv` or `sample`
    origin:   where exactly they came from: an address, the files' names, the generator's seed
    notes:    what a reader should know about them, a sentence each
    following: the session after the newest one, where the exchange's calendar was asked
    others:    other series on the same sessions, for forecasters that take them as inputs
    """

    security: Security
    source: str
    origin: str
    sessions: Days
    values: Values
    notes: tuple[str, ...] = ()
    following: date | None = None
    others: OtherSeries | None = None

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.sessions), len(COLUMNS)):
            raise ValueError(f"values of shape {self.values.shape} for {len(self.sessions)} sessions")
        if len(self.sessions) > 1 and not bool((np.diff(self.sessions) > np.timedelta64(0, "D")).all()):
            raise ValueError("sessions must be strictly increasing")
        if self.others is not None and len(self.others.values) != len(self.sessions):
            raise ValueError(f"{len(self.others.values)} rows of other series for {len(self.sessions)} sessions")
        for array in (self.sessions, self.values):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def first(self) -> date:
        """The oldest session."""
        return self.day(0)

    @property
    def last(self) -> date:
        """The newest session."""
        return self.day(-1)

    def day(self, row: int) -> date:
        """The session of a row."""
        if not len(self):
            raise TooFewPrices(
                f"prices of {self.security.ticker}",
                have="no session at all",
                need="at least one completed session",
                remedy="look at the source, or at --as-of",
            )
        return date.fromisoformat(str(self.sessions[row]))

    def column(self, name: str) -> Values:
        """One column, (n,) float64, read-only."""
        return self.values[:, COLUMNS.index(name)]

    @property
    def money(self) -> Money:
        """How they are written: with the digits that the newest Close needs."""
        return Money.at(self.security.unit, float(self.column("Close")[-1]) if len(self) else 0.0)

    def table(self) -> dict[str, Values]:
        """Every column by name, (n,) each, and `Date` in days since 1970: what forecasts are made from."""
        days = self.sessions.astype("datetime64[D]").astype(np.float64)
        others = {} if self.others is None else self.others.table()
        return {**others, **{name: self.column(name) for name in COLUMNS}, "Date": days}

    @property
    def has_volume(self) -> bool:
        """Whether it is known how much was traded: not for an index, nor where the volume is 0 on every day."""
        return self.security.has_volume and bool(self.column("Volume").any())

    @property
    def following_day(self) -> float | None:
        """The session after the newest one in days since 1970; None where the calendar was not asked."""
        return None if self.following is None else float(np.datetime64(self.following, "D").astype(np.int64))

    def rows(self, first: int, stop: int) -> "Prices":
        """The sessions from one row to before another."""
        following = self.day(stop) if 0 <= stop < len(self) else self.following
        return replace(
            self,
            sessions=self.sessions[first:stop].copy(),
            values=self.values[first:stop].copy(),
            following=following,
            others=self.others and self.others.rows(first, stop),
        )

    def since(self, day: date | None) -> "Prices":
        """The sessions from `day` on; all of them where there is none."""
        if day is None:
            return self
        return self.rows(int(np.searchsorted(self.sessions, np.datetime64(day, "D"))), len(self))

    def until(self, day: date) -> "Prices":
        """What was known at the close of `day`."""
        return self.rows(0, int(np.searchsorted(self.sessions, np.datetime64(day, "D"), side="right")))

    def noted(self, notes: tuple[str, ...]) -> "Prices":
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def frame(self) -> "pd.DataFrame":
        """The same as a data frame with a `Date` index, for libraries that need one."""
        import pandas as pd  # imported here: half a second that most of the model's users do not need

        index = pd.DatetimeIndex(self.sessions.astype("datetime64[us]"), name="Date")
        own = pd.DataFrame(self.values.copy(), index=index, columns=list(COLUMNS))
        if self.others is None:
            return own
        return own.assign(**self.others.table())

    def lacking(self, series: Sequence[SeriesInput]) -> tuple[str, ...]:
        """The names of those of these series that do not stand beside the prices."""
        there = () if self.others is None else self.others.columns
        return tuple(each.name for each in series if not set(each.columns) <= set(there))

    def only_with(self, series: Sequence[SeriesInput]) -> "Prices":
        """The same prices with these series beside, which are there, and no others."""
        wanted = tuple(column for each in series for column in each.columns)
        if self.others is None or wanted == self.others.columns:
            return self
        there = self.others.table()
        values = np.column_stack([there[column] for column in wanted]) if wanted else None
        sources = {each.name: self.others.sources[each.name] for each in series}
        return replace(
            self, others=None if values is None else OtherSeries(columns=wanted, values=values, sources=sources)
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the ticker, the sessions and every number, those of other series too, in hexadecimal."""
        digest = hashlib.sha256(self.security.ticker.encode())
        digest.update(self.sessions.astype("<M8[D]").astype("<i8").tobytes())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        if self.others is not None:
            digest.update("\n".join(self.others.columns).encode())
            digest.update(np.ascontiguousarray(self.others.values, dtype="<f8").tobytes())
        return digest.hexdigest()
