"""What the tests of backtests share: a plan of three months, and fits that cost nothing."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model.backtest.fit import Fitted, period_split
from model.backtest.plan import BacktestConfig, Fit, Key, Plan, plan_backtest
from model.config import ForecasterConfig
from model.evaluation.evaluation import Evaluation, evaluate
from model.market.prices import Prices
from tasks.backtest.evaluation_file import evaluation_json
from tasks.backtest.runs import PARENT, BacktestRuns
from tests.distributions import around
from tests.market import make_prices

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PRICES = make_prices(400)
LAST_OF_MARCH = int(np.searchsorted(PRICES.sessions, np.datetime64("2020-04-01")))


def plan(prices: Prices = PRICES, presets: tuple[str, ...] = ("tutorial",), **options: Any) -> Plan:
    config = BacktestConfig.model_validate({"first": "2020-01", "last": "2020-03", "seeds": 2, **options})
    return plan_backtest(prices, config, [ForecasterConfig(preset=name) for name in presets])


def fitted(made: Plan, fit: Fit) -> Fitted:
    """A fit that says yesterday's Close and its seed in cents, with intervals of a dollar around."""
    evaluations = {}
    for key, origin in zip(fit.keys, fit.origins, strict=True):
        split = period_split(made.prices, origin)
        said = evaluate(lambda known, n: known.column("Close")[-n:] + fit.seed / 100, split, "Open")
        evaluations[key] = replace(said, quantiles=around(said.forecast, 1.0, 2.0))
    return Fitted(evaluations=evaluations, losses=(0.5, 0.1 + 0.2), fit_seconds=1.5)


def carry_out(runs: BacktestRuns, most: int | None = None) -> list[Key]:
    """Carry out what is pending, or some of it; what was computed."""
    computed: list[Key] = []
    for fit in runs.pending()[:most]:
        runs.start(fit)
        runs.finish(fit, fitted(runs.plan, fit))
        computed += fit.keys
    return computed


def children(client: "MlflowClient", parent: str) -> "list[Run]":
    experiment = client.get_run(parent).info.experiment_id
    return list(client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'", max_results=1000))


def same(one: Evaluation, two: Evaluation) -> bool:
    return evaluation_json(one) == evaluation_json(two)
