"""One flow run for several securities: a task run for each, whose failure is its own."""

from contextlib import nullcontext
from typing import Any

from prefect import flow, runtime
from prefect.logging import get_run_logger

from flows.runs.clock import now
from flows.runs.daily_report import report_day
from flows.runs.final_state import completed
from flows.runs.side_by_side.errand import Errand, on, present_errand
from flows.runs.side_by_side.task_runs import carried_out, processes
from flows.runs.story import start_run
from model.errors import TomorrowError
from tasks.prefect_tasks import connect_task, security_task
from tasks.settings import read_settings

# The commands that change what the daily report shows.
REPORTED = ("predict", "score", "catchup")


def do_for_each(command: str, errand: Errand) -> list[Any]:
    """What the errand came to for each security, in the order given; a TomorrowError where it failed."""
    with on(errand):
        return several(command, list(errand.given))


def _run_name() -> str:
    given = runtime.flow_run.parameters
    return f"{given['command']} {len(given['tickers'])} securities"


@flow(name="several securities", flow_run_name=_run_name, persist_result=False)
def several(command: str, tickers: list[str]) -> list[Any]:
    """Do for each of several securities what the command does for one; a task run for each.

    Args:
        command: The command.
        tickers: The securities.
    """
    start_run()
    errand = present_errand()
    with processes(errand.cluster, read_settings()) if errand.cluster else nullcontext() as by:
        given = [
            {"ticker": ticker, "stamp": by.stamp if by else "", "work": errand.work, "given": errand.given[ticker]}
            for ticker in tickers
        ]
        found: dict[int, Any] = {}
        for number, outcome in carried_out(security_task, given, by, errand.begin):
            found[number] = outcome
            errand.done(tickers[number])
    if command in REPORTED:
        _report()
    failed = sum(isinstance(outcome, TomorrowError) for outcome in found.values())
    results = [found[number] for number in range(len(tickers))]
    return completed(results, f"{len(tickers) - failed} of {len(tickers)} securities done")


def _report() -> None:
    """Write the report of the day; that MLflow cannot be reached undoes nothing of what was done."""
    settings = read_settings()
    try:
        report_day(settings, now(), connect_task(settings))
    except TomorrowError as error:
        get_run_logger().warning(f"The daily report was not written: {error}")
