"""The parent run of a backtest: opened, or taken over from an earlier try; and what it logs before any fit."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from model.backtest.fit import period_split
from model.backtest.plan import Plan
from model.evaluation.split import Split
from model.presets import SHORT, preset_label
from tasks.settings import Settings
from tasks.tracking.provenance import training_tags
from tasks.tracking.run import TrackedRun, start_run
from tasks.tracking.run_inputs import log_prices

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY, KIND = "x.backtest.key", "backtest.kind"


def parent_run(client: "MlflowClient", experiment: str, plan: Plan, key: str, tags: Mapping[str, str]) -> TrackedRun:
    """The run of an earlier try with the same plan, set to RUNNING again; else a new one."""
    filter_ = f"tags.`{KEY}` = '{key}' and tags.`{KIND}` = 'backtest'"
    previous = client.search_runs([experiment], filter_, max_results=1, order_by=["attributes.start_time DESC"])
    if previous:
        info = previous[0].info
        client.update_run(info.run_id, status="RUNNING")
        run = TrackedRun(client, info.run_id, experiment, info.start_time, clock=time.monotonic, every=2.0)
        run.set_tags(tags)
        return run
    names = "; ".join(preset_label(config) for config in plan.forecasters)
    short = "; ".join(preset_label(config, SHORT) for config in plan.forecasters)
    first, last = plan.origins[0].name, plan.config.last
    return start_run(
        client,
        experiment,
        f"{plan.prices.security.ticker} {plan.column} backtest {first} to {last}: {short}",
        {**training_tags(plan.prices, plan.forecasters[0]), "preset": names, KIND: "backtest", KEY: key, **tags},
    )


def log_plan(run: TrackedRun, settings: Settings, plan: Plan) -> None:
    """Log what is known before any fit; values that an earlier try has logged are unchanged."""
    presets = {config.preset: config for config in plan.forecasters}
    run.log_params({"backtest": plan.config.model_dump(mode="json")})
    run.log_params(
        {name: config.model_dump(mode="json") | {"preset": preset_label(config)} for name, config in presets.items()}
    )
    run.log_datasets(whole_split(plan))
    log_prices(run, settings, plan.prices)


def whole_split(plan: Plan) -> Split:
    """One split: all forecast sessions as the test period, all sessions before them as the training part."""
    first, last = plan.origins[0], plan.origins[-1]
    return period_split(plan.prices, replace(first, stop=last.stop))
