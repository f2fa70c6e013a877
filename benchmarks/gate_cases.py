"""The proofs behind docs/gate-measured.md: of people who try to get a promotion by chance, and on real prices."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.evidence_runs import ALL
from benchmarks.gate_runs import DAYS, SEEDS, TRIED, Wanted
from benchmarks.walks import NAIVE

MARKETS = {"constant": "constant volatility", "known": "constant volatility, known", "clusters": "clusters, known"}
DAILY, BY_SEED, BY_CONFIGURATION = "a training a day, 60 days", "5 seeds on a day", "5 configurations on a day"


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who tries to get a promotion in a market in which nothing can be forecast.

    kind:   how they try it
    wanted: the proofs that they make, in order
    """

    kind: str
    market: str
    wanted: tuple[Wanted, ...]


def cases() -> Iterator[Case]:
    """The hundred cases, on sixty markets: on forty, a second case tries other seeds or configurations on one day."""
    for number in range(20):
        for market in NAIVE:
            name = f"{market} {number}"
            yield Case(DAILY, name, (Wanted(name, "anchored", DAYS),))
    for number in range(20):
        for market in ("constant", "clusters"):
            name = f"{market} {number}"
            first = Wanted(name, "anchored", DAYS)
            kind, others = (BY_SEED, SEEDS) if number % 2 else (BY_CONFIGURATION, TRIED)
            yield Case(kind, name, (first, *(Wanted(name, config) for config in others[1:])))


POWER = tuple(Wanted(series, "anchored") for series in ALL)
TUTORIAL = tuple(Wanted(series, "tutorial") for series in ALL)
SECOND_SEED = tuple(Wanted(series, "seed 1") for series in ALL)
