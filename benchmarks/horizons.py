"""The table of docs/how-far.md: how far ahead more can be foreseen than naive distributions and GARCH say.

    .venv/bin/python -m benchmarks.horizons --data FOLDER

FOLDER is as for benchmarks/evidence. Yearly fits, each used at the origins from the day of the fit on: no forecast
knows a price, a width or an error that was not known at its origin. GARCH is summed over the horizon, for the Close
alone, and its distribution is read from its own past errors, as ours is. Odds are those of the e-process of the
horizon, on these sessions alone: a proof has more of them.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from benchmarks.evidence_runs import COLUMNS, FILES, LAST, prices_of

if TYPE_CHECKING:
    from model.artifact.horizon import FurtherHorizon, LinearScale
    from model.artifact.market_state import StateBranch
    from model.evaluation.volatility import FittedVolatility
    from model.market.prices import Prices, Values

OURS, ALONE, ONE = "fitted width", "its fit on the horizon alone", "its fit on one session"
STATE, GARCH, BEST = "the branch of anchored", "GARCH(1,1), Student t", "best constant"
HEAD = ("sessions ahead", "", "of the best constant", "of GARCH-t", "better on", "within 80 %", "within 95 %", "odds")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One way's forecasts of a series so many sessions ahead.

    losses:  (n,) CRPS in the unit of the prices
    within:  level in per cent -> the share of prices within the intervals
    odds:    the highest odds that were reached that it is better than every constant
    """

    losses: "Values"
    within: Mapping[int, float]
    odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchScale:
    """The market's present scale, corrected by a linear branch that was fitted to changes over the horizon."""

    branch: "StateBranch"

    def at(self, table: "Mapping[str, Values]", origins: int) -> "Values":
        """(origins,) as LinearScale has it."""
        from model.artifact.market_state import market_state
        from model.artifact.scale import MovementScale

        scale = MovementScale()
        state = market_state(table, origins, None, scale)
        return np.asarray(scale.at(table, origins) * np.exp(self.branch.correction(state)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GarchScale:
    """The deviation of the change over the horizon that a fitted GARCH expects."""

    fitted: "FittedVolatility"
    sessions: int

    def at(self, table: "Mapping[str, Values]", origins: int) -> "Values":
        """(origins,) likewise; the table has to begin where that of the fit began."""
        _, constant, reaction, memory, _ = self.fitted.parameters
        coming = self.fitted.variances(100 * np.diff(np.log(table["Close"])))
        total, expected = np.zeros(len(coming)), coming
        for _ in range(self.sessions):
            total, expected = total + expected, constant + (reaction + memory) * expected
        return np.asarray(np.sqrt(total[-origins:]) / 100)


def main() -> None:
    """Fit, forecast, and print what each way is worth at each horizon."""
    options = _options()
    prices = {ticker: prices_of(ticker, options.data) for ticker in FILES}
    series = [(ticker, column) for ticker in FILES for column in COLUMNS if column in options.columns.split(",")]
    named = [f"{ticker} {column}" for ticker, column in series]
    print(f"| {' | '.join((*HEAD, *named))} |")
    print(f"| ---: | --- |{' ---: |' * (len(HEAD) - 2 + len(named))}")
    for sessions in _numbers(options.horizon):
        found = {each: _judged(prices[each[0]], each[1], sessions, options) for each in series}
        for judged in found.values():
            judged[BEST] = judged[_best_constant(judged)]
        for way in (OURS, ALONE, ONE, STATE, GARCH, BEST):
            made = [each for each in series if way in found[each]]
            if made:
                print(f"| {' | '.join(_row(sessions, way, series, made, found))} |", flush=True)


def _row(
    sessions: int,
    way: str,
    series: Sequence[tuple[str, str]],
    made: Sequence[tuple[str, str]],
    found: Mapping[tuple[str, str], Mapping[str, Judged]],
) -> Iterator[str]:
    """One way's cells; at the end its share of the best constant's CRPS on each series."""
    shares = {each: _share(found[each], way, BEST) for each in made}
    garch = [_share(found[each], way, GARCH) for each in made if GARCH in found[each]]
    odds = sorted(found[each][way].odds for each in made)
    yield from (str(sessions), way, f"{np.mean(list(shares.values())):.4f}")
    yield f"{np.mean(garch):.4f}" if garch else "-"
    yield f"{sum(share < 1 for share in shares.values())} of {len(made)}"
    yield from (f"{100 * np.mean([found[each][way].within[level] for each in made]):.1f}" for level in (80, 95))
    yield "-" if way == BEST else f"{odds[0]:.3g} to {odds[-1]:.3g}"
    yield from (f"{shares[each]:.4f}" if each in shares else "-" for each in series)


def _share(found: Mapping[str, Judged], way: str, other: str) -> float:
    return float(found[way].losses.mean() / found[other].losses.mean())


def _best_constant(found: Mapping[str, Judged]) -> str:
    constants = [name for name in found if name.startswith("constant_")]
    return min(constants, key=lambda name: float(found[name].losses.mean()))


def _judged(prices: "Prices", column: str, sessions: int, options: argparse.Namespace) -> dict[str, Judged]:
    """Each way's forecasts of a series, and those of the constants, on the same origins."""
    from model.evaluation.distribution import crps, interval
    from model.evaluation.evidence.e_process import weigh_against

    parts = [_year(prices, column, sessions, *rows, options) for rows in _origins(prices, sessions, options)]
    actual = np.concatenate([part["actual"] for part in parts])
    made = {way: np.concatenate([part[way] for part in parts]) for way in parts[0] if way != "actual"}
    constants = {name: quantiles for name, quantiles in made.items() if name.startswith("constant_")}

    def judged(quantiles: "Values") -> Judged:
        bounds = {level: interval(quantiles, level) for level in (80, 95)}
        return Judged(
            losses=crps(actual, quantiles),
            within={level: float(((low <= actual) & (actual <= high)).mean()) for level, (low, high) in bounds.items()},
            odds=weigh_against(actual, quantiles, constants, sessions).odds,
        )

    return {way: judged(quantiles) for way, quantiles in made.items()}


def _origins(prices: "Prices", sessions: int, options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """The rows of each year's origins, from the last session before it: first, and the one after the last."""
    days = prices.sessions
    last = int(np.searchsorted(days, np.datetime64(LAST), side="right")) - sessions
    for year in range(options.first, options.last + 1):
        first, stop = (int(np.searchsorted(days, np.datetime64(f"{y}-01-01"))) - 1 for y in (year, year + 1))
        yield first, min(stop, last)


def _year(
    prices: "Prices", column: str, sessions: int, first: int, stop: int, options: argparse.Namespace
) -> "dict[str, Values]":
    """Way -> (n, len(PROBABILITIES)) of the origins from row `first` to `stop`, and the `actual` prices, (n,)."""
    from model.evaluation.baselines import naive_distributions

    train, known, n = prices.rows(0, first + 1), prices.rows(0, stop), stop - first
    table = known.table()
    made = {way: each.quantiles(column, table, n) for way, each in _ways(train, column, sessions, options).items()}
    actual = np.array(prices.column(column)[first + sessions : stop + sessions])
    return made | naive_distributions(known, column, n, sessions) | {"actual": actual}


def _ways(train: "Prices", column: str, sessions: int, options: argparse.Namespace) -> "dict[str, FurtherHorizon]":
    """Each way fitted on the training part; past errors are made anew from the prices."""
    from dataclasses import replace

    from model.forecaster.scaling import FURTHER
    from model.training import fit, objective

    ridge = objective.HORIZON_RIDGE if options.ridge is None else options.ridge
    errors = FURTHER if options.errors is None else replace(FURTHER, windows=_numbers(options.errors))
    with patch.object(objective, "HORIZON_RIDGE", ridge), patch.object(fit, "FURTHER", errors):
        ours, one = fit.fit_further(train, column, sessions), fit.fit_further(train, column, 1)
    found = {
        OURS: ours,
        ALONE: _with(ours, _alone(ours.scale, one.scale), train),
        ONE: _with(ours, one.scale, train),
        STATE: _with(ours, _branch(train, column, sessions), train),
    }
    if column == "Close" and (garch := _garch(train, sessions)) is not None:
        found[GARCH] = _with(ours, garch, train)
    return found


def _with(like: "FurtherHorizon", scale: Any, train: "Prices") -> "FurtherHorizon":
    """A horizon of another width, whose median moves in at most its own usual width."""
    from dataclasses import replace

    widths = scale.at(train.table(), len(train))
    usual = float(np.nanmedian(widths)) if np.isfinite(widths).any() else math.inf
    return replace(like, scale=scale, ordinary=usual, calibration=replace(like.calibration, days=(), errors=()))


def _alone(mean: "LinearScale", one: "LinearScale") -> "LinearScale":
    """The horizon's own fit, of whose weights and those of one session the mean is known."""
    from dataclasses import replace

    return replace(mean, weights=tuple((2 * np.array(mean.weights) - np.array(one.weights)).tolist()))


def _branch(train: "Prices", column: str, sessions: int) -> BranchScale:
    """The branch of `anchored`, fitted to the changes over the horizon that have ended in the training part."""
    from model.artifact.horizon import changes_ahead
    from model.artifact.market_state import market_state
    from model.artifact.scale import MovementScale
    from model.training.objective import fit_branch

    table, scale = train.table(), MovementScale()
    n = len(train) - sessions
    changes = changes_ahead(table, column, sessions) / scale.at(table, len(train))[:n] / math.sqrt(sessions)
    state = market_state(table, len(train), None, scale)[:n]
    there = np.isfinite(changes)
    return BranchScale(branch=fit_branch(state[there], changes[there]))


def _garch(train: "Prices", sessions: int) -> GarchScale | None:
    from model.evaluation.volatility import _fit

    fitted = _fit("GARCH", 100 * np.diff(np.log(train.column("Close"))), None)
    return None if fitted is None else GarchScale(fitted=fitted, sessions=sessions)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the prices")
    parser.add_argument("--horizon", default="1,5,21", help="how many sessions ahead, with commas between")
    parser.add_argument("--columns", default="Close,Open", help="the columns that are forecast, with commas between")
    parser.add_argument("--first", type=int, default=2018, help="the first year with origins")
    parser.add_argument("--last", type=int, default=2020, help="the last year with origins")
    parser.add_argument("--ridge", type=float, help="another penalty on the weights, for each session of the horizon")
    parser.add_argument("--errors", help="other numbers of past errors that the distributions are read from")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    main()
