"""The state of the market at an origin: numbers that say whether the next session moves more than the last ones did.

Their weighted sum is a linear branch beside the network: it corrects the scale. All of them are known at the origin;
the date of the session after it is known from the exchange's calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .scale import MovementScale, Table, Values, newest_movements

# Days back from the next session to the same weekday of the last four quarters, the fourth of which is a year ago.
# Companies report their earnings in the same weeks of each quarter.
QUARTERS = (91, 182, 273, 364)
NEAR, AROUND, JUMP, LARGEST_MOVE = 3, 7, 2.5, 8.0
FURTHEST_BACK = QUARTERS[-1] + AROUND + NEAR

MOVEMENTS = (1, 5, 22, 66, 250)
RETURNS = (1, 5, 22)
VOLUMES = (5, 22, 250)
STATE = (
    *("night_quarter_ago", "night_year_ago", "movement_year_ago", "largest_night_year_ago", "jumps_in_quarters"),
    *(f"movement_{n}" for n in MOVEMENTS),
    *(f"return_{n}" for n in RETURNS),
    *(f"fall_{n}" for n in RETURNS),
    *(f"volume_{n}" for n in VOLUMES),
)
# The factor of an explanation that each input belongs to, one for each (ChangeRecipe.explained).
FACTORS = {
    "moves": tuple(f"movement_{n}" for n in MOVEMENTS),
    "direction": (*(f"return_{n}" for n in RETURNS), *(f"fall_{n}" for n in RETURNS)),
    "echo": STATE[:5],
    "volume": tuple(f"volume_{n}" for n in VOLUMES),
}
# The factor of inputs that stand after these: they are not of the security itself.
FURTHER = "market"
# Standardised inputs further out than this are too rare to learn from.
LARGEST_INPUT = 2.0


def market_state(table: Table, origins: int, following: float | None, scale: MovementScale) -> Values:
    """(origins, len(STATE)) the state at the newest sessions; NaN where the table does not hold what it is made from.

    following: the date of the session after the newest one, in days since 1970; else the next weekday

    Nothing older than one year plus the scale's own sessions has any effect.
    """
    n = min(len(table["Close"]), origins + FURTHEST_BACK + scale.rows)
    newest = {name: np.asarray(values[-n:], dtype=np.float64) for name, values in table.items()}
    with np.errstate(all="ignore"):  # what cannot be computed is NaN
        scales = scale.at(newest, n)
        moves = newest_movements(newest, n)
        state = np.column_stack(
            [
                *_echo(newest, moves, scales, following, origins),
                *(np.log(rolling_mean(moves, window, origins) / scales[-origins:]) for window in MOVEMENTS),
                *_returns(newest["Close"], scales, origins),
                *_volumes(newest, origins),
            ]
        )
    return np.where(np.isfinite(state), state, np.nan)


def next_weekday(day: float) -> float:
    """The first weekday after a day; both in days since 1970, which was a Thursday."""
    return day + {4: 3.0, 5: 2.0}.get(int(day + 3) % 7, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateBranch:
    """The linear branch: from the market's state to the logarithm of the scale's correction.

    constant, weights: of the standardised state; means, deviations: of the training part. One number per input.
    """

    constant: float
    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def correction(self, state: Values) -> Values:
        """(n,) from the state (n, len(STATE)); summed row by row, so that other rows change no digit."""
        return np.asarray(self.constant + self._terms(state).sum(axis=1), dtype=np.float64)

    def parts(self, state: Values) -> dict[str, Values]:
        """Factor -> (n,) its inputs' part of the correction; with the constant they sum up to it."""
        terms = self._terms(state)
        own = dict(zip(STATE, terms.T, strict=False))
        parts = {factor: np.sum([own[name] for name in names], axis=0) for factor, names in FACTORS.items()}
        further = terms[:, len(STATE) :]
        return parts | ({FURTHER: further.sum(axis=1)} if further.shape[1] else {})

    def _terms(self, state: Values) -> Values:
        return np.ascontiguousarray(standardised(state, self.means, self.deviations) * np.array(self.weights))


def standardised(state: Values, means: Sequence[float], deviations: Sequence[float]) -> Values:
    """The state in units of the training part's deviations; what is missing counts as the mean."""
    units = (state - np.array(means)) / np.array(deviations)
    return np.asarray(np.clip(np.where(np.isfinite(units), units, 0.0), -LARGEST_INPUT, LARGEST_INPUT))


def _echo(table: Table, moves: Values, scales: Values, following: float | None, origins: int) -> list[Values]:
    """What happened on the same days of the quarters before: it finds the days of earnings reports."""
    if "Date" not in table or not np.isfinite(table["Date"]).all():
        return [np.full(origins, np.nan)] * 5
    days = table["Date"].astype(np.int64)
    after = int(next_weekday(float(days[-1])) if following is None else following)
    coming = np.append(days[1:], after)[-origins:]
    before = np.append(np.nan, scales[:-1])
    night = np.abs(np.log(table["Open"][1:] / table["Close"][:-1]))
    first = days[0] - FURTHEST_BACK - 1
    nights, movements = (
        _by_day(days - first, sizes / before, after - first) for sizes in (np.append(np.nan, night), moves)
    )
    at = coming - first

    def largest(centre: int, offsets: Sequence[int]) -> Values:
        return np.asarray(np.max([nights[at - centre + offset] for offset in offsets], axis=0))

    jumps = [largest(days_back, (-AROUND, 0, AROUND)) > JUMP for days_back in QUARTERS]
    return [
        nights[at - QUARTERS[0]],
        nights[at - QUARTERS[-1]],
        movements[at - QUARTERS[-1]],
        largest(QUARTERS[-1], range(-NEAR, NEAR + 1)),
        np.sum(jumps, axis=0, dtype=np.float64),
    ]


def _by_day(days: npt.NDArray[np.int64], sizes: Values, last: int) -> Values:
    """(last + 1,) moves in scales by calendar day; 0 on days without a session, or with no scale before it."""
    found = np.zeros(last + 1)
    found[days] = np.clip(np.nan_to_num(sizes, nan=0.0, posinf=LARGEST_MOVE), 0.0, LARGEST_MOVE)
    return found


def _returns(close: Values, scales: Values, origins: int) -> list[Values]:
    """The Close's change over some sessions in scales, and the same for falls alone."""
    log_close = np.log(close)
    changes = []
    for sessions in RETURNS:
        change = np.full(len(close), np.nan)
        change[sessions:] = log_close[sessions:] - log_close[:-sessions]
        changes.append((change / scales / np.sqrt(sessions))[-origins:])
    return [*changes, *(np.minimum(change, 0.0) for change in changes)]


def _volumes(table: Table, origins: int) -> list[Values]:
    """The logarithm of the volume beside its mean over some sessions."""
    if "Volume" not in table:
        return [np.full(origins, np.nan)] * len(VOLUMES)
    volume = np.log(np.maximum(table["Volume"], 1.0))
    return [volume[-origins:] - rolling_mean(volume, window, origins) for window in VOLUMES]


def rolling_mean(values: Values, window: int, origins: int) -> Values:
    """(origins,) means of the newest `window` values without missing ones; NaN if more than half are missing."""
    padded = np.concatenate([np.full(max(0, origins + window - 1 - len(values)), np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded[-(origins + window - 1) :], window)
    there = np.isfinite(windows)
    counts = there.sum(axis=1)
    # Each window is summed by itself, in the same order however many there are.
    sums = np.where(there, windows, 0.0).sum(axis=1)
    return np.where(2 * counts >= window, sums / np.maximum(counts, 1), np.nan)
