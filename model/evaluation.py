"""Forecasts beside what happened and beside the naive forecasts, on the same sessions, in dollars."""

from dataclasses import dataclass

import numpy as np

from model.baselines import Naive
from model.prices import Days, Values


def rmse(actual: Values, forecast: Values) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean(np.square(forecast - actual))))


def mae(actual: Values, forecast: Values) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(forecast - actual)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One forecast a session, made with what was known at the close of the session before.

    sessions: (n,) datetime64[D], the days that were forecast
    actual:   (n,) dollars, what happened
    forecast: (n,) dollars
    naive:    name -> (n,) dollars, made at the same moment with the same knowledge
    """

    sessions: Days
    actual: Values
    forecast: Values
    naive: Naive

    def __post_init__(self) -> None:
        lengths = {len(self.sessions), *(len(values) for values in (self.actual, self.forecast, *self.naive.values()))}
        if len(lengths) != 1 or 0 in lengths or not self.naive:
            raise ValueError(f"an evaluation wants the same sessions throughout, got lengths {sorted(lengths)}")

    @property
    def rmse(self) -> float:
        """Root mean squared error in dollars."""
        return rmse(self.actual, self.forecast)

    @property
    def mae(self) -> float:
        """Mean absolute error in dollars."""
        return mae(self.actual, self.forecast)

    @property
    def bias(self) -> float:
        """Mean of forecast minus actual, in dollars."""
        return float(np.mean(self.forecast - self.actual))

    @property
    def best_naive(self) -> str:
        """The naive forecast with the smallest RMSE on these sessions: the hardest to beat."""
        return min(self.naive, key=lambda name: rmse(self.actual, self.naive[name]))

    @property
    def naive_rmse(self) -> float:
        """RMSE of the best naive forecast, in dollars."""
        return rmse(self.actual, self.naive[self.best_naive])

    @property
    def naive_mae(self) -> float:
        """MAE of the naive forecast that has the best RMSE, in dollars."""
        return mae(self.actual, self.naive[self.best_naive])

    @property
    def skill(self) -> float:
        """1 - RMSE / RMSE of the best naive forecast: above 0 is better than naive.

        Where the naive forecast makes no error at all, nothing can be better: 0 if the forecast makes none
        either, else minus infinity.
        """
        if self.naive_rmse == 0:
            return 0.0 if self.rmse == 0 else float("-inf")
        return 1 - self.rmse / self.naive_rmse

    def metrics(self) -> dict[str, float]:
        """Every figure by name, the naive forecasts' among them."""
        figures = {
            "rmse": self.rmse,
            "mae": self.mae,
            "bias": self.bias,
            "naive_rmse": self.naive_rmse,
            "naive_mae": self.naive_mae,
            "skill": self.skill,
        }
        for name, values in self.naive.items():
            figures[f"{name}_rmse"] = rmse(self.actual, values)
            figures[f"{name}_mae"] = mae(self.actual, values)
        return figures
