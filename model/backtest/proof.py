"""The backtest behind a proof: a configuration fitted again and again, each time on what was known then.

The sessions of a proof lie in periods of a year. Each period is forecast by one fit on all sessions before it, and each
session with what was known at the close of the session before. A new session only extends the newest period, so a
proof grows by one session a day and no part of it is computed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from model.artifact.inference import forecast
from model.artifact.recipes import ChangeRecipe, Recipe
from model.config import PRESETS, ForecasterConfig, TrainingConfig
from model.evaluation.distribution import given
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.evidence.proof import ALONE, Proof, ProofConfig
from model.evaluation.split import Split
from model.forecaster.calibration import calibrate
from model.forecaster.forecasts import Forecasts
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices, Values
from model.training.fit import train_forecaster
from model.training.fit_shared import SharedFit

NAME = "proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Sessions that one fit forecasts: rows `start` to `stop` of the prices; it is fitted on those before `start`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What one fit of a proof forecasts with.

    network:        as `model.artifact.inference.forecast` takes it
    recipe:         with the errors that were known before the period
    alone:          the recipe of the market's scale without the network; None where the recipe has no such part
    """

    network: Any
    recipe: Recipe
    alone: Recipe | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeriodForecasts:
    """The forecasts of a period's sessions, oldest first; those of its newest sessions may be missing.

    made:  the configuration's
    alone: those of the market's scale alone, without distributions where there is no such part
    """

    made: Forecasts
    alone: Forecasts

    def __len__(self) -> int:
        return len(self.made.values)


NOTHING = PeriodForecasts(made=Forecasts.points(np.empty(0)), alone=Forecasts.points(np.empty(0)))


def configuration_of(config: ForecasterConfig) -> ForecasterConfig:
    """What a proof belongs to: the configuration without its name, its seed and where its weights start.

    It is a proof of the next session's forecasts, which further horizons do not change.
    """
    usual = TrainingConfig()
    aside = {name: getattr(usual, name) for name in ("seed", "warm_start", "cold_start_every")}
    training = config.training.model_copy(update=aside)
    return config.model_copy(update={"preset": NAME, "horizon": (1,), "training": training})


def is_preset(config: ForecasterConfig) -> bool:
    """Whether a configuration is one of the built-in presets, whatever its column, name and seed."""
    ours = configuration_of(config).model_copy(update={"column": "Open"})
    return any(ours == configuration_of(known).model_copy(update={"column": "Open"}) for known in PRESETS.values())


def first_row(prices: Prices, config: ForecasterConfig, wanted: ProofConfig, first: date | None = None) -> int | None:
    """The row of the first session of a proof; None where the prices are too few for any.

    first: the first session of the proof that exists: it begins there again, or not at all
    """
    least = max(wanted.history, sessions_needed(config) + 1)
    row = max(least, len(prices) - wanted.sessions)
    if first is not None:
        row = int(np.searchsorted(prices.sessions, np.datetime64(first)))
    return row if least <= row < len(prices) else None


def periods(prices: Prices, start: int, wanted: ProofConfig) -> tuple[Period, ...]:
    """The periods of a proof that begins with a row, in the order of time; the newest may be shorter."""
    return tuple(
        Period(start=row, stop=min(row + wanted.refit_every, len(prices)))
        for row in range(start, len(prices), wanted.refit_every)
    )


def fit_period(prices: Prices, period: Period, config: ForecasterConfig, shared: SharedFit | None = None) -> Fitted:
    """Fit on the sessions before a period, with the shared network where the configuration has one."""
    train = prices.rows(0, period.start)
    fitted = train_forecaster(train, config, shared=shared)
    return fitted_of(fitted.predictor, fitted.recipe, train)


def fitted_of(network: Any, recipe: Recipe, train: Prices) -> Fitted:
    """What a fit on `train` forecasts with, from its network and recipe."""
    alone = None
    if isinstance(recipe, ChangeRecipe):
        alone = calibrate(_Silent(), replace(recipe, branch=None), train)
    return Fitted(network=network, recipe=recipe, alone=alone)


def forecast_period(fitted: Fitted, prices: Prices, period: Period, done: PeriodForecasts = NOTHING) -> PeriodForecasts:
    """The forecasts of a period's sessions: those that are `done`, and the others made now."""
    missing = period.stop - period.start - len(done)
    if not missing:
        return done
    known = prices.rows(0, period.stop - 1)
    table, following = known.table(), known.following_day
    made = Forecasts.from_columns(forecast(fitted.network, fitted.recipe, table, missing, following))
    alone = Forecasts.points(made.values)
    if fitted.alone is not None:
        alone = Forecasts.from_columns(forecast(_Silent(), fitted.alone, table, missing, following))
    return PeriodForecasts(made=_joined(done.made, made), alone=_joined(done.alone, alone))


def compared(prices: Prices, start: int, config: ForecasterConfig) -> Evaluation:
    """What sessions from row `start` on are judged beside: actual prices and naive forecasts, with none of ours."""
    split = Split(prices=prices, train=prices.rows(0, start), n_test=len(prices) - start)
    return evaluate(lambda _, origins: np.zeros(origins), split, config.column)


def assemble_proof(
    prices: Prices,
    start: int,
    found: Sequence[PeriodForecasts],
    config: ForecasterConfig,
    tried: int,
    beside: Evaluation | None = None,
) -> Proof:
    """The proof from its periods' forecasts, from row `start` on, with the actual prices and the naive forecasts.

    beside: these, as `compared` gives them, of these sessions and perhaps later ones; else they are made now
    """
    made = _joined(*(period.made for period in found))
    alone = _joined(*(period.alone for period in found))
    n = len(made.values)
    quantiles = np.where(given(made.quantiles)[:, np.newaxis], made.quantiles, np.nan)
    beside = beside or compared(prices.rows(0, start + n), start, config)
    judged = replace(beside.part(slice(n)), forecast=made.values, quantiles=quantiles)
    if bool(np.isfinite(alone.quantiles).any()):
        judged = replace(judged, statistical_quantiles={ALONE: alone.quantiles})
    return Proof(judged=judged, tried=tried)


class _Silent:
    """A network whose outputs are 0: no correction of the scale, and no shift."""

    each_by_itself = True

    def predict_on_batch(self, windows: Values) -> Values:
        return np.zeros((len(windows), 2))


def _joined(*parts: Forecasts) -> Forecasts:
    return Forecasts(
        values=np.concatenate([part.values for part in parts]),
        quantiles=np.concatenate([part.quantiles for part in parts]),
    )
