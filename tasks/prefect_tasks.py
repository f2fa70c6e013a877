"""Every Prefect task of the product, in one list: its work, its name, its tags; only the fetch of prices is retried.

The work itself is in the packages that are imported here. No task caches or persists its result: results hold arrays
and networks, and Prefect would pickle those. A task has a tag where users may want to limit how many run at once
(`prefect concurrency-limit create yahoo 1`); each tag costs a request to the server. For one of several securities the
whole work is one task run, and the steps are plain calls.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from prefect import Task, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from model.backtest.fit import Assignment, Fitted
from model.backtest.plan import plan_backtest
from model.backtest.result import assemble
from model.errors import TomorrowError, masked
from model.evaluation.evaluation import evaluate
from model.evaluation.split import split_prices
from model.training.fit import train_forecaster
from model.training.fit_shared import fit_shared
from model.tuning.trial import TrialResult
from tasks.backtest.afresh import fit_afresh
from tasks.backtest.better_with import proven_better_with
from tasks.backtest.parent_run import log_plan
from tasks.backtest.report import log_report
from tasks.backtest.shared_networks import keep_fit, shared_fit
from tasks.backtest.tuning.trial import TrialAssignment, try_configuration
from tasks.forecasts.make import make_forecasts, make_naive_forecast
from tasks.forecasts.outcomes import find_outcomes
from tasks.forecasts.scoring import score_forecasts
from tasks.ledger.forecasts import Ledger
from tasks.operations.cleanup import remove_expired
from tasks.operations.expired import find_expired
from tasks.operations.old_runs import mark_lasting
from tasks.operations.run_log import set_up_log
from tasks.prices.fetch import FetchedPrices, fall_back, fetch_prices
from tasks.prices.retry import next_wait, patiently
from tasks.registry.gate import ask_gate, champion, prove_versions
from tasks.registry.proof_record import record_further, record_proof
from tasks.registry.registry import Registry, compare_stages
from tasks.serving.report.write import write_after_run
from tasks.settings import RetrySettings, Settings
from tasks.system import durations
from tasks.system.cluster.one_of_several import is_one_of_several, one_of_several
from tasks.system.disk_errors import fault_of_ours, storage_fault
from tasks.system.keras_backend import load_backend
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.model_artifact import log_forecaster
from tasks.training.earlier_prices import check_earlier_prices
from tasks.training.list_proof import judge_list, record_list
from tasks.training.previous import find_previous
from tasks.training.run import log_results, log_setup, register_trained
from tasks.training.warm_start import choose_start

P = ParamSpec("P")
R = TypeVar("R")

# The store that this process has opened for one of several securities, and for which command.
_opened: list[Tracking] = []
_worked_for = ""
_seconds: ContextVar[dict[str, float]] = ContextVar("seconds")


def start_timing() -> dict[str, float]:
    """A new table, step -> seconds, filled in as this flow's steps end."""
    seconds: dict[str, float] = {}
    _seconds.set(seconds)
    return seconds


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Add the block's wall time to the flow's table of seconds by step.

    Errors of memory, disks and servers are raised as ConfigurationError; an unexpected one whose text holds a password
    as a TomorrowError that masks it.
    """
    start = time.perf_counter()
    try:
        yield
    except Exception as error:
        fault: TomorrowError | None = storage_fault(error)
        if fault is None and not isinstance(error, TomorrowError) and masked(str(error)) != str(error):
            # Prefect keeps the text of a run's error in its database, and shows it.
            fault = fault_of_ours(error)
        if fault is None:
            raise
        raise fault from error
    finally:
        seconds = _seconds.get()
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start


class Step(Task[P, R]):
    """A task that is a plain call for one of several securities."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override] # Prefect's has overloads
        """Run it: as a task run, or plainly."""
        return self.fn(*args, **kwargs) if is_one_of_several() else super().__call__(*args, **kwargs)


