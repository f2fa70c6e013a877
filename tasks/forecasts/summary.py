"""How forecasts have done: which of them count, and those beside what happened."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.live import LiveRecord
from model.market.prices import Values
from tasks.ledger.forecasts import RecordedForecast


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecastSummary:
    """How a model's forecasts have done.

    rows:    all of them, those of the naive distribution among them
    counted: those that were made before their session began, by the exchange's calendar, and whose price came
    judged:  what versions forecast among these as one evaluation; None where there is none, and so are the figures then
    live:    the skill of these and the evidence for it; None where none of them is a distribution
    needed:  the odds, to 1, that prove something
    """

    model: str
    rows: tuple[RecordedForecast, ...]
    counted: tuple[RecordedForecast, ...]
    judged: Evaluation | None
    live: LiveRecord | None
    needed: float

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
        """The forecast of the newest session; a version's goes before one of the naive distribution."""
        return newest_of(self.rows)

    @property
    def claim(self) -> str | None:
        """What may be said of the forecasts, in words: proven, worse, or not distinguishable from chance."""
        return None if self.live is None else self.live.claim(self.needed)

    @property
    def evidence(self) -> float | None:
        """The highest odds that were reached that they are better than the naive distributions: 46.0 is 46 to 1."""
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
        """The root mean squared error of the medians."""
        return None if self.judged is None else self.judged.rmse

    @property
    def naive_rmse(self) -> float | None:
        """The same of the best naive forecast."""
        return None if self.judged is None else self.judged.naive_rmse

    @property
    def level(self) -> float | None:
        """The level of the widest intervals among those that count; None before there are any."""
        return max(self.judged.intervals, default=None) if self.judged is not None else None

    @property
    def coverage(self) -> float | None:
        """The share of prices within these intervals; None where no forecast that counts has any."""
        if self.judged is None or not self.judged.intervals:
            return None
        return self.judged.coverage(max(self.judged.intervals)).value


def summarise(model: str, rows: Sequence[RecordedForecast], needed: float) -> ForecastSummary:
    """Find the forecasts that count, and judge those of versions; odds of `needed` to 1 prove something."""
    counted = tuple(row for row in rows if row.observed is not None and not row.late)
    of_versions = [row for row in counted if row.version is not None]
    judged = judge_rows(of_versions) if of_versions else None
    live = None if judged is None else LiveRecord.of(judged)
    return ForecastSummary(model=model, rows=tuple(rows), counted=counted, judged=judged, live=live, needed=needed)


def newest_of(rows: Sequence[RecordedForecast]) -> RecordedForecast:
    """The forecast of the newest session; a version's goes before one of the naive distribution."""
    return max(rows, key=lambda row: (row.session, row.version is not None, row.made_at))


def judge_rows(rows: Sequence[RecordedForecast]) -> Evaluation:
    """Forecasts that count beside what happened.

    Of one session, the one that was made from the newest prices; of those, the newest version's.
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
    )


def _stacked(recorded: Sequence[Mapping[float, float]]) -> Values:
    """(n, len(PROBABILITIES)) prices; a row is NaN throughout where a distribution lacks one of the probabilities."""
    rows = np.array([[found.get(probability, math.nan) for probability in PROBABILITIES] for found in recorded])
    return np.where(np.isfinite(rows).all(axis=1)[:, np.newaxis], rows, math.nan)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
