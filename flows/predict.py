"""Predict: pull the Production version, forecast the next session, write it to the ledger."""

from dataclasses import dataclass

from prefect import flow

from flows.alarms import alarm_failure
from flows.clock import now
from flows.fetching import fetch
from flows.links import link_forecast
from flows.promote import connect
from flows.schedule import on_schedule
from flows.steps import start_timing, step
from model.config import Column, PricesConfig
from tasks.fetch import wanted_security
from tasks.forecast import make_forecast
from tasks.obtain import Obtained
from tasks.record import Ledger, RecordedForecast
from tasks.register import Registry
from tasks.settings import read_settings
from tasks.version import RegisteredVersion

pull = step(Registry.production, "pull")
forecast = step(make_forecast, "forecast")
record = step(Ledger.append, "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """A forecast as the ledger holds it; `created` is False where it was made before."""

    version: RegisteredVersion
    obtained: Obtained
    forecast: RecordedForecast
    created: bool
    seconds: dict[str, float]


@flow(
    name="predict",
    flow_run_name="predict {column} of {prices.ticker}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
@on_schedule
def predict(prices: PricesConfig = PricesConfig(), column: Column = "Open") -> PredictReport:
    """Forecast the session after the newest one, with the version that is in Production."""
    seconds = start_timing()
    settings = read_settings()
    at = now()
    model = settings.model_name(wanted_security(prices, settings).ticker, column)
    version = pull(Registry(connect(settings), settings), model, at)
    obtained = fetch(prices, settings, at, "predict")
    made = forecast(version, obtained.prices, column, settings, at, obtained.stale)
    recorded, created = record(Ledger(settings.ledger_uri), made)
    link_forecast(recorded)
    return PredictReport(
        version=version,
        obtained=obtained,
        forecast=recorded,
        created=created,
        seconds=seconds,
    )
