"""The proof of a configuration over a whole list of securities: one bet a session, on the mean of their scores.

What is too little on each security may be enough on all of them together. Securities that move together are no fault:
the bet is on their mean, session by session, and never counts one session as several.

It says that the list gains on average, not that each of its securities does. So it opens no gate.

The securities have to trade at the same hours. Otherwise a forecast could be made on one exchange before another one
has closed, and the stake on it be chosen after that close, when its outcome is partly known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.evaluation.distribution import given
from model.evaluation.evidence.e_process import Evidence, bet, gains
from model.evaluation.evidence.proof import Needed, Proof, Weighed
from model.market.prices import Days, Values

# With one security it would be that one's proof.
FEWEST = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class ListProof(Weighed):
    """What a configuration forecast on each security of a list.

    It begins with the session with which its second proof begins. From its first session on a security counts in the
    mean; where it has no score, as after the end of its proof, it has gained nothing. So what a security does later
    changes nothing before.

    proofs: ticker -> the proof on it. ValueError where they are fewer than two, or not all of one horizon
    number: it is the k-th list and configuration that was tried at this horizon
    """

    proofs: Mapping[str, Proof]
    number: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be one proof."""
        horizons = {proof.horizon for proof in self.proofs.values()}
        if self.securities < FEWEST or len(horizons) != 1:
            raise ValueError(f"{self.securities} proofs of {len(horizons)} horizons are no proof over a list")

    @property
    def horizon(self) -> int:
        """How many sessions ahead all of them forecast."""
        return next(iter(self.proofs.values())).horizon

    @property
    def securities(self) -> int:
        """The number of securities."""
        return len(self.proofs)

    @property
    def tried(self) -> int:
        """It needs k times the evidence: at least as often as the configuration had to be tried on a security of it.

        Whoever has tried ten configurations on the securities knows which of them does well on the list.
        """
        return max(self.number, *(proof.tried for proof in self.proofs.values()))

    @cached_property
    def days(self) -> Days:
        """Every session of any of them, from the beginning of the second proof on."""
        every = [proof.judged.sessions for proof in self.proofs.values()]
        begun = np.sort([sessions[0] for sessions in every])[FEWEST - 1]
        found = np.unique(np.concatenate(every))
        return np.asarray(found[found >= begun])

    @property
    def on(self) -> str:
        """What it was judged on, in words."""
        return f"{self.sessions:,} sessions of {self.securities:,} securities"

    @cached_property
    def gains(self) -> dict[str, Values]:
        """Naive distribution -> (len(days),) the mean gain beside it."""
        names = set[str]().union(*(proof.judged.naive_quantiles for proof in self.proofs.values()))
        return {name: self._mean_gains(name) for name in sorted(names)}

    @cached_property
    def evidence(self) -> Evidence | None:
        """That it is better than the naive distributions, and that it is worse; None where there are none."""
        if not self.gains or not any(given(proof.judged.quantiles).any() for proof in self.proofs.values()):
            return None
        return Evidence(
            better={name: bet(found, self.horizon) for name, found in self.gains.items()},
            worse={name: bet(-found, self.horizon) for name, found in self.gains.items()},
        )

    @property
    def crps_skill(self) -> float:
        """The mean of their skills, each beside its best naive distribution; NaN where none has one."""
        return _mean([proof.judged.crps_skill for proof in self.proofs.values()])

    @property
    def of_scale_alone(self) -> float:
        """The mean of CRPS / CRPS of the market's scale alone; NaN where the configuration has no scale."""
        return _mean([proof.of_scale_alone for proof in self.proofs.values()])

    def holds(self, needed: Needed) -> bool:
        """Whether the evidence suffices, the newest sessions are no worse than naive, and the network does no harm."""
        enough = self.odds >= self.needed_odds(needed)
        return enough and self.recent(needed.recent) <= 1 and not self.of_scale_alone > needed.of_scale

    def recent(self, sessions: int) -> float:
        """The mean of CRPS / CRPS of the best naive distribution, each on so many newest sessions of its own."""
        parts = [proof.judged.part(slice(-sessions, None)) for proof in self.proofs.values()]
        return _mean([part.crps / part.naive_crps for part in parts if part.naive_crps > 0])

    def _mean_gains(self, name: str) -> Values:
        total, begun = np.zeros(len(self.days)), np.zeros(len(self.days))
        for proof in self.proofs.values():
            judged, other = proof.judged, proof.judged.naive_quantiles.get(name)
            begun += self.days >= judged.sessions[0]
            if other is None:
                continue
            after = judged.sessions >= self.days[0]
            rows = np.searchsorted(self.days, judged.sessions[after])
            found = gains(judged.actual, judged.quantiles, other)[after]
            there = (given(judged.quantiles) & given(other))[after] & _in_step(rows, proof.horizon)
            total[rows[there]] += found[there]
        return np.asarray(total / begun)


def _in_step(rows: npt.NDArray[np.intp], horizon: int) -> npt.NDArray[np.bool_]:
    """(n,) whether each forecast was made as many sessions of the list before as of its own security.

    Where a security lacked a session, its next forecasts were made before bets that are settled by now: their stakes
    would know more than they. The list's first bets have no stake.

    rows: (n,) the list's rows of the security's sessions
    """
    first = np.arange(horizon) if len(rows) and rows[0] == 0 else np.full(horizon, -1)
    return np.asarray(rows == np.concatenate([first, rows[:-horizon] + horizon])[: len(rows)])


def _mean(figures: list[float]) -> float:
    """The mean of those that are numbers; NaN where none is, which lets nothing be said."""
    numbers = [figure for figure in figures if not np.isnan(figure)]
    return float(np.mean(numbers)) if numbers else float("nan")
