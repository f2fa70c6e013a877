"""Forecasts of coming sessions: a price, and intervals that should hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from model.artifact.inference import LEVELS
from model.market.prices import Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """Forecasts made at several origins, each for the session after, oldest first.

    values: (n,) dollars
    lower:  level in per cent -> (n,) dollars; NaN where there is no bound; a level without any bound is absent
    upper:  likewise
    """

    values: Values
    lower: Mapping[int, Values]
    upper: Mapping[int, Values]

    def __post_init__(self) -> None:
        bounds = (*self.lower.values(), *self.upper.values())
        if self.lower.keys() != self.upper.keys() or {len(bound) for bound in bounds} - {len(self.values)}:
            raise ValueError("intervals need a lower and an upper bound for every forecast")

    @classmethod
    def from_columns(cls, columns: Mapping[str, Values]) -> Self:
        """From the columns of `model.artifact.inference.forecast`; a model without intervals has `forecast` alone."""
        levels = [level for level in LEVELS if f"lower_{level}" in columns]
        return cls(
            values=np.asarray(columns["forecast"], dtype=np.float64),
            lower={level: np.asarray(columns[f"lower_{level}"], dtype=np.float64) for level in levels},
            upper={level: np.asarray(columns[f"upper_{level}"], dtype=np.float64) for level in levels},
        )

    def intervals(self, row: int = -1) -> dict[int, tuple[float, float]]:
        """Level in per cent -> the bounds around one forecast; without the levels that have none."""
        bounds = {level: (float(self.lower[level][row]), float(self.upper[level][row])) for level in self.lower}
        return {level: bound for level, bound in bounds.items() if np.isfinite(bound).all()}

    def complete(self) -> dict[float, tuple[Values, Values]]:
        """Level, such as 0.8 -> lower and upper bounds, each (n,); without the levels that lack one anywhere."""
        bounds = {level / 100: (self.lower[level], self.upper[level]) for level in self.lower}
        return {level: pair for level, pair in bounds.items() if np.isfinite(pair).all()}
