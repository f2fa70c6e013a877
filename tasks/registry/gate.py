"""Asking the gate: a candidate and the version in Production, judged on the same sessions of the same prices."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from model.errors import NothingInProduction
from model.evaluation.evaluation import Evaluation, evaluate, join
from model.evaluation.gate import Decision, Gate, decide
from model.evaluation.split import Split
from tasks.backtest.gate_evidence import past_origins
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.tracking.model_artifact import load_forecaster
from tasks.tracking.run_inputs import reload_test, run_config

if TYPE_CHECKING:
    from mlflow import MlflowClient


def ask_gate(
    client: "MlflowClient", candidate: RegisteredVersion, champion: RegisteredVersion | None, gate: Gate
) -> Decision:
    """Judge both versions on the candidate's test period, from the prices that its run kept, and decide.

    Both are loaded from the registry, as whoever forecasts with them would, so what is judged is what will forecast.
    Where backtests have shown what both configurations forecast before, these sessions count, too.
    """
    config, split = reload_test(client, candidate.run_id)
    judged = [_judge(version, split, config.forecaster.column) for version in (candidate, champion) if version]
    before = _forecast_before(client, [version for version in (candidate, champion) if version], split, gate)
    if before:
        judged = [join(parts) for parts in zip(before, judged, strict=True)]
    past = len(before[0].sessions) if before else 0
    return decide(judged[0], judged[1] if champion else None, gate, past)


def champion(registry: Registry, model: str, at: datetime) -> RegisteredVersion | None:
    """The version in Production at the time `at`, which a candidate has to beat; None where there is none."""
    try:
        return registry.production(model, at)
    except NothingInProduction:
        return None


def _forecast_before(
    client: "MlflowClient", versions: Sequence[RegisteredVersion], split: Split, gate: Gate
) -> list[Evaluation]:
    """What backtests of the versions' configurations forecast before the test period, of the sessions all of them have.

    A version itself can be judged on no session that it was fitted on. Empty where there is nothing to compare.
    """
    if not gate.backtest_sessions:
        return []
    found = []
    for version in versions:
        run = client.get_run(version.run_id)
        config = run_config(client, version.run_id).forecaster
        past = past_origins(client, run.info.experiment_id, config, split.train, gate.backtest_sessions)
        if past is None:
            return []
        found.append(past)
    common = functools.reduce(np.intersect1d, [past.sessions for past in found])
    return [past.part(np.isin(past.sessions, common)) for past in found] if len(common) else []


def _judge(version: RegisteredVersion, split: Split, column: str) -> Evaluation:
    return evaluate(load_forecaster(version.model_uri).predict, split, column)
