"""Backtest: train and forecast at past dates, and compare with the naive forecasts in one report."""

from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from flows.runs.artifacts import artifact_key, flow_run_tags
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.progress import backtest_progress
from flows.runs.series import fetch_series
from flows.runs.side_by_side.fits import run_fits
from flows.runs.story import log_backtest, start_run
from model.artifact.series_input import joined_series
from model.backtest.html_report import verdict
from model.backtest.plan import BacktestConfig
from model.backtest.result import BacktestResult
from model.config import ForecasterConfig, PriceRequest, WrittenRequest
from model.errors import masked
from tasks.backtest.report import REPORT_FILE, backtest_note
from tasks.backtest.runs import open_backtest
from tasks.prefect_tasks import assemble_task, connect_task, log_plan_task, log_report_task, plan_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings
from tasks.settings.written_config import WrittenConfigs
from tasks.system.cluster.choose import cluster_for
from tasks.system.cluster.processors import processes_to_fit
from tasks.tracking.run import run_url


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestReport:
    """The result of a backtest.

    resumed:     how many fits a previous run had computed
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


@flow(name="backtest", flow_run_name="backtest of {request.ticker}", persist_result=False)
def backtest(
    request: WrittenRequest = PriceRequest(),
    backtest: BacktestConfig = BacktestConfig(),
    forecasters: WrittenConfigs = (ForecasterConfig(),),
    jobs: int | None = None,
) -> BacktestReport:
    """Forecast every session of some months with what was known then, and report how good the forecasts were.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        backtest: Which months are forecast, how often everything is fitted again, and with how many seeds.
        forecasters: What is fitted: one or several presets, each at most once, with your changes. Leave a field empty
            to keep the preset's.
        jobs: How many processes fit at the same time. None: one for each GPU; without any, one for each processor. An
            existing Dask cluster (the key `cluster` of mlflow.yaml) has its own number.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    resolved = resolve(request, settings, at)
    with cluster_for(settings.cluster, jobs or processes_to_fit(), fits=True) as cluster:
        fetched = fetch(resolved, settings, at, "train")
        wanted = joined_series(forecaster.series for forecaster in forecasters)
        fetched = fetch_series(fetched, wanted, request, settings, at, "train")
        plan = plan_task(fetched.prices, backtest, forecasters)
        tracking = connect_task(settings)
        with open_backtest(tracking, plan, flow_run_tags() | fetched.tags()) as runs:
            log_plan_task(runs.parent, settings, plan)
            pending = runs.pending()
            with backtest_progress(pending) as show:
                processes = run_fits(runs, pending, cluster, settings, show)
            result = assemble_task(plan, runs.done)
            log_report_task(runs.parent, result)
    log_backtest(result)
    run = runs.parent
    url = run_url(settings, run.experiment_id, run.run_id)
    model, about = settings.model_name(plan.prices.security.ticker, plan.column), f"a backtest of {result.subject}"
    create_link_artifact(url, link_text=f"MLflow run of {about}", key=artifact_key("backtest-run", model))
    create_markdown_artifact(backtest_note(result), key=artifact_key("backtest", model), description=about)
    report = BacktestReport(
        run_id=run.run_id,
        run_url=url,
        report_uri=masked(f"{tracking.client.get_run(run.run_id).info.artifact_uri}/{REPORT_FILE}"),
        fetched=fetched,
        result=result,
        jobs=processes,
        resumed=runs.resumed,
        computed=len(runs.done) - runs.resumed,
        fit_seconds=runs.fit_seconds,
        seconds=seconds,
    )
    return completed(report, f"{result.subject}, {result.period}: {' '.join(map(verdict, result.presets))}")
