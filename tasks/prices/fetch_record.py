"""The record of a fetch, beside the prices themselves: what came, when, and what had changed."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from model.market.restatement import Verdict
from model.market.security import Security

# Verdicts on a past that nothing regular explains: nobody uses it before somebody has accepted it.
IRREGULAR: tuple[Verdict, ...] = ("restated", "units")


class Acceptance(BaseModel):
    """Who accepted an irregular restatement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    at: AwareDatetime


class FetchRecord(BaseModel):
    """One fetch of a security's whole history.

    fingerprint:          names the snapshot, which several fetches may share
    sessions, first, last: of the snapshot
    metadata, libraries:  what Yahoo said of the symbol, and who read it
    notes:                what was noticed about the answer
    previous:             the snapshot that it was compared with
    verdict, changes, days: what had changed since, as model.market.restatement says it; `first` where none was before
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
        """Whether its prices may be used: nothing irregular, or somebody has accepted it."""
        return self.verdict not in IRREGULAR or self.accepted is not None
