"""The record of a fetch, stored beside the prices: what was fetched, when, and what had changed."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from model.market.restatement import Verdict
from model.market.security import Security

# Verdicts on changes that splits, dividends and the like do not explain: such prices are used only once accepted.
IRREGULAR: tuple[Verdict, ...] = ("restated", "units")


class Acceptance(BaseModel):
    """Who accepted an irregular restatement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    at: AwareDatetime


class FetchRecord(BaseModel):
    """One fetch of a security's whole history.

    fingerprint:            names the snapshot, which several fetches may share
    sessions, first, last:  of the snapshot
    metadata, libraries:    Yahoo's description of the symbol, and the versions that read it
    notes:                  what was noticed about the prices
    previous:               the snapshot that they were compared with
    verdict, changes, days: what had changed since then (see model.market.restatement); `first` for a first fetch
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    security: Security
    source: str
    origin: str
    fetched_at: AwareDatetime
    fingerprint: str
    sessions: int
    first: date
    last: date
    metadata: dict[str, str | None] = {}
    libraries: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    previous: str | None = None
    verdict: Verdict | Literal["first"] = "first"
    changes: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    accepted: Acceptance | None = None

    @property
    def good(self) -> bool:
        """Whether its prices may be used: no irregular changes, or they were accepted."""
        return self.verdict not in IRREGULAR or self.accepted is not None
