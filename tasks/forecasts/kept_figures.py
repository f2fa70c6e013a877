"""A cache of the figures of a model's forecasts, so that showing them need not read every forecast.

The figures cover all forecasts that count, by the rule of summary.py; the evidence covers them from the first on. A
recorded forecast changes only when its price is filled in. So the cache is valid while the number of filled prices, and
the time of the last filling, stay the same; the filled prices of later sessions are counted apart. Nothing is decided
by it: a file that is gone, damaged or from other code is computed again.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks.forecasts.summary import ForecastSummary
from tasks.ledger.totals import Total
from tasks.settings import Settings, project_folder
from tasks.system.durable_file import make_folder_durably, write_durably
from tasks.tracking.provenance import digest

# Our files that compute the figures. To digest all that they import would take longer than the cache saves.
COMPUTED_BY = ("tasks/forecasts/summary.py", "model/artifact/distribution.py", "model/evaluation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of a summary of forecasts; for each name see `ForecastSummary`.

    further: sessions ahead -> the same of the forecasts of later sessions
    """

    scored: int
    crps: float | None
    naive_crps: float | None
    rmse: float | None
    naive_rmse: float | None
    coverage: float | None
    level: float | None
    evidence: float | None
    claim: str | None
    skills: dict[int, float]
    further: "dict[int, Figures]" = field(default_factory=dict)

    @classmethod
    def of(cls, summary: ForecastSummary) -> "Figures":
        """The figures of a summary."""
        own = {each.name: getattr(summary, each.name) for each in fields(Figures) if each.name != "further"}
        return Figures(**own, further={each.horizon: Figures.of(each) for each in summary.further})

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Figures":
        """The figures as JSON has them, whose names are all text."""
        skills = {int(span): skill for span, skill in kept["skills"].items()}
        further = {int(horizon): Figures.read(found) for horizon, found in kept["further"].items()}
        return Figures(**{**kept, "skills": skills, "further": further})


class KeptFigures:
    """The kept figures of one ledger's models, a file each in the state directory."""

    def __init__(self, settings: Settings, place: str) -> None:
        self._folder = settings.home / "cache"
        self._of = {"ledger": place, "needed": settings.gate.min_evidence}

    def read(self, total: Total) -> Figures | None:
        """The cached figures, if they are still valid; else None."""
        try:
            kept = json.loads(self._file(total.model).read_text(encoding="utf-8"))
            if kept["of"] != self._key(total) or kept["digest"] != digest(kept["figures"]):
                return None
            return Figures.read(kept["figures"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, total: Total, figures: Figures) -> None:
        """Store the figures; if that fails, they are computed again the next time."""
        given = json.loads(json.dumps(asdict(figures)))
        text = json.dumps({"of": self._key(total), "figures": given, "digest": digest(given)})
        with suppress(OSError):
            make_folder_durably(self._folder)
            write_durably(self._file(total.model), lambda file: file.write_text(text, encoding="utf-8"))

    def _key(self, total: Total) -> dict[str, Any]:
        newest = None if total.newest is None else total.newest.isoformat()
        filled = {"filled": total.filled, "newest": newest, "further_filled": total.further_filled}
        return {**self._of, **filled, "code": _code()}

    def _file(self, model: str) -> Path:
        return self._folder / f"forecasts-{quote(model, safe='')}.json"


@cache
def _code() -> str:
    places = (project_folder() / place for place in COMPUTED_BY)
    files = (file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place]))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def total_of(summary: ForecastSummary) -> Total:
    """The total of the rows of a summary."""
    filled = [row.observed_at for row in summary.rows if row.observed_at is not None]
    further = [row.observed_at for each in summary.further for row in each.rows]
    return Total(
        model=summary.model,
        forecasts=len(summary.rows),
        filled=len(filled),
        newest=max(filled, default=None),
        further=len(further),
        further_filled=sum(at is not None for at in further),
    )
