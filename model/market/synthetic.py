"""A synthetic market, made without any real price; its prices carry a note that says so."""

from datetime import date

import numpy as np

from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices, Values
from model.market.security import SAMPLE

FIRST_SESSION = date(2012, 1, 3)

_START, _DRIFT, _PULL = 40.0, 0.0003, 0.001  # dollars; per session; per session back to the trend
_VOLATILITY, _REACTION, _MEMORY = 0.016, 0.08, 0.90  # of a session; GARCH(1, 1)
_NIGHT = 0.3  # the night's part of a session's variance
_ECHO = 0.25  # the part of a session's move that is repeated overnight: what can be learnt
_JUMP_ABOVE, _JUMP = 2.9, 0.045  # in standard deviations: about one session in 270; its size
_LARGEST = 0.2  # of any one part of a move, as a logarithm
_SHARES = 20e6

# Draws for each session: night, day, whether it jumps, how far, above, below, volume.
_DRAWS = 7


def sample_prices(last: date, seed: int, calendar: ExchangeCalendar) -> Prices:
    """The market up to `last`; with the same seed, a later `last` only adds sessions.

    It has drift around a trend, clustered volatility, overnight gaps, a few jumps, and volume that grows with
    volatility. The night repeats a quarter of the day's move: a weak pattern, so that a forecast can beat the naive.
    """
    sessions = calendar.sessions(FIRST_SESSION, last)
    # One row of draws a session, from one stream, so that a longer market begins with the shorter one.
    draws = np.random.Generator(np.random.PCG64(seed)).standard_normal((len(sessions), _DRAWS))
    opened, close, volatility = _walk(draws)
    reach = 0.5 * volatility
    high = np.maximum(opened, close) * np.exp(reach * np.abs(draws[:, 4]))
    low = np.minimum(opened, close) * np.exp(-reach * np.abs(draws[:, 5]))
    volume = np.rint(_SHARES * (volatility / _VOLATILITY) ** 0.8 * np.exp(0.25 * draws[:, 6]))
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
    log_close, day, variance = np.log(_START), 0.0, _VOLATILITY**2
    for row, (night_draw, day_draw, jump_draw, size_draw, *_) in enumerate(draws.tolist()):
        sigma = variance**0.5
        jump = _JUMP * size_draw if abs(jump_draw) > _JUMP_ABOVE else 0.0
        night = _bounded(_ECHO * day + _NIGHT**0.5 * sigma * night_draw + jump)
        pull = _PULL * (np.log(_START) + _DRIFT * row - log_close)
        day = _bounded(_DRIFT + pull + (1 - _NIGHT) ** 0.5 * sigma * day_draw)
        opened[row], close[row], volatility[row] = log_close + night, log_close + night + day, sigma
        log_close = close[row]
        shock = min((night + day) ** 2, 25 * variance)
        variance = (1 - _REACTION - _MEMORY) * _VOLATILITY**2 + _REACTION * shock + _MEMORY * variance
    return np.exp(opened), np.exp(close), volatility


def _bounded(move: float) -> float:
    return max(-_LARGEST, min(_LARGEST, move))
