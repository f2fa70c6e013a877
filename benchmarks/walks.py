"""Markets in which nothing can be forecast, and the true distributions of their prices.

Prices are random walks, made of small steps within each session. `constant` has the same volatility at all times. In
`clusters` and in `known` the naive distributions are replaced by the truth: the distribution that the next price is
drawn from. So any other forecast is worse, however little, and has no skill.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from model.artifact.distribution import PROBABILITIES
from model.market.prices import Days, Prices, Values
from model.market.security import SAMPLE

# What the naive distributions are: the product's own three, or the truth.
OWN, TRUTH = "its own", "the truth"
NAIVE = {"constant": OWN, "known": TRUTH, "clusters": TRUTH}

_NIGHT, _DAY, _STEPS = 0.008, 0.015, 20
_REACTION, _MEMORY = 0.08, 0.90  # of the volatility in `clusters`: GARCH(1, 1)
_KINDS = tuple(NAIVE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """A market in which nothing can be forecast.

    scale: (n,) the volatility of each session as a multiple of the usual one, known at the close before
    """

    prices: Prices
    scale: Values

    def truth(self, column: str, start: int) -> Values:
        """(n - start, len(PROBABILITIES)) dollars: the distribution that each price from a row on was drawn from."""
        usual = _NIGHT if column == "Open" else float(np.hypot(_NIGHT, _DAY))
        moves = usual * self.scale[start:, np.newaxis] * ndtri(np.array(PROBABILITIES))
        return np.asarray(self.prices.column("Close")[start - 1 : -1, np.newaxis] * np.exp(moves))


def walk(kind: str, number: int, n: int) -> Walk:
    """A market of n sessions; a longer one of the same kind and number begins with the shorter one."""
    draws = np.random.default_rng([_KINDS.index(kind), number])
    close, scale = 4.0, 1.0
    rows, scales = np.empty((n, 6)), np.empty(n)
    for row in range(n):
        night = draws.normal(0, _NIGHT * scale)
        path = close + night + np.cumsum(draws.normal(0, _DAY * scale / np.sqrt(_STEPS), _STEPS))
        opened, moved = close + night, path[-1] - close
        high, low = max(opened, path.max()), min(opened, path.min())
        rows[row] = opened, high, low, path[-1], path[-1], draws.normal(16, 0.3)
        scales[row], close = scale, path[-1]
        if kind == "clusters":
            shock = moved**2 / (_NIGHT**2 + _DAY**2)
            scale = float(np.sqrt(1 - _REACTION - _MEMORY + _REACTION * shock + _MEMORY * scale**2))
    values = np.exp(rows)
    prices = Prices(
        security=SAMPLE,
        source="sample",
        origin=f"random walk, {kind}, number {number}",
        sessions=_weekdays(n),
        values=values,
    )
    return Walk(prices=prices, scale=scales)


def unskilled(count: int, sessions: int) -> Iterator[tuple[str, Values, Values, Values]]:
    """Forecasters without skill, each with the true distributions and the actual values; `count` walks of each.

    Yields label, (count, sessions, 25) of ours and of the truth, and (count, sessions); all of changes, not of prices.
    """
    rng = np.random.default_rng(11)
    actual = rng.normal(0, 1, (count, sessions + 250))
    normal = ndtri(np.array(PROBABILITIES))
    truth = np.broadcast_to(normal, (count, sessions, len(normal)))
    beside = np.exp(rng.normal(0, 0.05, (count, sessions, 1)))
    yield "width drawn at random, 5 % beside the truth", beside * normal, truth, actual[:, 250:]
    past = np.lib.stride_tricks.sliding_window_view(actual, 60, axis=1)[:, 190:-1]
    yield "width of the newest 60 changes", past.std(axis=2)[..., np.newaxis] * normal, truth, actual[:, 250:]
    slow = np.cumsum(rng.normal(0, 0.01, (count, sessions, 1)), axis=1)
    yield "width that wanders slowly about the truth", np.exp(slow) * normal, truth, actual[:, 250:]


def _weekdays(n: int) -> Days:
    days = np.arange(np.datetime64("2010-01-04"), np.datetime64("2010-01-04") + 2 * n)
    return np.asarray(days[np.is_busday(days)][:n])
