"""Naive forecasts and distributions of the next session: what anybody could say at the close of a session."""

import numpy as np
import numpy.typing as npt

from model.artifact.distribution import PROBABILITIES, newest_quantiles
from model.evaluation.distribution import crps, given
from model.market.prices import Prices, Values

Naive = dict[str, Values]

AVERAGED = 5
# The naive distributions by name, each with its number of past changes; and the fewest changes that are enough.
CONSTANT = {f"constant_{changes}": changes for changes in (250, 500, 1000)}
FEWEST_CHANGES = 20
# The number of newest sessions on which the best naive distribution is chosen.
COMPARED = 500
NAIVE_LABELS = {
    **{name: f"the newest Close with its last {changes:,} changes" for name, changes in CONSTANT.items()},
    "drift": "the drift of all sessions before",
    "moving_average": f"the average of the newest {AVERAGED}",
}


def naive_forecasts(prices: Prices, column: str, origins: int, horizon: int = 1) -> Naive:
    """The naive forecasts made at the newest `origins` sessions, each for the session after it.

    Each is (origins,) prices, from what was known at the close of its own session:

    newest_Open:    the newest known price of the column, here the Open
    newest_Close:   for the Open: the newest Close, which is known by then
    drift:          the newest price of the column plus its mean change since the oldest session
    moving_average: the mean of the column's newest five prices (fewer where there are fewer)

    horizon: they are for so many sessions after it: the drift has as many mean changes, and the others stay
    """
    if not 1 <= origins <= len(prices) or horizon < 1:
        raise ValueError(f"{origins} origins in {len(prices)} sessions, {horizon} sessions ahead")
    rows = np.arange(len(prices) - origins, len(prices))
    values = prices.column(column)
    known = dict.fromkeys((column, "Close") if column == "Open" else (column,))
    # The oldest session has no change before it, so its drift is 0.
    drift = values[rows] + horizon * ((values[rows] - values[0]) / np.maximum(rows, 1))
    average = np.array([values[max(0, row + 1 - AVERAGED) : row + 1].mean() for row in rows])
    newest = {f"newest_{name}": prices.column(name)[rows] for name in known}
    return {**newest, "drift": drift, "moving_average": average}


def naive_distributions(prices: Prices, column: str, origins: int, horizon: int = 1) -> Naive:
    """The naive distributions made at the newest `origins` sessions, each for the session after it.

    Each is (origins, len(PROBABILITIES)) prices: the newest Close, moved by the quantiles of the last 250, 500 and
    1,000 changes, which are log(column / Close of the session before). Where there are fewer, all of them count; a row
    is NaN throughout where there are fewer than 20.

    horizon: they are for so many sessions after it, and the changes over as many. Changes that overlap count each.
    """
    if not 1 <= origins <= len(prices) or horizon < 1:
        raise ValueError(f"{origins} origins in {len(prices)} sessions, {horizon} sessions ahead")
    closes = prices.column("Close")
    changes = np.log(prices.column(column)[horizon:] / closes[:-horizon])
    first = len(prices) - origins
    newest = closes[first:, np.newaxis]
    known = np.maximum(np.arange(first, len(prices)) - horizon + 1, 0)
    return {name: newest * np.exp(_rolled_quantiles(changes, most, known)) for name, most in CONSTANT.items()}


def best_naive_distribution(prices: Prices, column: str, horizon: int = 1) -> tuple[str, Values]:
    """The naive distribution for the session after the newest one: its name, and (len(PROBABILITIES),) prices.

    It is the one of the three with the smallest CRPS on the newest 500 sessions, or on all if there are fewer; the
    first one if they are equal or none can be judged yet. NaN throughout where there are too few changes.

    horizon: it is for so many sessions after the newest one, and chosen by forecasts as far ahead
    """
    origins = min(COMPARED + horizon, len(prices))
    made = naive_distributions(prices, column, origins, horizon)
    came = prices.column(column)[len(prices) - origins + horizon :]

    def score(name: str) -> float:
        before = made[name][:-horizon]
        known = given(before)
        return float(crps(came[known], before[known]).sum())

    best = min(made, key=score)
    return best, made[best][-1]


def _rolled_quantiles(changes: Values, most: int, counts: npt.NDArray[np.intp]) -> Values:
    """The quantiles of the newest `most` of the first `counts` changes, one row for each count."""
    made = np.full((len(counts), len(PROBABILITIES)), np.nan)
    enough = counts >= FEWEST_CHANGES
    made[enough] = newest_quantiles(changes, counts[enough], most, np.array(PROBABILITIES))
    return made


def naive_forecast(prices: Prices, column: str) -> tuple[str, float]:
    """The naive forecast for the session after the newest one, by name.

    For the Open that is the newest Close, which has half to three quarters of the error of the newest Open.
    """
    name = "newest_Close" if column == "Open" else f"newest_{column}"
    return name, float(naive_forecasts(prices, column, 1)[name][0])


def naive_label(name: str) -> str:
    """The name of a naive forecast or distribution for people: `newest_Close` is the newest Close."""
    return NAIVE_LABELS.get(name) or f"the {name.replace('_', ' ')}"


def naive_brief(name: str) -> str:
    """The same in fewer words, for tables: `constant_250` is Close, last 250 changes."""
    return f"Close, last {CONSTANT[name]:,} changes" if name in CONSTANT else naive_label(name)
