"""The fits of a backtest, each a task run that Prefect's pages show, carried out by processes of our own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from prefect.futures import PrefectFuture

from model.backtest.fit import Assignment, Fitted, assignment
from model.backtest.plan import Fit
from tasks.backtest.runs import BacktestRuns
from tasks.prefect_tasks import timed, wait_for_fit_task
from tasks.system.process_pool import Workers


def run_fits(
    runs: BacktestRuns, workers: Workers[Assignment, Fitted], pending: Sequence[Fit], show: Callable[[Fit], None]
) -> None:
    """Run every pending fit, and keep its result.

    This thread waits for the processes, and each task run's own thread for its future, so that only this thread ever
    has to be interrupted.
    """
    waiting: dict[Assignment, Future[None]] = {}
    task_runs: list[PrefectFuture[None]] = []

    def start(begun: Assignment) -> None:
        runs.start(begun.fit)
        waiting[begun] = Future()
        task_runs.append(wait_for_fit_task.submit(_name(begun.fit), waiting[begun]))

    with timed("fit"):
        try:
            for ready, fitted in workers.run([assignment(runs.plan, fit) for fit in pending], started=start):
                runs.finish(ready.fit, fitted)
                waiting.pop(ready).set_result(None)
                show(ready.fit)
        except Exception as error:
            for failed in waiting.values():
                failed.set_exception(error)
            waiting.clear()
            raise
        finally:
            for stopped in waiting.values():
                stopped.cancel()
            for task_run in task_runs:
                task_run.wait()


def _name(fit: Fit) -> str:
    what = "statistical" if fit.config is None else f"{fit.names[0]} seed {fit.seed}"
    return f"{what} {fit.origins[0].name}"
