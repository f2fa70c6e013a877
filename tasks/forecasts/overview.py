"""What there is: versions in Production, and the ledger's forecasts; looked at, and never made."""

from datetime import datetime

from model.errors import NothingInProduction
from tasks.forecasts.summary import ForecastSummary, summarise
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import Address, Settings
from tasks.tracking.client import open_tracking


def in_production(settings: Settings, at: datetime) -> dict[str, RegisteredVersion | None]:
    """The version in Production of each registered model at the time `at`, which is now; None where there is none."""
    if not _is_there(settings.tracking_uri):
        return {}
    registry = Registry(open_tracking(settings))
    found: dict[str, RegisteredVersion | None] = {}
    for model in registry.models():
        try:
            found[model] = registry.production(model, at)
        except NothingInProduction:
            found[model] = None
    return found


def forecast_summaries(settings: Settings) -> tuple[ForecastSummary, ...]:
    """How the forecasts of each model have done."""
    if not _is_there(settings.ledger_uri):
        return ()
    by_model: dict[str, list[RecordedForecast]] = {}
    for row in Ledger(settings.ledger_uri).rows():
        by_model.setdefault(row.model, []).append(row)
    needed = settings.gate.min_evidence
    return tuple(summarise(model, rows, needed) for model, rows in sorted(by_model.items()))


def _is_there(uri: Address) -> bool:
    """Whether a database is there to be asked: a file is not made by looking."""
    return uri.file is None or uri.file.exists()
