"""Predict: pull the Production version, forecast the next session, write it to the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime

from prefect import flow

from flows.links import link_forecast
from flows.promote import connect
from flows.steps import start_timing, step
from model.config import Column, PricesConfig
from tasks.fetch import fetch_prices, wanted_security
from tasks.forecast import make_forecast
from tasks.record import Ledger, RecordedForecast
from tasks.register import Registry
from tasks.settings import read_settings
from tasks.version import RegisteredVersion

fetch = step(fetch_prices, "fetch")
pull = step(Registry.production, "pull")
forecast = step(make_forecast, "forecast")
record = step(Ledger.append, "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """A forecast as the ledger holds it; `created` is False where it was made before."""

    version: RegisteredVersion
    forecast: RecordedForecast
    created: bool
    seconds: dict[str, float]


@flow(name="predict", flow_run_name="predict {column} of {prices.ticker}", persist_result=False)
def predict(prices: PricesConfig = PricesConfig(), column: Column = "Open") -> PredictReport:
    """Forecast the session after the newest one, with the version that is in Production."""
    seconds = start_timing()
    settings = read_settings()
    now = datetime.now(UTC)
    model = settings.model_name(wanted_security(prices, settings).ticker, column)
    version = pull(Registry(connect(settings), settings), model)
    made = forecast(version, fetch(prices, settings, now), column, settings, now)
    recorded, created = record(Ledger(settings.ledger_uri), made)
    link_forecast(recorded)
    return PredictReport(version=version, forecast=recorded, created=created, seconds=seconds)
