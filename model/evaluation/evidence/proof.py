"""The proof of a configuration: what it forecast over years of a backtest, and the verdict on that."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
from pydantic import Field

from model.config import Frozen
from model.evaluation import metrics
from model.evaluation.baselines import naive_brief
from model.evaluation.check import Check, info, judge
from model.evaluation.decision import Verdict
from model.evaluation.distribution import given
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import Evidence, odds_text, weigh, weigh_against
from model.market.prices import Days, Values

# The distributions of the market's scale alone, without the network, among an evaluation's statistical ones.
ALONE = "scale_alone"


class ProofConfig(Frozen):
    """The sessions that a proof is made of."""

    sessions: int = Field(1250, ge=1, description="how many sessions a proof begins with, as far as prices allow")
    history: int = Field(500, ge=1, description="the fewest sessions before the first fit")
    refit_every: int = Field(
        252, ge=1, le=504, description="sessions between two fits; at most 504, which is two years"
    )


class Needed(NamedTuple):
    """What a proof needs.

    evidence: the odds that the first configuration of a security and column needs; the k-th needs k times as much
    sessions: with fewer of them nothing is decided
    recent:   on this many of the newest sessions the CRPS may not be above the best naive distribution's
    of_scale: the CRPS may be at most this share of that of the market's scale alone
    """

    evidence: float
    sessions: int
    recent: int
    of_scale: float


class Weighed(ABC):
    """Evidence on some sessions, and what may be said of it: on one security, or on a list of them."""

    @property
    @abstractmethod
    def tried(self) -> int:
        """It is the k-th configuration that was tried, and needs k times the evidence of the first."""

    @property
    @abstractmethod
    def days(self) -> Days:
        """(n,) the sessions, in the order of time."""

    @property
    @abstractmethod
    def on(self) -> str:
        """What it was judged on, in words."""

    @property
    @abstractmethod
    def evidence(self) -> Evidence | None:
        """That it is better than the naive distributions, and that it is worse; None where it has no distributions."""

    @abstractmethod
    def holds(self, needed: Needed) -> bool:
        """Whether every condition of a proof holds, but for the number of sessions."""

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return len(self.days)

    @property
    def first(self) -> date:
        """Its first session."""
        return date.fromisoformat(str(self.days[0]))

    @property
    def last(self) -> date:
        """Its newest session."""
        return date.fromisoformat(str(self.days[-1]))

    @property
    def odds(self) -> float:
        """The highest odds that were reached that it is better; 1 where nothing was bet."""
        return self.evidence.odds if self.evidence else 1.0

    @property
    def odds_against(self) -> float:
        """The highest odds that were reached that it is worse."""
        return self.evidence.odds_against if self.evidence else 1.0

    def needed_odds(self, needed: Needed) -> float:
        """The odds that this configuration needs."""
        return needed.evidence * self.tried

    def verdict(self, needed: Needed) -> Verdict:
        """Proven, undecided or no skill, by what a proof needs."""
        if self.sessions < needed.sessions:
            return Verdict.UNDECIDED
        if self.holds(needed):
            return Verdict.PROVEN
        return Verdict.NO_SKILL if self.odds_against >= needed.evidence else Verdict.UNDECIDED

    def claim(self, needed: Needed) -> str:
        """What may be said of it, in a few words."""
        verdict, on = self.verdict(needed), self.on
        if verdict == Verdict.PROVEN:
            return f"proven on {on} (evidence {odds_text(self.odds)})"
        if verdict == Verdict.NO_SKILL:
            return f"no skill on {on} (evidence against it {odds_text(self.odds_against)})"
        if self.sessions < needed.sessions:
            return f"undecided on {on}: needed at least {needed.sessions}"
        if self.odds >= self.needed_odds(needed):
            return (
                f"undecided on {on} (evidence {odds_text(self.odds)}, but another condition of a proof does not hold)"
            )
        return (
            f"not distinguishable from chance on {on} (evidence {odds_text(self.odds)}, "
            f"needed {odds_text(self.needed_odds(needed))})"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof(Weighed):
    """What a configuration forecast in a backtest of years; its seed is not part of the configuration.

    judged:  every session of it, in the order of time
    tried:   it is the k-th configuration that was tried on this security and column
    horizon: how many sessions ahead it forecast
    """

    judged: Evaluation
    tried: int = 1
    horizon: int = 1

    @property
    def days(self) -> Days:
        """(n,) its sessions."""
        return self.judged.sessions

    @property
    def on(self) -> str:
        """What it was judged on, in words."""
        return f"{self.sessions:,} sessions"

    @cached_property
    def evidence(self) -> Evidence | None:
        """That it is better than the naive distributions, and that it is worse; None where it has no distributions."""
        return weigh(self.judged, self.horizon)

    def holds(self, needed: Needed) -> bool:
        """Whether each of its conditions holds."""
        return all(condition.holds for condition in self.conditions(needed))

    def conditions(self, needed: Needed) -> tuple[Check, ...]:
        """The conditions of a proof; one that does not apply to the configuration is left out."""
        found, alone = [self._enough(needed), self._recent(needed)], self.of_scale_alone
        if not math.isnan(alone):
            measured = f"{alone:.4f} times that of the market's scale without the network"
            limit = f"at most {needed.of_scale:g}"
            found.append(judge(alone <= needed.of_scale, "CRPS beside scale alone", measured, limit))
        return tuple(found)

    def figures(self, needed: Needed) -> tuple[Check, ...]:
        """What is said beside the conditions: the scores, and evidence that it is worse where that is strong."""
        judged, best = self.judged, self.judged.best_naive_distribution
        if best is None or self.evidence is None:
            return ()
        scores = f"CRPS {judged.money.score(judged.crps)}, naive {judged.money.score(judged.naive_crps)}"
        found = [info("skill of the proof", f"{judged.crps_skill:+.3f}: {scores} ({naive_brief(best)})")]
        if self.odds < self.needed_odds(needed) and self.odds_against >= needed.evidence:
            found.insert(0, info("evidence of no skill", odds_text(self.odds_against)))
        return tuple(found)

    @property
    def of_scale_alone(self) -> float:
        """CRPS / CRPS of the market's scale alone, on the same sessions; NaN where the configuration has no scale."""
        if ALONE not in self.judged.statistical_quantiles:
            return math.nan
        return mean_ratio(self.judged, self.judged.statistical_quantiles[ALONE])

    def _enough(self, needed: Needed) -> Check:
        name, odds, period = "evidence of skill", self.needed_odds(needed), f"{self.first} to {self.last}"
        wanted = odds_text(odds) + ("" if self.tried == 1 else f" (configuration {self.tried})")
        if self.evidence is None or self.judged.best_naive_distribution is None:
            none = f"no distributions to compare ({self.sessions:,} sessions, {period})"
            return judge(False, name, none, wanted)
        if self.sessions < needed.sessions:
            few = f"at least {needed.sessions:,}"
            return judge(False, "sessions of proof", f"{self.sessions:,} ({period})", few)
        measured = f"{odds_text(self.odds)} ({self.sessions:,} sessions, {period})"
        return judge(self.odds >= odds, name, measured, wanted)

    def _recent(self, needed: Needed) -> Check:
        part = self.judged.part(slice(max(0, self.sessions - needed.recent), None))
        best, ratio = part.best_naive_distribution, part.crps / part.naive_crps if part.naive_crps else math.inf
        name = f"newest {len(part.sessions):,} sessions"
        if best is None or math.isnan(ratio):
            return judge(False, name, "no distributions to compare", "at most 1")
        return judge(ratio <= 1, name, f"CRPS {ratio:.4f} times naive ({naive_brief(best)})", "at most 1")


