"""What a configuration forecast in backtests: more sessions to judge a version on than its own test period has."""

from typing import TYPE_CHECKING

import numpy as np

from model.backtest.plan import EXPANDING, Key, Plan, with_seed
from model.config import ForecasterConfig
from model.evaluation.evaluation import Evaluation, join
from model.market.prices import Prices
from tasks.backtest.cache_key import evidence_key
from tasks.backtest.evaluation_file import stored_evaluation

if TYPE_CHECKING:
    from mlflow import MlflowClient


EVIDENCE = "backtest.evidence"


def evidence_tags(plan: Plan, key: Key) -> dict[str, str]:
    """The tag by which the gate finds an origin's forecasts, where a training would have made the same forecaster."""
    for config in plan.forecasters:
        if config.preset == key.forecaster and plan.config.window == EXPANDING and not config.training.warm_start:
            return {EVIDENCE: evidence_key(plan.prices.security.ticker, with_seed(config, key.seed))}
    return {}


def past_origins(
    client: "MlflowClient", experiment_id: str, config: ForecasterConfig, known: Prices, most: int
) -> Evaluation | None:
    """The newest forecasts of a configuration within `known` prices, of whole origins, until there are `most` sessions.

    Only what was forecast of these very prices counts, by the code of today; None where there is nothing.
    """
    taken: list[Evaluation] = []
    key = evidence_key(known.security.ticker, config)
    runs = client.search_runs(
        [experiment_id],
        f"tags.`{EVIDENCE}` = '{key}' and attributes.status = 'FINISHED'",
        order_by=["params.origin DESC", "attributes.start_time DESC"],
    )
    for run in runs:
        if sum(len(part.sessions) for part in taken) >= most:
            break
        found = stored_evaluation(run)
        if found is not None and _is_of(found, known, config.column) and not _overlaps(found, taken):
            taken.append(found)
    return join(sorted(taken, key=lambda part: part.sessions[0])) if taken else None


def _is_of(evaluation: Evaluation, known: Prices, column: str) -> bool:
    """Whether all its sessions are among those known, with the same prices."""
    rows = np.searchsorted(known.sessions, evaluation.sessions)
    if rows[-1] >= len(known):
        return False
    same = np.array_equal(known.sessions[rows], evaluation.sessions)
    return same and np.array_equal(known.column(column)[rows], evaluation.actual)


def _overlaps(evaluation: Evaluation, others: list[Evaluation]) -> bool:
    return any(np.isin(evaluation.sessions, other.sessions).any() for other in others)
