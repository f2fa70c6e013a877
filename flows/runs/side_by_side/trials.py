"""The trials of a tuning, each a task run that Prefect's pages show; a batch at a time."""

from collections.abc import Callable
from contextlib import closing, nullcontext

from flows.runs.side_by_side.task_runs import Processes, carried_out, processes
from model.config import ForecasterConfig
from model.errors import TomorrowError
from model.evaluation.split import Split
from model.tuning.space import with_values
from model.tuning.trial import TrialResult
from tasks.backtest.tuning.study import Study
from tasks.backtest.tuning.trial import TrialAssignment
from tasks.prefect_tasks import timed, trial_task
from tasks.settings import Settings
from tasks.system.cluster.cluster import Cluster


def run_trials(
    study: Study,
    trials: int,
    split: Split,
    base: ForecasterConfig,
    cluster: Cluster | None,
    settings: Settings,
    done: Callable[[int, TrialResult], None],
) -> int:
    """Do what is left of so many trials; the first that fails ends it. Gives the number of processes.

    done: called with each trial's number and what it came to, before that is kept
    """
    with timed("trials"), processes(cluster, settings) if cluster else nullcontext() as by:
        while asked := study.next_batch(trials):
            _run_batch(study, {each.number: with_values(base, each.values) for each in asked}, split, by, done)
            study.tell(trials)
        return by.count() if by else 1


def _run_batch(
    study: Study,
    configs: dict[int, ForecasterConfig],
    split: Split,
    by: Processes | None,
    done: Callable[[int, TrialResult], None],
) -> None:
    others = study.finished_losses()
    given = [
        {
            "name": f"trial {number}",
            "stamp": by.stamp if by else "",
            "given": TrialAssignment(split=split, config=config, others=others),
        }
        for number, config in configs.items()
    ]
    numbers = list(configs)
    results = carried_out(trial_task, given, by)
    with closing(results):
        for place, result in results:
            if isinstance(result, TomorrowError):
                raise result
            done(numbers[place], result)
            study.keep(numbers[place], result)
