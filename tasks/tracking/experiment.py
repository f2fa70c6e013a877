"""Our experiment on MLflow's pages: its description, the columns of its list of runs, and the metrics of a run."""

import json
from collections.abc import Mapping

# The type of experiment, as MLflow's own selector sets it. Some releases choose the experiment's pages by it; MLflow
# 3.17 ignores it, and uses its own switch or the `workflowType` of an address, which run_url sets.
KIND = {"mlflow.experimentKind": "custom_model_development"}
NOTE = "mlflow.note.content"
DESCRIPTION = """\
Forecasts of the next session's price, each judged against the naive forecast on sessions not used for fitting. \
A run is a training (`META Open anchored 2020-01-31`: security, column, preset, newest session known), a proof of its \
configuration on years of past sessions, the scores of a version at work, or a backtest. Read `crps_skill` first: \
above 0 the whole forecast beats the naive one; `skill` says the same of its median by RMSE. `decision` is the gate's. \
`docs/glossary.md` explains the words, and `docs/reading-a-run.md` each page and figure."""

# A shared view, as MLflow's "Share" stores it: in a tag; an address with its key opens it.
VIEW_KEY = "tomorrow"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"
# The newest session is one of them, since the names of changed presets are cut off. More would not fit a window.
COLUMNS = (
    *("metrics.`crps_skill`", "metrics.`crps`", "metrics.`rmse`"),
    *("tags.`decision`", "tags.`test.last`"),
)
# MLflow's own width, 190 pixels, cuts the date at the end of `META Open anchored 2020-01-31`. It applies the widths of
# those columns that the order names.
NAME, NAME_WIDTH = "attributes.`Run Name`", 252
VIEW = {"selectedColumns": COLUMNS, "columnOrder": [NAME], "columnWidths": {NAME: NAME_WIDTH}}

EXPERIMENT_TAGS = {**KIND, NOTE: DESCRIPTION, VIEW_TAG: json.dumps(VIEW)}

# The metrics that MLflow shows of a run: the few that a person compares, the most interesting first. All others are in
# the `results.json` of a training, the `metrics.json` of a backtest, and the evaluation of each of its origins.
SHOWN = (
    *("crps_skill", "crps", "naive_crps"),
    *("skill", "rmse", "naive_rmse", "mae"),
    *("coverage_80", "coverage_95"),
)


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of `Evaluation.metrics` that MLflow shows; an undefined one is in neither."""
    return {name: metrics[name] for name in SHOWN if name in metrics}
