"""Predict: pull the Production version, forecast the next session, write it to the ledger.

A schedule that has nothing in Production yet records the best naive distribution in its place.
"""

from dataclasses import dataclass

from prefect import flow

from flows.runs.alarms import alarm_failure
from flows.runs.artifacts import link_forecast
from flows.runs.clock import now
from flows.runs.daily_report import report_day
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.on_schedule import on_schedule
from flows.runs.series import fetch_series
from flows.runs.story import log_accepted, log_forecast, log_further, log_pulled, log_too_new, start_run
from flows.runs.wording import forecast_sentence
from model.config import Column, PriceRequest, WrittenRequest
from model.evaluation.decision import Verdict
from tasks.forecasts.make import known_later, series_of_version
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.prefect_tasks import (
    check_earlier_prices_task,
    connect_task,
    forecast_task,
    naive_forecast_task,
    pull_if_any_task,
    pull_task,
    record_forecasts_task,
)
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import read_settings


@dataclass(frozen=True, slots=True)
class ToldHorizon:
    """The forecast of a horizon, and what is known of the version's skill there; None where that was not judged."""

    row: RecordedForecast
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """A forecast as the ledger holds it.

    version: that made it; None for the naive distribution
    created: False where the ledger had it before
    further: the forecasts of the version's horizons beyond the next session
    """

    version: RegisteredVersion | None
    fetched: FetchedPrices
    forecast: RecordedForecast
    created: bool
    seconds: dict[str, float]
    further: tuple[RecordedForecast, ...] = ()

    @property
    def horizons(self) -> tuple[ToldHorizon, ...]:
        """The forecasts of every horizon, that of the next session first."""
        known = {} if self.version is None else {each.horizon: each.verdict for each in self.version.horizons}
        return tuple(ToldHorizon(row, known.get(row.horizon)) for row in (self.forecast, *self.further))


@flow(
    name="predict",
    flow_run_name="predict {column} of {request.ticker}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
@on_schedule
def predict(request: WrittenRequest = PriceRequest(), column: Column = "Open", or_naive: bool = False) -> PredictReport:
    """Forecast the session after the newest one, with the version that is in Production.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        column: The price that is forecast. The model has its name, such as META-Open.
        or_naive: With nothing in Production, or a version that knows later sessions, record the best naive
            distribution. Otherwise the run fails then.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    resolved = resolve(request, settings, at)
    model = settings.model_name(resolved.security.ticker, column)
    tracking = connect_task(settings)
    registry = Registry(tracking)
    version = pull_if_any_task(registry, model, at) if or_naive else pull_task(registry, model, at)
    log_pulled(model, version)
    fetched = fetch(resolved, settings, at, "predict")
    series, own = series_of_version(tracking, version)
    fetched = fetch_series(fetched, series, request, settings, at, "predict", own)
    accept = request.accept_restatement
    accepted = check_earlier_prices_task(tracking, model, fetched.prices, at, accept=accept, version=version)
    log_accepted(accepted)
    fetched = fetched.noted(accepted)
    if or_naive and version is not None and (later := known_later(version, fetched.prices, settings)):
        log_too_new(version, fetched.prices, later)
        version = None
    what = fetched.prices, column, settings, at, fetched.stale
    made = (naive_forecast_task(model, *what),) if version is None else forecast_task(version, *what)
    (recorded, created), *others = record_forecasts_task(Ledger(settings.ledger_uri), made)
    if recorded.version is not None and recorded.without != made[0].without:
        # The notes on the prices say what is not there now; the forecast on record was made when it was, or the other
        # way round.
        lacked = f"without {recorded.without}" if recorded.without else "with every series that its version takes"
        fetched = fetched.noted((f"the forecast on record was made {lacked}",))
    log_forecast(recorded, created=created)
    log_further(row for row, _ in others)
    link_forecast(recorded, [row for row, _ in others])
    report_day(settings, at, tracking)
    report = PredictReport(
        version=version,
        fetched=fetched,
        forecast=recorded,
        created=created,
        seconds=seconds,
        further=tuple(row for row, _ in others),
    )
    return completed(report, forecast_sentence(recorded))
