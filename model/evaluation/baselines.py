"""Naive forecasts of the next session: simple formulas that anybody could use at the close of a session."""

import numpy as np

from model.market.prices import Prices, Values

Naive = dict[str, Values]

AVERAGED = 5
NAIVE_LABELS = {
    "drift": "the drift of all sessions before",
    "moving_average": f"the average of the newest {AVERAGED}",
}


def naive_forecasts(prices: Prices, column: str, origins: int) -> Naive:
    """The naive forecasts made at the newest `origins` sessions, each for the session after it.

    Each is (origins,) in dollars, from what was known at the close of its own session:

    newest_Open:    the newest known price of the column, here the Open
    newest_Close:   for the Open: the newest Close, which is known by then
    drift:          the newest price of the column plus its mean change since the oldest session
    moving_average: the mean of the column's newest five prices (fewer where there are fewer)
    """
    if not 1 <= origins <= len(prices):
        raise ValueError(f"{origins} origins in {len(prices)} sessions")
    rows = np.arange(len(prices) - origins, len(prices))
    values = prices.column(column)
    known = dict.fromkeys((column, "Close") if column == "Open" else (column,))
    # The oldest session has no change before it, so its drift is 0.
    drift = values[rows] + (values[rows] - values[0]) / np.maximum(rows, 1)
    average = np.array([values[max(0, row + 1 - AVERAGED) : row + 1].mean() for row in rows])
    newest = {f"newest_{name}": prices.column(name)[rows] for name in known}
    return {**newest, "drift": drift, "moving_average": average}


def naive_forecast(prices: Prices, column: str) -> tuple[str, float]:
    """The naive forecast for the session after the newest one, by name and in dollars.

    For the Open that is the newest Close, which has half to three quarters of the error of the newest Open.
    """
    name = "newest_Close" if column == "Open" else f"newest_{column}"
    return name, float(naive_forecasts(prices, column, 1)[name][0])


def naive_label(name: str) -> str:
    """A naive forecast's name for people: `newest_Close` is the newest Close."""
    return NAIVE_LABELS.get(name) or f"the {name.replace('_', ' ')}"
