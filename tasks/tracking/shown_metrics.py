"""Which metrics MLflow shows of a run: the few that a person reads and compares, in the order of their interest.

A page with forty of them hides the four that decide. A training's `results.json`, a backtest's `metrics.json` and the
evaluation kept with each of its origins hold every one.
"""

from collections.abc import Mapping

SHOWN = (
    *("crps_skill", "crps", "naive_crps"),
    *("skill", "rmse", "naive_rmse", "mae"),
    *("coverage_80", "coverage_95"),
)


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of `Evaluation.metrics` that MLflow shows; what is undefined is in neither."""
    return {name: metrics[name] for name in SHOWN if name in metrics}