def step(work: Callable[P, R], name: str, *tags: str) -> Step[P, R]:
    """A function as a task of that name, timed."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with timed(name):
            return work(*args, **kwargs)

    return Step(run, name=name, tags=tags, cache_policy=NO_CACHE, persist_result=False)


def connect(settings: Settings) -> Tracking:
    """The tracking store; a deployment's run waits longer for a server than a command does.

    For one of several securities it is the one that was opened for the security before.
    """
    if is_one_of_several():
        if not _opened or _opened[0].settings != settings:
            _opened[:] = [open_tracking(settings)]
        return _opened[0]
    return open_tracking(settings, durations.REACH if runtime.deployment.id is None else durations.RIDE_OUT)


# Prices.
fetch_task = step(fetch_prices, "fetch", "yahoo")
fall_back_task = step(fall_back, "use the last good snapshot")
check_earlier_prices_task = step(check_earlier_prices, "compare with earlier prices")

# Training.
split_task = step(split_prices, "split")
load_backend_task = step(load_backend, "load backend")
find_previous_task = step(find_previous, "find previous training")
log_setup_task = step(log_setup, "log setup")
choose_start_task = step(choose_start, "choose start")
shared_fit_task = step(shared_fit, "find shared network")
fit_task = step(train_forecaster, "fit", "fit")
evaluate_task = step(evaluate, "evaluate")
package_task = step(log_forecaster, "package")
log_results_task = step(log_results, "log results")
register_task = step(register_trained, "register")

# The network that several securities share.
fit_shared_task = step(fit_shared, "fit shared", "fit")
keep_fit_task = step(keep_fit, "keep fit")
judge_list_task = step(judge_list, "judge list")
record_list_task = step(record_list, "log proof of list")

# The registry.
connect_task = step(connect, "connect")
prove_task = step(prove_versions, "prove", "fit")
proven_better_task = step(proven_better_with, "prove with and without series", "fit")
record_proof_task = step(record_proof, "log proof")
record_further_task = step(record_further, "log proofs of further horizons")
ask_gate_task = step(ask_gate, "ask the gate")
move_task = step(Registry.move, "move")
record_decision_task = step(Registry.record, "record")
decide_task = step(Registry.decide, "decide")
begin_anew_task = step(Registry.begin_anew, "begin anew")
roll_back_task = step(Registry.roll_back, "roll back")

# The forecasts of the next session and of further ones.
pull_task = step(Registry.production, "pull")
pull_if_any_task = step(champion, "pull")
forecast_task = step(make_forecasts, "forecast")
naive_forecast_task = step(make_naive_forecast, "forecast")
record_forecasts_task = step(Ledger.append_all, "record")

# What happened then.
find_outcomes_task = step(find_outcomes, "look up what happened")
fill_in_task = step(Ledger.fill_in, "fill in")
score_task = step(score_forecasts, "score")

# The report of the day.
report_task = step(write_after_run, "report")

# The backtest.
plan_task = step(plan_backtest, "plan")
log_plan_task = step(log_plan, "log setup")
assemble_task = step(assemble, "assemble")
log_report_task = step(log_report, "log report")


@task(name="fit", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def fit_of_backtest_task(name: str, stamp: str, given: Assignment) -> Fitted:  # noqa: ARG001 - the name is the task run's
    """One fit of a backtest, by a worker of a cluster or by this process."""
    _work_for(stamp)
    return fit_afresh(given)


# A tuning.
@task(name="trial", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def trial_task(name: str, stamp: str, given: TrialAssignment) -> TrialResult:  # noqa: ARG001 - the name is the task run's
    """One trial of a tuning, by a worker of a cluster or by this process."""
    _work_for(stamp)
    return try_configuration(given)


# Several securities.
@task(name="security", task_run_name="{ticker}", cache_policy=NO_CACHE, persist_result=False)
def security_task(ticker: str, stamp: str, work: Callable[[Any], R], given: Any) -> R:  # noqa: ARG001 - as above
    """What a command does for one of several securities, by a worker of a cluster or by this process."""
    _work_for(stamp)
    with one_of_several():
        return work(given)


def _work_for(stamp: str) -> None:
    """Have a worker know what its task's command has handed over; this process knows it without a stamp."""
    global _worked_for
    set_up_log()
    if stamp:
        from tasks.system.cluster.handover import take_up

        take_up(stamp)
    if stamp != _worked_for:  # another command: its stores may have been made anew
        _opened.clear()
        _worked_for = stamp


# Housekeeping.
compare_task = step(compare_stages, "compare")
find_expired_task = step(find_expired, "find")
mark_lasting_task = step(mark_lasting, "mark")
remove_task = step(remove_expired, "remove")


def patient_fetch_task(retries: RetrySettings) -> Callable[..., FetchedPrices]:
    """The fetch with its retries; a deployment's run waits longer between them than a command does."""
    if is_one_of_several():
        return lambda *given: patiently(lambda: fetch_task(*given), retries)
    scheduled = runtime.deployment.id is not None
    retried = 0

    def again(patient: Task[..., Any], _: TaskRun, state: State[Any]) -> bool:
        nonlocal retried
        error: object = state.data
        wait = next_wait(error, retried, retries, scheduled=scheduled)
        if wait is None:
            return False
        retried += 1
        # Prefect has one delay for all errors, and reads it after this call.
        patient.retry_delay_seconds = [wait]
        return True

    return fetch_task.with_options(retries=3, retry_condition_fn=again)
