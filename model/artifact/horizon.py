"""A price several sessions ahead: a width of its own for each horizon, and the errors of forecasts as far ahead.

A forecast of horizon h is made at the close of a session, its origin, for the h-th session after it. Its width is a
weighted sum of what sessions moved over spans up to a year: over weeks the market returns to its usual width, and how
fast is another weight for each horizon. Its error is known h sessions after its origin, and counts from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .distribution import NO_ERRORS, PROBABILITIES, Calibration, Errors
from .market_state import rolling_mean
from .scale import LEAST_SCALE, PRICES, RANGE, Table, Values

# The sessions that movements are averaged over: a day, a week, a month, a quarter, a year.
SPANS = (1, 5, 22, 63, 250)
# Where the year's mean range and its mean overnight move stand in `spans_state`: together they are a usual width.
YEAR = (len(SPANS) - 1, 2 * len(SPANS) - 1)


def changes_ahead(table: Table, column: str, sessions: int) -> Values:
    """(n - sessions,) the change from each Close to the price so many sessions later, as a logarithm.

    The change that ends with the table's last session is the last one: those from its newest `sessions` are not known.
    """
    if sessions < 1:
        raise ValueError(f"{sessions} sessions ahead")
    with np.errstate(all="ignore"):  # an impossible price makes the change NaN or infinite
        return np.asarray(np.log(table[column][sessions:] / table["Close"][:-sessions]), dtype=np.float64)


def spans_state(table: Table, origins: int) -> Values:
    """(origins, 2 * len(SPANS)) at the newest sessions: the mean range over each span, then the mean overnight move.

    Both are shares of the price; a range is in deviations of a random walk. NaN where columns are missing, or more than
    half of a span. Nothing older than a year has any effect.
    """
    n = min(len(table["Close"]), origins + SPANS[-1])
    if not all(name in table for name in PRICES):
        return np.full((origins, 2 * len(SPANS)), np.nan)
    open_, high, low, close = (np.asarray(table[name][-n:], dtype=np.float64) for name in PRICES)
    with np.errstate(all="ignore"):  # an impossible price makes its movements NaN or infinite
        ranges = np.log(high / low) / RANGE
        nights = np.append(np.nan, np.abs(np.log(open_[1:] / close[:-1])))
    return np.column_stack([rolling_mean(moves, span, origins) for moves in (ranges, nights) for span in SPANS])


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearScale:
    """A width as a weighted sum of the movements over spans; weights (2 * len(SPANS),), none below 0."""

    weights: tuple[float, ...]

    def at(self, table: Table, origins: int) -> Values:
        """(origins,) the width at the newest sessions; NaN where one of the movements is not known."""
        return self.of(spans_state(table, origins))

    def of(self, state: Values) -> Values:
        """(n,) the same from `spans_state`; summed row by row, so that other rows change no digit."""
        with np.errstate(all="ignore"):
            widths = np.ascontiguousarray(state * np.array(self.weights)).sum(axis=1)
        return np.where(np.isfinite(widths), np.maximum(widths, LEAST_SCALE), np.nan)


# The mean movement of a year: where nothing can be learnt, the width of a horizon is this one times a constant.
YEARS_MEAN = LinearScale(weights=tuple(float(place in YEAR) for place in range(2 * len(SPANS))))


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherHorizon:
    """What a version has of one further horizon.

    sessions:    how many sessions ahead
    scale:       the width that was fitted for it
    ordinary:    the training part's median width: the errors' median moves the centre in at most this unit
    calibration: the quantiles of past errors; an error's day is that of the session that was forecast
    """

    sessions: int
    scale: LinearScale
    ordinary: float
    calibration: Calibration

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "FurtherHorizon":
        """The inverse of `asdict`, after JSON made lists of tuples."""
        past: dict[str, Any] = dict(raw["calibration"])
        past |= {name: tuple(each) for name, each in past.items() if isinstance(each, list)}
        scale = LinearScale(weights=tuple(raw["scale"]["weights"]))
        return cls(sessions=raw["sessions"], scale=scale, ordinary=raw["ordinary"], calibration=Calibration(**past))

    def errors(self, column: str, table: Table, most: int) -> Errors:
        """The errors whose outcome lies in the newest `most` sessions of a table: each was made as far before."""
        n = min(most, len(table["Close"]) - self.sessions)
        if n < 1 or column not in table:
            return NO_ERRORS
        newest = {name: np.asarray(values[-(n + self.sessions) :]) for name, values in table.items()}
        widths = self.scale.at(table, n + self.sessions)[: -self.sessions]
        values = changes_ahead(newest, column, self.sessions) / widths
        days = np.asarray(newest["Date"][-n:], dtype=np.float64) if "Date" in newest else np.full(n, np.nan)
        there = np.isfinite(values)
        return Errors(days=days[there], values=values[there])

    def quantiles(self, column: str, table: Table, origins: int = 1) -> Values:
        """(origins, len(PROBABILITIES)) prices: the distributions made at a table's newest sessions.

        Each is for the price so many sessions later. NaN throughout where the table holds too little for a width, or
        too few errors are known.
        """
        width = self.scale.at(table, origins)[:, np.newaxis]
        units = self._units(column, table, origins)
        middle = units[:, [PROBABILITIES.index(0.5)]]
        usual = np.minimum(width, self.ordinary)
        close = np.asarray(table["Close"][-origins:], dtype=np.float64)[:, np.newaxis]
        return np.asarray(close * np.exp(usual * middle + width * (units - middle)))

    def _units(self, column: str, table: Table, origins: int) -> Values:
        """(origins, len(PROBABILITIES)) the quantiles of the errors that were known at each origin.

        Changes over h sessions overlap: n errors say no more of the next one than n / h that do not.
        """
        stored = self.calibration.stored()
        if "Date" not in table:
            return np.tile(self.calibration.quantiles(stored.values, self.sessions), (origins, 1))
        days = np.asarray(table["Date"], dtype=np.float64)
        last = stored.days[-1] if len(stored.days) else -np.inf
        newer = self.errors(column, table, min(int(np.sum(days > last)), self.calibration.kept + origins - 1))
        fresh = newer.days > last
        known = Errors(
            days=np.concatenate([stored.days, newer.days[fresh]]),
            values=np.concatenate([stored.values, newer.values[fresh]]),
        )
        return self.calibration.quantiles_at(known, days[-origins:], self.sessions)
