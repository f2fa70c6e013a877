"""What there is: versions in Production, and the ledger's forecasts; looked at, and never made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from model.errors import NothingInProduction
from model.evaluation.track_record import TrackRecord, track_record
from model.market.prices import Values
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.tracking.client import open_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model's forecasts: the newest one, how all of them have done, and the level of their intervals."""

    model: str
    newest: RecordedForecast
    record: TrackRecord
    level: float | None


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


def standings(settings: Settings) -> tuple[Standing, ...]:
    """How the forecasts of each model have done."""
    if not _is_there(settings.ledger_uri):
        return ()
    by_model: dict[str, list[RecordedForecast]] = {}
    for row in Ledger(settings.ledger_uri).rows():
        by_model.setdefault(row.model, []).append(row)
    return tuple(_standing(model, rows) for model, rows in sorted(by_model.items()))


def _standing(model: str, rows: list[RecordedForecast]) -> Standing:
    newest = max(rows, key=lambda row: (row.session, row.made_at))
    return Standing(
        model=model,
        newest=newest,
        level=newest.level,
        record=track_record(
            _column(row.forecast for row in rows),
            _column(row.naive for row in rows),
            _column(row.lower for row in rows),
            _column(row.upper for row in rows),
            # What was made when its session had begun is not scored.
            _column(None if row.late else row.observed for row in rows),
        ),
    )


def _column(values: Iterable[float | None]) -> Values:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _is_there(uri: str) -> bool:
    """Whether a database is there to be asked: a file is not made by looking."""
    scheme, _, path = uri.partition(":///")
    return not scheme.startswith("sqlite") or Path(path).exists()