def mean_ratio(judged: Evaluation, other: Values) -> float:
    """Mean CRPS / mean CRPS of other distributions, on the sessions that have both; NaN where there are none."""
    both = given(judged.quantiles) & given(other)
    if not both.any():
        return math.nan
    ours, theirs = (metrics.mean_given(judged.crps_of(made)[both]) for made in (judged.quantiles, other))
    return ours / theirs if theirs else math.inf


class Compared(NamedTuple):
    """Two configurations on the sessions that both were judged on.

    ratio: mean CRPS of the first / of the second; NaN without common sessions
    odds:  the highest odds that were reached that the first is better
    """

    sessions: int
    ratio: float
    odds: float


def compare(first: Proof, second: Proof) -> Compared:
    """Compare two proofs on their common sessions of the same prices; ValueError for two horizons."""
    if first.horizon != second.horizon:
        raise ValueError(f"proofs of {first.horizon} and of {second.horizon} sessions ahead")
    ours, theirs = first.judged, second.judged
    _, rows, others = np.intersect1d(ours.sessions, theirs.sessions, return_indices=True)
    both = (ours.actual[rows] == theirs.actual[others]) & given(ours.quantiles[rows]) & given(theirs.quantiles[others])
    rows, others = rows[both], others[both]
    if not len(rows):
        return Compared(0, math.nan, 1.0)
    quantiles = theirs.quantiles[others]
    common = ours.part(np.isin(np.arange(len(ours.sessions)), rows))
    evidence = weigh_against(common.actual, common.quantiles, {"other": quantiles}, first.horizon)
    return Compared(len(rows), mean_ratio(common, quantiles), evidence.odds)
