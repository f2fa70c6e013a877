"""Backtest: the same forecasts at every origin of the past, beside the naive forecasts, as one report."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from flows.promote import connect
from flows.runs.artifacts import flow_run_tags
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.progress import OnFit, backtest_progress
from model.backtest.fit import Assignment, Fitted, assignment
from model.backtest.plan import BacktestConfig, Fit, plan_backtest
from model.backtest.result import BacktestResult, assemble
from model.config import ForecasterConfig, PriceRequest, WrittenConfig
from tasks.backtest.fit_pool import fitting_workers
from tasks.backtest.report import REPORT_FILE, backtest_note, log_report
from tasks.backtest.runs import BacktestRuns, log_plan, open_backtest
from tasks.prefect_tasks import start_timing, step
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings
from tasks.system.process_pool import Workers
from tasks.tracking.run import run_url

lay_out = step(plan_backtest, "plan")
setup = step(log_plan, "log setup")
put_together = step(assemble, "assemble")
report = step(log_report, "log report")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestReport:
    """What a backtest came to.

    resumed:     how many results were there before
    computed:    how many were computed now
    fit_seconds: the fits' wall times, summed over all processes
    """

    run_id: str
    run_url: str
    report_uri: str
    fetched: FetchedPrices
    result: BacktestResult
    jobs: int
    resumed: int
    computed: int
    fit_seconds: float
    seconds: dict[str, float]


def carry_out(runs: BacktestRuns, workers: Workers[Assignment, Fitted], pending: Sequence[Fit], show: OnFit) -> None:
    """Have every fit that is pending carried out, and keep what comes out of it."""
    given = [assignment(runs.plan, fit) for fit in pending]
    for done, fitted in workers.run(given, started=lambda begun: runs.start(begun.fit)):
        runs.finish(done.fit, fitted)
        show(done.fit)


fit_all = step(carry_out, "fit")


@flow(name="backtest", flow_run_name="backtest of {request.ticker}", persist_result=False)
def backtest(
    request: PriceRequest = PriceRequest(),
    backtest: BacktestConfig = BacktestConfig(),
    forecasters: tuple[WrittenConfig, ...] = (ForecasterConfig(),),
    jobs: int | None = None,
) -> BacktestReport:
    """Forecast every session of some months as if it were then, and report how good that was."""
    seconds = start_timing()
    settings, at = read_settings(), now()
    resolved = resolve(request, settings, at)
    with fitting_workers(jobs) as workers:
        fetched = fetch(resolved, settings, at, "train")
        plan = lay_out(fetched.prices, backtest, forecasters)
        tracking = connect(settings)
        with open_backtest(tracking, plan, flow_run_tags() | fetched.tags()) as runs:
            setup(runs.parent, plan)
            pending = runs.pending()
            with backtest_progress(pending) as show:
                fit_all(runs, workers, pending, show)
            result = put_together(plan, runs.done)
            report(runs.parent, result)
    run = runs.parent
    url = run_url(settings, run.experiment_id, run.run_id)
    create_link_artifact(url, link_text=f"MLflow run of the backtest of {result.subject}", key="mlflow-run")
    create_markdown_artifact(backtest_note(result), key="backtest", description=f"a backtest of {result.subject}")
    return BacktestReport(
        run_id=run.run_id,
        run_url=url,
        report_uri=f"{tracking.client.get_run(run.run_id).info.artifact_uri}/{REPORT_FILE}",
        fetched=fetched,
        result=result,
        jobs=workers.count,
        resumed=runs.resumed,
        computed=len(runs.done) - runs.resumed,
        fit_seconds=runs.fit_seconds,
        seconds=seconds,
    )
