"""Forecasts of coming sessions: a predictive distribution for each, whose median is the point forecast."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from model.artifact.distribution import LEVELS, PROBABILITIES, quantile_column
from model.artifact.sessions_ahead import FURTHEST, further_column
from model.forecaster.explanation import Explanation
from model.market.prices import Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """Forecasts made at several origins, each for the session after, oldest first.

    values:      (n,) prices, the point forecasts
    quantiles:   (n, len(PROBABILITIES)) prices, ascending; a row is NaN throughout where there is no distribution
    explanation: what made the newest distribution wide or narrow; None where that was not asked, or is no product
    further:     sessions ahead -> quantiles likewise, of each horizon beyond the next session
    """

    values: Values
    quantiles: Values
    explanation: Explanation | None = None
    further: Mapping[int, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for quantiles in (self.quantiles, *self.further.values()):
            if quantiles.shape != (len(self.values), len(PROBABILITIES)):
                raise ValueError(f"quantiles of shape {quantiles.shape} for {len(self.values)} forecasts")

    @classmethod
    def from_columns(cls, columns: Mapping[str, Values]) -> Self:
        """From the columns of `model.artifact.inference.forecast`."""
        names = [quantile_column(p) for p in PROBABILITIES]
        quantiles = np.column_stack([columns[name] for name in names]).astype(np.float64)
        ahead = [h for h in range(2, FURTHEST + 1) if further_column(h, names[0]) in columns]
        return cls(
            further={
                h: np.column_stack([columns[further_column(h, name)] for name in names]).astype(np.float64)
                for h in ahead
            },
            values=np.asarray(columns["forecast"], dtype=np.float64),
            quantiles=quantiles,
            explanation=Explanation.from_columns(columns) if np.isfinite(quantiles[-1]).all() else None,
        )

    @classmethod
    def points(cls, values: Values) -> Self:
        """Point forecasts without any distribution."""
        return cls(values=values, quantiles=np.full((len(values), len(PROBABILITIES)), np.nan))

    def distribution(self, row: int = -1) -> dict[float, float]:
        """Probability -> price of one forecast; empty where it has no distribution."""
        given = self.quantiles[row]
        return dict(zip(PROBABILITIES, given.tolist(), strict=True)) if np.isfinite(given).all() else {}

    def intervals(self, row: int = -1) -> dict[int, tuple[float, float]]:
        """Level in per cent -> the bounds around one forecast; empty where it has no distribution."""
        found = self.distribution(row)
        return {level: interval_of(found, level) for level in LEVELS} if found else {}


def interval_of(distribution: Mapping[float, float], level: int) -> tuple[float, float]:
    """The central interval of a distribution at a level in per cent: at 80 %, the quantiles at 0.1 and 0.9."""
    tail = (100 - level) / 200
    return distribution[round(tail, 4)], distribution[round(1 - tail, 4)]
