"""How forecasts have done: which of them count, and those beside what happened."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.evaluation import Evaluation
from model.market.prices import Values
from tasks.ledger.forecasts import RecordedForecast


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecastSummary:
    """How a model's forecasts have done.

    rows:    all of them
    counted: those that were made before their session began, by the exchange's calendar, and whose price came
    judged:  these as one evaluation; None where there are none, and so are the figures then
    """

    model: str
    rows: tuple[RecordedForecast, ...]
    counted: tuple[RecordedForecast, ...]
    judged: Evaluation | None

    @property
    def forecasts(self) -> int:
        """How many were made."""
        return len(self.rows)

    @property
    def scored(self) -> int:
        """How many of them count."""
        return len(self.counted)

    @property
    def newest(self) -> RecordedForecast:
        """The forecast of the newest session."""
        return max(self.rows, key=lambda row: (row.session, row.made_at))

    @property
    def crps(self) -> float | None:
        """The mean CRPS in dollars; None where no forecast that counts is a distribution."""
        return None if self.judged is None else _finite(self.judged.crps)

    @property
    def naive_crps(self) -> float | None:
        """The same of the best naive distribution, on the same sessions."""
        return None if self.judged is None else _finite(self.judged.naive_crps)

    @property
    def crps_skill(self) -> float | None:
        """1 - CRPS / CRPS of the best naive distribution."""
        return None if self.judged is None else _finite(self.judged.crps_skill)

    @property
    def log_score(self) -> float | None:
        """The mean log density at what happened: higher is better."""
        return None if self.judged is None else _finite(self.judged.log_score)

    @property
    def rmse(self) -> float | None:
        """In dollars."""
        return None if self.judged is None else self.judged.rmse

    @property
    def naive_rmse(self) -> float | None:
        """The same of the best naive forecast."""
        return None if self.judged is None else self.judged.naive_rmse

    @property
    def level(self) -> float | None:
        """The level of the widest intervals among those that count; before there are any, that of the newest."""
        widest = max(self.judged.intervals, default=None) if self.judged is not None else None
        return self.newest.level if widest is None else widest

    @property
    def coverage(self) -> float | None:
        """The share of prices within these intervals; None where no forecast that counts has any."""
        if self.judged is None or not self.judged.intervals:
            return None
        return self.judged.coverage(max(self.judged.intervals)).value


def summarise(model: str, rows: Sequence[RecordedForecast]) -> ForecastSummary:
    """Find the forecasts that count, and judge them."""
    counted = tuple(row for row in rows if row.observed is not None and not row.late)
    judged = judge_rows(counted) if counted else None
    return ForecastSummary(model=model, rows=tuple(rows), counted=counted, judged=judged)


def judge_rows(rows: Sequence[RecordedForecast]) -> Evaluation:
    """Forecasts that count beside what happened; of one session, the one that was made from the newest prices."""
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
    )


def _stacked(recorded: Sequence[Mapping[float, float]]) -> Values:
    """(n, len(PROBABILITIES)) dollars; a row is NaN throughout where a distribution lacks one of the probabilities."""
    rows = np.array([[found.get(probability, math.nan) for probability in PROBABILITIES] for found in recorded])
    return np.where(np.isfinite(rows).all(axis=1)[:, np.newaxis], rows, math.nan)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
