"""An overview of versions in Production and of the ledger's forecasts; it makes no database that is missing."""

from dataclasses import dataclass, fields
from datetime import datetime

from model.errors import ConfigurationError, NothingInProduction
from tasks.forecasts.kept_figures import Figures, KeptFigures, total_of
from tasks.forecasts.summary import cone_of, newest_of, summarise
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.totals import Total, Totals
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import Address, Settings
from tasks.tracking.client import open_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastOverview(Figures):
    """A model's forecasts: how many were made, the newest, and the figures of those that count.

    cone: the forecasts of later sessions that were made with the newest one, the nearest first
    """

    model: str
    forecasts: int
    newest: RecordedForecast
    cone: tuple[RecordedForecast, ...]


def in_production(settings: Settings, at: datetime) -> dict[str, RegisteredVersion | None]:
    """Registered model -> its version in Production, or None where there is none. `at`: the time now."""
    if not _is_there(settings.tracking_uri):
        return {}
    registry = Registry(open_tracking(settings))
    found: dict[str, RegisteredVersion | None] = {}
    for model, view in registry.views(registry.states()).items():
        try:
            found[model] = registry.production(model, at, view)
        except NothingInProduction:
            found[model] = None
    return found


def forecast_overviews(settings: Settings) -> tuple[ForecastOverview, ...]:
    """The overview of each model; its forecasts are read only if a price was filled in since the last time."""
    return OverviewReader(settings).read()


class OverviewReader:
    """Reads the overviews again and again: those of models whose forecasts are unchanged are kept in memory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[Total, ForecastOverview] = {}

    def read(self) -> tuple[ForecastOverview, ...]:
        """The overview of each model, by name."""
        if not self._known and not _is_there(self._settings.ledger_uri):
            return ()
        check_there(self._settings.ledger_uri, "the ledger")
        ledger, totals = Ledger(self._settings.ledger_uri), Totals(self._settings.ledger_uri)
        kept = KeptFigures(self._settings, totals.place)
        self._known = {total: self._known.get(total) or self._read(total, ledger, kept) for total in totals.by_model()}
        return tuple(self._known.values())

    def _read(self, total: Total, ledger: Ledger, kept: KeptFigures) -> ForecastOverview:
        figures = kept.read(total)
        if figures is None:
            rows = ledger.rows(total.model, horizon=None)
            summary = summarise(total.model, rows, self._settings.gate.min_evidence)
            figures = Figures.of(summary)
            kept.write(total_of(summary), figures)
        newest = newest_of(ledger.of_newest_session(total.model))
        cone = cone_of(newest, ledger.further(total.model, newest.as_of)) if total.further else ()
        given = {each.name: getattr(figures, each.name) for each in fields(Figures)}
        given["level"] = newest.level if figures.level is None else figures.level
        return ForecastOverview(model=total.model, forecasts=total.forecasts, newest=newest, cone=cone, **given)


def check_there(uri: Address, named: str) -> None:
    """ConfigurationError where a database that was there before is gone; opening an SQLite file would make it anew."""
    if not _is_there(uri):
        raise ConfigurationError(
            f"{named} {uri.file}",
            have="the file is gone",
            need="the file that was there before",
            remedy="put it back, or a copy of it (docs/operations.md, Backup and restore)",
        )


def _is_there(uri: Address) -> bool:
    """Whether a database exists; opening an SQLite file that is missing would make it."""
    return uri.file is None or uri.file.exists()
