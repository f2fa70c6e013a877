"""Live proof: the forecasts that were made before their session began, beside the naive distributions of the same days.

They are all forecasts of a model from its first one on, by whichever version was in Production. None of them could be
selected afterwards, so they show what a user got.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from model.evaluation import distribution
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import Evidence, odds_text, weigh
from model.evaluation.metrics import uniform_distance
from model.market.prices import Days, Values

# A trading month, a quarter and a year.
SPANS = (21, 63, 250)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveRecord:
    """How a model's live forecasts have done, session by session.

    judged:   those that are distributions, each with the naive ones beside it
    evidence: that they are better than the naive ones, and that they are worse, from the first of them on
    """

    judged: Evaluation
    evidence: Evidence

    @classmethod
    def of(cls, judged: Evaluation, horizon: int = 1) -> Self | None:
        """The record of forecasts that count; None where none of them is a distribution with naive ones beside it.

        horizon: how many sessions ahead all of them were made
        """
        every = (judged.quantiles, *judged.naive_quantiles.values())
        given = np.logical_and.reduce([distribution.given(quantiles) for quantiles in every])
        if not judged.naive_quantiles or not given.any():
            return None
        compared = judged.part(given)
        evidence = weigh(compared, horizon)
        return None if evidence is None else cls(judged=compared, evidence=evidence)

    def __len__(self) -> int:
        return len(self.judged.sessions)

    @property
    def sessions(self) -> Days:
        """(n,) the sessions that were forecast."""
        return self.judged.sessions

    @property
    def skills(self) -> dict[int, float]:
        """The CRPS skill over the newest 21, 63 and 250 forecasts, where there are that many."""
        newest = {span: float(self.rolling_skill(span)[-1]) for span in SPANS}
        return {span: skill for span, skill in newest.items() if math.isfinite(skill)}

    @property
    def pit_ks(self) -> float:
        """The Kolmogorov-Smirnov distance of their PIT from the uniform distribution."""
        return uniform_distance(self.judged.pit)

    def rolling_skill(self, span: int) -> Values:
        """(n,) 1 - CRPS / CRPS of the best naive distribution, over the `span` forecasts up to each session.

        The best naive distribution is chosen for each session anew. NaN where there are fewer forecasts.
        """
        skill = np.full(len(self), math.nan)
        if len(self) < span:
            return skill

        def means(quantiles: Values) -> Values:
            scores = self.judged.crps_of(quantiles)
            return np.asarray(np.lib.stride_tricks.sliding_window_view(scores, span).mean(axis=1))

        naive = np.min([means(quantiles) for quantiles in self.judged.naive_quantiles.values()], axis=0)
        ours = means(self.judged.quantiles)
        skill[span - 1 :] = 1 - np.divide(ours, naive, out=np.full(len(naive), math.nan), where=naive > 0)
        return skill

    def by_session(self) -> dict[str, Values]:
        """Each figure by name, (n,), as it was known after each session: the rolling skills, and the evidence.

        The evidence is the logarithm of the odds to the base 10: 1.3 is 20 to 1.
        """
        return {
            "live_evidence": self.evidence.log_odds / math.log(10),
            "live_evidence_against": self.evidence.log_odds_against / math.log(10),
            **{f"live_skill_{span}": self.rolling_skill(span) for span in SPANS},
        }

    def claim(self, needed: float) -> str:
        """What these forecasts show, where odds of `needed` to 1 are a proof.

        Where the odds were reached both for better and for worse, the later one is said.
        """
        better = _first(self.evidence.log_odds, needed)
        worse = _first(self.evidence.log_odds_against, needed)
        n = f"{len(self):,}"
        if better is not None and (worse is None or worse < better):
            return f"proven on {n} live forecasts (evidence {odds_text(self.evidence.odds)})"
        if worse is not None:
            against = odds_text(self.evidence.odds_against)
            return f"worse than the naive distribution (evidence {against} on {n} live forecasts)"
        forecasts = "1 forecast" if len(self) == 1 else f"{n} forecasts"
        return f"not distinguishable from chance (evidence {odds_text(self.evidence.odds)} on {forecasts})"


def _first(log_odds: Values, needed: float) -> int | None:
    """The first row at which the odds are reached; None for none."""
    reached = log_odds >= math.log(needed)
    return int(reached.argmax()) if reached.any() else None
