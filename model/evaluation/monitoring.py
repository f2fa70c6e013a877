"""Monitoring of a version in use: rolling metrics of its forecasts, and whether it should be trained again.

One window ends at each scored session. A full window has a sentence with numbers for each limit that it breaches.
Retraining is needed when enough of the newest windows breach a limit, the newest window among them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from model.config import Frozen
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import Evaluation
from model.evaluation.metrics import ks_distance
from model.market.prices import Prices, Values

Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Monitoring(Frozen):
    """The rolling windows, and their limits."""

    window: int = Field(21, ge=2, description="sessions in a rolling window: a trading month")
    windows: int = Field(5, ge=1, description="how many of the newest windows are looked at")
    breaches: int = Field(
        3, ge=1, description="retraining is needed when this many of them, the newest among them, breach a limit"
    )
    cooldown: int = Field(10, ge=0, description="sessions after a request without another request")
    max_crps_ratio: Limit = Field(1.05, description="CRPS / CRPS of the best naive distribution on the window")
    max_coverage_gap: Limit = Field(
        0.05, description="how far below their level the coverage of intervals may be, after allowing for chance"
    )
    drift_sessions: int = Field(63, ge=2, description="the newest returns: a quarter")

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.breaches > self.windows:
            raise ValueError(f"breaches: {self.breaches} of {self.windows} windows is impossible")
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The newest forecasts up to one session, at most as many as a window has.

    judged:   those forecasts with the actual prices
    drift:    distance of the returns up to then from the training part's, 0 to 1; NaN where it is not known
    breaches: a sentence for each limit that it breaches; empty where the window is not full
    """

    judged: Evaluation
    drift: float
    breaches: tuple[str, ...]

    @property
    def session(self) -> date:
        """Its newest session."""
        return date.fromisoformat(str(self.judged.sessions[-1]))

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The CRPS and the PIT of its newest forecast by name, and the best naive distribution's CRPS; NaN for none.

        The naive distribution is the one that is best on the window.
        """
        best, newest = self.judged.best_naive_distribution, self.judged.part(slice(-1, None))
        return {
            "crps": newest.crps,
            "naive_crps": math.nan if best is None else float(newest.crps_of(newest.naive_quantiles[best])[0]),
            "pit": float(newest.pit[0]),
        }

    def metrics(self) -> dict[str, float]:
        """Its figures (`rolling_...`) and those of its newest forecast, by name; without undefined ones."""
        judged = self.judged
        figures = {
            **self.scores,
            "rolling_rmse": judged.rmse,
            "rolling_naive_rmse": judged.naive_rmse,
            "rolling_skill": judged.skill,
            "rolling_bias": judged.bias,
            "rolling_crps": judged.crps,
            "rolling_naive_crps": judged.naive_crps,
            "drift": self.drift,
            "breaches": float(len(self.breaches)),
        }
        figures |= {f"rolling_coverage_{100 * level:g}": judged.coverage(level).value for level in judged.intervals}
        return {name: value for name, value in figures.items() if math.isfinite(value)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Whether retraining is to be requested, and why or why not, as sentences."""

    retrain: bool
    reasons: tuple[str, ...]


def rolling(judged: Evaluation, drifts: Values, monitoring: Monitoring) -> tuple[Window, ...]:
    """One window for each session; `drifts` is (n,), as `returns_drift` gives it for each of them."""
    windows = []
    for row in range(len(judged.sessions)):
        part = judged.part(slice(max(0, row + 1 - monitoring.window), row + 1))
        drift, full = float(drifts[row]), len(part.sessions) == monitoring.window
        breaches = tuple(_breaches(part, monitoring)) if full else ()
        windows.append(Window(judged=part, drift=drift, breaches=breaches))
    return tuple(windows)


def returns_drift(training: Prices, known: Prices, sessions: Sequence[date], monitoring: Monitoring) -> Values:
    """How far the newest daily returns of the Close up to each session are from the training part's.

    (n,) Kolmogorov-Smirnov distances; NaN before there are enough newer returns. Returns are the logarithms of each
    Close over the one before: price levels always drift, and a split between the two histories leaves them as they are.
    """
    before = _returns(training)
    days, returns = known.sessions[1:], _returns(known)
    ends = np.searchsorted(days, np.array(sessions, dtype="datetime64[D]"), side="right")
    first = np.searchsorted(days, training.sessions[-1], side="right")
    # Returns of the training part itself would hide what came after it.
    starts = np.maximum(ends - monitoring.drift_sessions, 0)
    enough = (ends - starts == monitoring.drift_sessions) & (starts >= first)
    return np.array(
        [
            ks_distance(before, returns[start:end]) if given else math.nan
            for start, end, given in zip(starts, ends, enough, strict=True)
        ]
    )


def advise(windows: Sequence[Window], since: int | None, monitoring: Monitoring) -> Advice:
    """Whether retraining is to be requested.

    since: sessions since the last request; 0 for a request at the newest session, which is repeated; None for none
    """
    scored = len(windows[-1].judged.sessions) if windows else 0
    if scored < monitoring.window:
        return Advice(retrain=False, reasons=(f"Not enough scored forecasts yet: {scored} of {monitoring.window}.",))
    newest = windows[-monitoring.windows :]
    broken = [window for window in newest if window.breaches]
    count = f"{len(broken)} of the newest {len(newest)} windows of {monitoring.window} sessions breach a limit"
    if len(broken) < monitoring.breaches or not newest[-1].breaches:
        missing = f"{count}; retraining needs {monitoring.breaches}, the newest among them."
        return Advice(retrain=False, reasons=(missing,))
    reasons = (f"{count}, the newest among them; retraining needs {monitoring.breaches}.", *newest[-1].breaches)
    if since is not None and 0 < since <= monitoring.cooldown:
        quiet = f"Retraining was already requested {since} sessions ago (no repeat for {monitoring.cooldown})."
        return Advice(retrain=False, reasons=(*reasons, quiet))
    return Advice(retrain=True, reasons=reasons)


def crps_is_too_high(judged: Evaluation, monitoring: Monitoring) -> bool:
    """Whether the CRPS of a window is above its limit; where it lacks a distribution, it is NaN and above nothing."""
    best = judged.best_naive_distribution
    return best is not None and judged.crps > monitoring.max_crps_ratio * judged.naive_crps


def coverage_gap(judged: Evaluation, level: float) -> float:
    """How far the coverage of the intervals is below their level on a window, chance allowed for; negative if not."""
    held = judged.coverage_as_quoted(level)
    return level - held.bounds[1] if held.n else 0.0


def _breaches(judged: Evaluation, monitoring: Monitoring) -> Iterator[str]:
    if crps_is_too_high(judged, monitoring):
        ours, naive, best = judged.crps, judged.naive_crps, str(judged.best_naive_distribution)
        money = judged.money
        share = f"{ours / naive:.2f}" if naive else "infinitely many"
        yield (
            f"CRPS {money.score(ours)} is {share} times that of {naive_label(best)}, {money.score(naive)}: "
            f"at most {monitoring.max_crps_ratio:g} allowed."
        )
    for level in sorted(judged.intervals):
        gap = coverage_gap(judged, level)
        if gap > monitoring.max_coverage_gap:
            held = judged.coverage_as_quoted(level)
            yield (
                f"{100 * level:g} % interval: covered {held.hits} of {held.n} prices; even allowing for chance that is "
                f"{100 * gap:.1f} points too low; limit {100 * monitoring.max_coverage_gap:g}."
            )


def _returns(prices: Prices) -> Values:
    return np.diff(np.log(prices.column("Close")))
