"""Asking the gate: a candidate and the version in Production, judged on the same sessions of the same prices."""

from datetime import datetime
from typing import TYPE_CHECKING

from model.errors import NothingInProduction
from model.evaluation import Evaluation
from model.forecaster import evaluate
from model.promotion import Decision, Gate, decide
from model.split import Split
from tasks.package import load_forecaster
from tasks.register import Registry
from tasks.training_run import reload_test
from tasks.version import RegisteredVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient


def ask_gate(
    client: "MlflowClient", candidate: RegisteredVersion, champion: RegisteredVersion | None, gate: Gate
) -> Decision:
    """Judge both versions on the candidate's test period, from the prices that its run kept, and decide.

    Both are loaded from the registry, as whoever forecasts with them would, so what is judged is what will forecast.
    """
    config, split = reload_test(client, candidate.run_id)
    judged = _judge(candidate, split, config.forecaster.column)
    defending = None if champion is None else _judge(champion, split, config.forecaster.column)
    return decide(judged, defending, gate)


def champion(registry: Registry, model: str, at: datetime) -> RegisteredVersion | None:
    """The version in Production at the time `at`, which a candidate has to beat; None where there is none."""
    try:
        return registry.production(model, at)
    except NothingInProduction:
        return None


def _judge(version: RegisteredVersion, split: Split, column: str) -> Evaluation:
    return evaluate(load_forecaster(version.model_uri).predict, split, column)
