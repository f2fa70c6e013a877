"""Catch up: train and forecast as of each session that was missed, oldest first."""

from dataclasses import dataclass
from datetime import date

from prefect import flow

from flows.predict import PredictReport, predict
from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from flows.runs.daily_report import report_day
from flows.runs.final_state import completed
from flows.runs.on_schedule import on_schedule
from flows.runs.story import log_missed, start_run
from flows.train import train
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest, WrittenRequest
from model.market.calendar import missed_sessions
from tasks.ledger.totals import Totals
from tasks.prefect_tasks import connect_task
from tasks.prices.request import resolve
from tasks.registry.registry import Registry
from tasks.settings import read_settings
from tasks.settings.written_config import WrittenConfig
from tasks.training.previous import trained_until


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchupReport:
    """The result of a catch-up.

    made:   the forecasts, oldest first
    passed: the missed sessions that are too old to be caught up (schedules.catch_up)
    """

    model: str
    made: tuple[PredictReport, ...]
    passed: tuple[date, ...]


@flow(
    name="catchup",
    flow_run_name="catch up {forecaster.column} of {request.ticker}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
@on_schedule
def catchup(
    request: WrittenRequest = PriceRequest(),
    forecaster: WrittenConfig = ForecasterConfig(),
    evaluation: EvaluationConfig = EvaluationConfig(),
) -> CatchupReport:
    """Make the forecasts that the ledger lacks, each as of its own session; the first time only the newest one.

    Before each forecast a version is trained as of that session, unless a newer version has trained on that day:
    comparing the two on it would be unfair. With nothing in Production, or a version that knows later sessions, the
    forecast is the best naive distribution. A session with only that forecast still counts as missed, unless a version
    has been trained as of it or later.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        forecaster: What is trained: a preset with your changes. Leave a field empty to keep the preset's.
        evaluation: Which sessions a training is judged on: the newest, or a calendar month.
    """
    start_run()
    settings, at = read_settings(), now()
    resolved = resolve(request, settings, at)
    model = settings.model_name(resolved.security.ticker, forecaster.column)
    tracking = connect_task(settings)
    registry = Registry(tracking)
    calendar = resolved.calendar
    last = resolved.until(calendar.last_completed(at))
    trained = trained_until(registry, model, calendar, last)
    made = Totals(settings.ledger_uri).as_of_days(model)
    done = {day for day, by_version in made.items() if by_version or day <= trained}
    missed = missed_sessions(calendar, done, last)
    due = missed[max(0, len(missed) - settings.schedules.catch_up) :]
    log_missed(model, due, len(missed))
    reports: list[PredictReport] = []
    for day in due:
        wanted = request.model_copy(update={"as_of": day})
        if trained_until(registry, model, calendar, day) < day:
            train(request=wanted, forecaster=forecaster, evaluation=evaluation)
        reports.append(predict(request=wanted, column=forecaster.column, or_naive=True))
    if reports:
        report_day(settings, at, tracking)
    report = CatchupReport(model=model, made=tuple(reports), passed=missed[: len(missed) - len(due)])
    left = f", {len(report.passed)} too long ago" if report.passed else ""
    return completed(report, f"{model}: sessions caught up: {len(reports)}{left}")
