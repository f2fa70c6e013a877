"""Naive forecasts: what anybody could say at the close of a session about the next one."""

from model.prices import Prices, Values

Naive = dict[str, Values]


def naive_forecasts(prices: Prices, column: str, origins: int) -> Naive:
    """The naive forecasts made at the newest `origins` sessions, each for the session after it.

    Each is (origins,) in dollars. `newest_Open` is the newest known price of the column; for the Open the newest
    Close stands beside it, since it is known by then.
    """
    if not 1 <= origins <= len(prices):
        raise ValueError(f"{origins} origins in {len(prices)} sessions")
    known = dict.fromkeys((column, "Close") if column == "Open" else (column,))
    return {f"newest_{name}": prices.column(name)[len(prices) - origins :] for name in known}


def naive_forecast(prices: Prices, column: str) -> tuple[str, float]:
    """The naive forecast for the session after the newest one, by name and in dollars.

    For the Open that is the newest Close, which has half to three quarters of the error of the newest Open.
    """
    name = "newest_Close" if column == "Open" else f"newest_{column}"
    return name, float(naive_forecasts(prices, column, 1)[name][0])
