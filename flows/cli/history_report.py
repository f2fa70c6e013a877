"""`tomorrow history`: what is on record of a model's stages. It needs no Prefect."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flows.runs.clock import now
from tasks.ledger.forecasts import Ledger
from tasks.registry.errors import unknown_model
from tasks.registry.registry import Registry
from tasks.registry.stage_history import StageChange, stages_at
from tasks.settings import Settings
from tasks.tracking.client import open_tracking

# The schedules run by it, and what is trained in the evening belongs to that day.
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """What is on record of a model's stages.

    on:        the day that was asked for, if one was
    changes:   every change and decision up to the end of that day, oldest first
    standing:  version -> the change that put it where it was at that time
    forecasts: version -> how many of its forecasts the ledger holds
    notes:     what was found changed by hand just now
    """

    model: str
    on: date | None
    changes: tuple[StageChange, ...]
    standing: Mapping[int, StageChange]
    forecasts: Mapping[int, int]
    notes: tuple[str, ...]

    @property
    def first(self) -> datetime | None:
        """Where the record begins."""
        return self.changes[0].at if self.changes else None


def read_history(model: str, settings: Settings, on: date | None) -> HistoryReport:
    """Read a model's history, after recording what was changed by hand in MLflow; UsageError where there is none."""
    registry = Registry(open_tracking(settings))
    at = now()
    notes = registry.settle(model, at)
    changes = registry.history.changes(model)
    if not changes and model not in registry.models():
        raise unknown_model(model, registry.models())
    until = at if on is None else end_of_day(on)
    return HistoryReport(
        model=model,
        on=on,
        changes=tuple(change for change in changes if on is None or change.at <= until),
        standing=stages_at(changes, until) if on else stages_at(changes, max((c.at for c in changes), default=at)),
        forecasts=Counter(row.version for row in Ledger(settings.ledger_uri).rows(model)),
        notes=notes,
    )


def end_of_day(day: date) -> datetime:
    """The last moment of a day in New York."""
    return datetime.combine(day + timedelta(days=1), time(), NEW_YORK) - timedelta(microseconds=1)
