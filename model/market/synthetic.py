"""A synthetic market, made without any real price; its prices carry a note that says so.

How far the next price will lie from the newest Close can be foreseen: volatility comes in clusters of some weeks, and a
session's range shows it. In which direction cannot, except for a drift too small to learn much from.
"""

from datetime import date

import numpy as np

from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices, Values
from model.market.security import SAMPLE

FIRST_SESSION = date(2012, 1, 3)

_START, _DRIFT, _PULL = 40.0, 0.0003, 0.001  # dollars; per session; per session back to the trend
_VOLATILITY = 0.012  # of a session, the median
# Its logarithm: the share of its distance from the median that is left a session later (half after 23); that distance's
# standard deviation and largest size; the share of its change that is the day's own move with the sign reversed.
_MEMORY, _STRAY, _FURTHEST, _LEVERAGE = 0.97, 0.5, 1.2, 0.6
_NIGHT = 0.3  # the night's part of a session's variance
_JUMP_ABOVE, _JUMP = 2.9, 0.045  # in standard deviations: about one session in 270; its size
_LARGEST = 0.2  # of any one part of a move, as a logarithm
_SHARES = 20e6

# Draws for each session: night, day, whether it jumps, how far, two above, two below, volume, volatility.
_DRAWS = 10


def sample_prices(last: date, seed: int, calendar: ExchangeCalendar) -> Prices:
    """The market up to `last`; with the same seed, a later `last` only adds sessions.

    It has drift around a trend, overnight gaps, a few jumps, volatility that comes in clusters and that a fall raises,
    and volume that grows with it. The clusters are stronger than those of most real markets.
    """
    sessions = calendar.sessions(FIRST_SESSION, last)
    # One row of draws a session, from one stream, so that a longer market begins with the shorter one.
    draws = np.random.Generator(np.random.PCG64(seed)).standard_normal((len(sessions), _DRAWS))
    opened, close, volatility = _walk(draws)
    above, below = _reaches(np.log(close / opened), (1 - _NIGHT) ** 0.5 * volatility, draws[:, 4:8])
    high, low = opened * np.exp(above), opened * np.exp(-below)
    volume = np.rint(_SHARES * (volatility / _VOLATILITY) ** 0.8 * np.exp(0.25 * draws[:, 8]))
    cents = np.round(np.column_stack([opened, high, low, close, close]), 2)
    return Prices(
        security=SAMPLE,
        source="sample",
        origin=f"synthetic market, seed {seed}",
        sessions=sessions,
        values=np.column_stack([cents, volume]),
        notes=(f"synthetic market, seed {seed}: not a real security",),
    )


def _walk(draws: Values) -> tuple[Values, Values, Values]:
    """Open, Close and volatility, each (n,)."""
    opened, close, volatility = (np.empty(len(draws)) for _ in range(3))
    log_close, log_volatility = np.log(_START), 0.0
    change = _STRAY * (1 - _MEMORY**2) ** 0.5
    for row, (night_draw, day_draw, jump_draw, size_draw, *_, volatility_draw) in enumerate(draws.tolist()):
        sigma = _VOLATILITY * np.exp(log_volatility)
        jump = _JUMP * size_draw if abs(jump_draw) > _JUMP_ABOVE else 0.0
        night = _bounded(_NIGHT**0.5 * sigma * night_draw + jump)
        pull = _PULL * (np.log(_START) + _DRIFT * row - log_close)
        day = _bounded(_DRIFT + pull + (1 - _NIGHT) ** 0.5 * sigma * day_draw)
        opened[row], close[row], volatility[row] = log_close + night, log_close + night + day, sigma
        log_close = close[row]
        news = (1 - _LEVERAGE**2) ** 0.5 * volatility_draw - _LEVERAGE * day_draw
        log_volatility = max(-_FURTHEST, min(_FURTHEST, _MEMORY * log_volatility + change * news))
    return np.exp(opened), np.exp(close), volatility


def _reaches(day: Values, sigma: Values, draws: Values) -> tuple[Values, Values]:
    """How far the day went above its open and below it, each (n,), as logarithms: those of a Brownian bridge.

    -2 log U of the formula for a uniform U is the sum of two squared normals.
    """
    squares = np.square(draws).reshape(-1, 2, 2).sum(axis=2) * np.square(sigma)[:, np.newaxis]
    above, below = ((sign * day + np.sqrt(np.square(day) + squares[:, at])) / 2 for at, sign in enumerate((1, -1)))
    return above, below


def _bounded(move: float) -> float:
    return max(-_LARGEST, min(_LARGEST, move))
