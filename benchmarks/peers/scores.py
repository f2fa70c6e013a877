"""What each method's quantiles are worth, on the same sessions; shares are means over the series."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.market import Market, Quantiles, Series, judged
from model.evaluation.distribution import crps, interval
from model.evaluation.metrics import coverage, diebold_mariano, winkler
from model.market.prices import Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Distributions of several methods, and what happened.

    quantiles: method -> series -> (n, 25) dollars, the sessions of `years`
    """

    market: Market
    years: Sequence[int]
    quantiles: Mapping[str, Quantiles]

    def shares(self, method: str, other: str, year: int | None = None) -> Values:
        """(series,) the mean CRPS of a method, of all years or one, as a share of another's."""
        ours, theirs = (np.array(list(self._losses(name, year))) for name in (method, other))
        return np.asarray(ours.mean(axis=1) / theirs.mean(axis=1))

    def p_value(self, method: str, other: str, year: int | None = None) -> float:
        """Diebold and Mariano's, two-sided, of the daily CRPS: each series in units of the other's mean, then averaged.

        The series are averaged day by day, since they share each day's events.
        """
        ours, theirs = (np.array(list(self._losses(name, year))) for name in (method, other))
        units = theirs.mean(axis=1, keepdims=True)
        return diebold_mariano((ours / units).mean(axis=0), (theirs / units).mean(axis=0)).p_value

    def held(self, method: str, level: int) -> float:
        """How often the price lay within the interval at a level in per cent, as a share of the sessions."""
        return float(np.mean([coverage(*case).value for case in self._intervals(method, level)]))

    def winkler_share(self, method: str, other: str, level: int) -> float:
        """The intervals' mean Winkler score as a share of another method's."""
        ours, theirs = (
            [winkler(*case, level / 100) for case in self._intervals(name, level)] for name in (method, other)
        )
        return float(np.mean(np.divide(ours, theirs)))

    def best(self, methods: Sequence[str], other: str) -> str:
        """The method whose CRPS is the smallest share of another's, chosen in hindsight on the same sessions."""
        return min(methods, key=lambda method: float(self.shares(method, other).mean()))

    def _losses(self, method: str, year: int | None) -> Iterator[Values]:
        """Each series' CRPS, session by session."""
        for series in self.market:
            all_rows = judged(series, self.years)
            rows = all_rows if year is None else series.year(year)
            part = slice(rows.start - all_rows.start, rows.stop - all_rows.start)
            yield crps(series.price[rows], self.quantiles[method][series.name][part])

    def _intervals(self, method: str, level: int) -> Iterator[tuple[Values, Values, Values]]:
        """For each series what happened, the lower and the upper bounds."""
        for series in self.market:
            lower, upper = interval(self.quantiles[method][series.name], level)
            yield self._happened(series), lower, upper

    def _happened(self, series: Series) -> Values:
        return series.price[judged(series, self.years)]
