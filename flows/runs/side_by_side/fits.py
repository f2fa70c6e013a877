"""The fits of a backtest, each a task run that Prefect's pages show."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext

from flows.runs.side_by_side.task_runs import carried_out, processes
from model.backtest.fit import assignment
from model.backtest.plan import Fit
from model.errors import TomorrowError
from tasks.backtest.runs import BacktestRuns
from tasks.prefect_tasks import fit_of_backtest_task, timed
from tasks.settings import Settings
from tasks.system.cluster.cluster import Cluster


def run_fits(
    runs: BacktestRuns,
    pending: Sequence[Fit],
    cluster: Cluster | None,
    settings: Settings,
    show: Callable[[Fit], None],
) -> int:
    """Run every pending fit, and keep its result; the first that fails ends it. Gives the number of processes.

    cluster: whose processes fit; None, or a single fit: this process
    """
    with timed("fit"), processes(cluster, settings) if cluster and len(pending) > 1 else nullcontext() as by:
        given = [
            {"name": _name(fit), "stamp": by.stamp if by else "", "given": assignment(runs.plan, fit)}
            for fit in pending
        ]
        fits = carried_out(fit_of_backtest_task, given, by, begin=lambda number: runs.start(pending[number]))
        with closing(fits):
            for number, fitted in fits:
                if isinstance(fitted, TomorrowError):
                    raise fitted
                runs.finish(pending[number], fitted)
                show(pending[number])
        return by.count() if by else 1


def _name(fit: Fit) -> str:
    what = "statistical" if fit.config is None else f"{fit.names[0]} seed {fit.seed}"
    return f"{what} {fit.origins[0].name}"
