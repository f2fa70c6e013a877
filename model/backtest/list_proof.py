"""The proof of a configuration over a whole list of securities: one bet a session, on the mean of their scores.

What is too little on each security may be enough on all of them together. Securities that move together are no fault:
the bet is on their mean, session by session, and never counts one session as several.

The securities have to trade at the same hours. Else a stake that is chosen when one exchange has closed would be at
risk on a forecast that was made before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.evaluation.decision import Verdict
from model.evaluation.distribution import given
from model.evaluation.evidence.e_process import Evidence, bet, gains, odds_text
from model.evaluation.evidence.proof import Needed, Proof
from model.market.prices import Values

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ListProof:
    """What a configuration forecast on each security of a list.

    proofs: ticker -> the proof on it, all of one horizon. ValueError for two of them, and where there is none
    tried:  it is the k-th configuration that was tried on this list
    """

    proofs: Mapping[str, Proof]
    tried: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be one proof."""
        if len({proof.horizon for proof in self.proofs.values()}) != 1:
            raise ValueError("a proof over a list needs proofs of one horizon")

    @cached_property
    def days(self) -> Days:
        """Every session of any of them."""
        return np.unique(np.concatenate([proof.judged.sessions for proof in self.proofs.values()]))

    @cached_property
    def scores(self) -> dict[str, Values]:
        """Naive distribution -> (len(days),) the mean gain beside it over the securities that have one; 0 for none."""
        names = set.intersection(*(set(proof.judged.naive_quantiles) for proof in self.proofs.values()))
        return {name: self._mean_gains(name) for name in sorted(names)}

    @cached_property
    def evidence(self) -> Evidence | None:
        """That it is better than the naive distributions, and that it is worse; None where there are none."""
        horizon = next(iter(self.proofs.values())).horizon
        if not self.scores or not any(given(proof.judged.quantiles).any() for proof in self.proofs.values()):
            return None
        return Evidence(
            better={name: bet(found, horizon) for name, found in self.scores.items()},
            worse={name: bet(-found, horizon) for name, found in self.scores.items()},
        )

    @property
    def odds(self) -> float:
        """The highest odds that were reached that it is better; 1 where nothing was bet."""
        return self.evidence.odds if self.evidence else 1.0

    @property
    def odds_against(self) -> float:
        """The highest odds that were reached that it is worse."""
        return self.evidence.odds_against if self.evidence else 1.0

    def verdict(self, needed: Needed) -> Verdict:
        """Proven, undecided or no skill, by what a proof of one security needs."""
        if len(self.days) < needed.sessions:
            return Verdict.UNDECIDED
        enough = self.odds >= needed.evidence * self.tried
        alone = self._mean_ratio([proof.of_scale_alone for proof in self.proofs.values()])
        if enough and self.recent(needed.recent) <= 1 and not alone > needed.of_scale:
            return Verdict.PROVEN
        return Verdict.NO_SKILL if self.odds_against >= needed.evidence else Verdict.UNDECIDED

    def recent(self, sessions: int) -> float:
        """The mean over the securities of CRPS / CRPS of the best naive distribution, on so many newest sessions."""
        parts = [proof.judged.part(slice(-sessions, None)) for proof in self.proofs.values()]
        return self._mean_ratio([part.crps / part.naive_crps for part in parts if part.naive_crps > 0])

    def claim(self, needed: Needed) -> str:
        """What may be said of it, in a few words."""
        on = f"{len(self.days):,} sessions of {len(self.proofs):,} securities"
        odds, against = odds_text(self.odds), odds_text(self.odds_against)
        verdict = self.verdict(needed)
        if verdict == Verdict.NO_SKILL:
            return f"no skill on {on} (evidence against it {against})"
        return f"{verdict} on {on} (evidence {odds}, needed {odds_text(needed.evidence * self.tried)})"

    def _mean_gains(self, name: str) -> Values:
        total, count = np.zeros(len(self.days)), np.zeros(len(self.days))
        for proof in self.proofs.values():
            judged, other = proof.judged, proof.judged.naive_quantiles[name]
            rows = np.searchsorted(self.days, judged.sessions)
            there = given(judged.quantiles) & given(other) & _in_step(rows, proof.horizon)
            total[rows[there]] += gains(judged.actual, judged.quantiles, other)[there]
            count[rows[there]] += 1
        return total / np.maximum(count, 1)

    def _mean_ratio(self, ratios: list[float]) -> float:
        """Their mean; NaN where none is a number, which lets nothing be said."""
        numbers = [ratio for ratio in ratios if not np.isnan(ratio)]
        return float(np.mean(numbers)) if numbers else float("nan")


def _in_step(rows: npt.NDArray[np.intp], horizon: int) -> npt.NDArray[np.bool_]:
    """(n,) whether each forecast was made as many sessions of the list before as of its own security.

    Where a security lacked a session, its next forecasts were made before bets that are settled by now: their stakes
    would know more than they. The list's first bets have no stake.
    """
    first = np.arange(horizon) if rows[0] == 0 else np.full(horizon, -1)
    return np.asarray(rows == np.concatenate([first, rows[:-horizon] + horizon])[: len(rows)])
