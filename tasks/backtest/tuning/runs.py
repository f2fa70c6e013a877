"""A study in MLflow: a run, and a child run for each trial."""

import time
from collections.abc import Mapping

from model.config import ForecasterConfig
from model.evaluation.split import Split
from model.presets import preset_label
from model.tuning.trial import TrialResult
from tasks.backtest.tuning.study import Study
from tasks.tracking.client import Tracking
from tasks.tracking.experiment import shown
from tasks.tracking.provenance import training_tags
from tasks.tracking.run import TrackedRun, start_run

KIND, PARENT, STUDY = "kind", "mlflow.parentRunId", "x.tuning.study"


def study_run(
    tracking: Tracking, study: Study, split: Split, base: ForecasterConfig, tags: Mapping[str, str]
) -> TrackedRun:
    """The run of a study: that of an earlier try, set to RUNNING again, else a new one."""
    from mlflow.exceptions import MlflowException

    experiment = tracking.experiment_id()
    if study.run_id is not None:
        try:
            info = tracking.client.get_run(study.run_id).info
            tracking.client.update_run(info.run_id, status="RUNNING")
            return TrackedRun(
                tracking.client, info.run_id, experiment, info.start_time, clock=time.monotonic, every=2.0
            )
        except MlflowException:  # it was removed
            pass
    name = f"{split.prices.security.ticker} {base.column} tuning of {base.preset} up to {split.prices.last}"
    known = {**training_tags(split.prices, base), **tags, KIND: "tuning", STUDY: study.name}
    run = start_run(tracking.client, experiment, name, known)
    run.log_params({"forecaster": base.model_dump(mode="json") | {"preset": preset_label(base)}})
    run.log_datasets(split)
    study.set_run(run.run_id)
    return run


def log_trial(run: TrackedRun, study: Study, number: int, result: TrialResult, config: ForecasterConfig) -> None:
    """A trial as a child run of its study's: what it drew, how its loss went, what it came to."""
    from mlflow.entities import Metric

    state = "pruned" if result.crps is None else "judged"
    tags = {PARENT: run.run_id, KIND: "tuning trial", STUDY: study.name, "trial": state, "preset": preset_label(config)}
    with start_run(run.client, run.experiment_id, f"trial {number}", tags) as child:
        child.log_params(dict(result.values))
        at = run.client.get_run(child.run_id).info.start_time
        losses = [Metric("held_back_loss", loss, at, epoch) for epoch, loss in enumerate(result.held_back, 1)]
        run.client.log_batch(child.run_id, metrics=losses)
        child.log_metrics({**shown(result.metrics), "seconds": result.seconds})
