"""Summarises a model's forecasts: which of them count, and how they compare with the actual prices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.live import LiveRecord
from model.market.prices import Values
from tasks.ledger.forecasts import RecordedForecast
from tasks.ledger.standing import standing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecastSummary:
    """A model's forecasts and their figures. Errors and scores are in the unit of the prices.

    rows:    all forecasts, those of the naive distribution included
    counted: those made before their session began, by the exchange's calendar, whose price is filled in
    judged:  the evaluation of those in `counted` that versions made; None, like most figures, where there are none
    live:    their skill and the evidence for it; None where none of them is a distribution
    needed:  the odds, to 1, that count as proof
    horizon: how many sessions ahead all of them were made
    further: the summaries of the same model's forecasts of later sessions, the nearest first
    """

    model: str
    rows: tuple[RecordedForecast, ...]
    counted: tuple[RecordedForecast, ...]
    judged: Evaluation | None
    live: LiveRecord | None
    needed: float
    horizon: int = 1
    further: "tuple[ForecastSummary, ...]" = ()

    @property
    def forecasts(self) -> int:
        """How many were made."""
        return len(self.rows)

    @property
    def scored(self) -> int:
        """How many forecasts count, those of the naive distribution included."""
        return len(self.counted)

    @property
    def newest(self) -> RecordedForecast:
        """The forecast of the newest session; see `newest_of`."""
        return newest_of(self.rows)

    @property
    def claim(self) -> str | None:
        """The conclusion in words: proven, worse, or not distinguishable from chance."""
        return None if self.live is None else self.live.claim(self.needed)

    @property
    def evidence(self) -> float | None:
        """The odds, at their highest so far, that they are better than the naive distributions: 46.0 is 46 to 1."""
        return None if self.live is None else self.live.evidence.odds

    @property
    def skills(self) -> dict[int, float]:
        """The CRPS skill over the newest 21, 63 and 250 forecasts, where there are so many."""
        return {} if self.live is None else self.live.skills

    @property
    def crps(self) -> float | None:
        """The mean CRPS; None where no forecast that counts is a distribution."""
        return None if self.judged is None else _finite(self.judged.crps)

    @property
    def naive_crps(self) -> float | None:
        """The mean CRPS of the best naive distribution, on the same sessions."""
        return None if self.judged is None else _finite(self.judged.naive_crps)

    @property
    def crps_skill(self) -> float | None:
        """1 - CRPS / CRPS of the best naive distribution."""
        return None if self.judged is None else _finite(self.judged.crps_skill)

    @property
    def log_score(self) -> float | None:
        """The mean log density at the actual price; higher is better."""
        return None if self.judged is None else _finite(self.judged.log_score)

    @property
    def rmse(self) -> float | None:
        """The root mean squared error of the medians."""
        return None if self.judged is None else self.judged.rmse

    @property
    def naive_rmse(self) -> float | None:
        """The root mean squared error of the best naive forecast."""
        return None if self.judged is None else self.judged.naive_rmse

    @property
    def level(self) -> float | None:
        """The level, in per cent, of the widest intervals among forecasts that count; None where there are none."""
        return max(self.judged.intervals, default=None) if self.judged is not None else None

    @property
    def coverage(self) -> float | None:
        """The share of prices within these intervals; None where no forecast that counts has any."""
        if self.judged is None or not self.judged.intervals:
            return None
        return self.judged.coverage(max(self.judged.intervals)).value


def summarise(model: str, rows: Sequence[RecordedForecast], needed: float) -> ForecastSummary:
    """Find the forecasts that count, and judge those of versions; odds of `needed` to 1 count as proof.

    Forecasts of each horizon are judged by themselves: those of the next session, which the summary is of, as if there
    were no others.
    """
    by_horizon: dict[int, list[RecordedForecast]] = {1: []}
    for row in rows:
        by_horizon.setdefault(row.horizon, []).append(row)
    first, *others = (_of_horizon(model, each, horizon, needed) for horizon, each in sorted(by_horizon.items()))
    return replace(first, further=tuple(others))


def _of_horizon(model: str, rows: Sequence[RecordedForecast], horizon: int, needed: float) -> ForecastSummary:
    counted = tuple(row for row in rows if row.observed is not None and not row.late)
    of_versions = [row for row in counted if row.version is not None]
    judged = judge_rows(of_versions) if of_versions else None
    live = None if judged is None else LiveRecord.of(judged, horizon)
    return ForecastSummary(
        model=model, rows=tuple(rows), counted=counted, judged=judged, live=live, needed=needed, horizon=horizon
    )


def cone_of(newest: RecordedForecast, further: Sequence[RecordedForecast]) -> tuple[RecordedForecast, ...]:
    """The forecasts of later sessions that belong to the newest one of the next session, the nearest first.

    further: those that were made as of the same day, by whichever version

    A horizon without skill has the naive distribution in its place, which no version made; the one recorded first
    stands. What another version said of that day is left out.
    """
    by_horizon: dict[int, list[RecordedForecast]] = {}
    for row in further:
        if row.as_of == newest.as_of:
            by_horizon.setdefault(row.horizon, []).append(row)
    stand = (standing(newest, rows) for _, rows in sorted(by_horizon.items()))
    return tuple(row for row in stand if row is not None)


def newest_of(rows: Sequence[RecordedForecast]) -> RecordedForecast:
    """The forecast of the newest session; a version's is preferred to the naive distribution's."""
    return max(rows, key=lambda row: (row.session, row.version is not None, row.made_at))


def judge_rows(rows: Sequence[RecordedForecast]) -> Evaluation:
    """The evaluation of forecasts that count, at least one, all of them made as many sessions ahead.

    For each session it takes the forecast made from the newest prices; of several, the newest version's.
    """
    newest: dict[date, RecordedForecast] = {}
    for row in sorted(rows, key=lambda row: (row.session, row.as_of, row.version or 0)):
        newest[row.session] = row
    chosen = list(newest.values())
    shared = [name for name in chosen[0].naives if all(name in row.naives for row in chosen)]
    distributions = dict.fromkeys(name for row in chosen for name in row.naive_quantiles)
    return Evaluation(
        sessions=np.array([row.session for row in chosen], dtype="datetime64[D]"),
        actual=np.array([row.observed for row in chosen], dtype=np.float64),
        forecast=np.array([row.forecast for row in chosen]),
        naive={name: np.array([row.naives[name] for row in chosen]) for name in shared},
        quantiles=_stacked([row.quantiles for row in chosen]),
        naive_quantiles={
            name: _stacked([row.naive_quantiles.get(name, {}) for row in chosen]) for name in distributions
        },
        unit=chosen[-1].currency,
        horizon=chosen[-1].horizon,
    )


def _stacked(recorded: Sequence[Mapping[float, float]]) -> Values:
    """(n, len(PROBABILITIES)) prices; a row is NaN throughout where a distribution lacks one of the probabilities."""
    rows = np.array([[found.get(probability, math.nan) for probability in PROBABILITIES] for found in recorded])
    return np.where(np.isfinite(rows).all(axis=1)[:, np.newaxis], rows, math.nan)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
