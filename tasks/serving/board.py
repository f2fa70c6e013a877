"""The board: one row for each model, as pages and programs show it.

A `Board` is a frozen value that is replaced as a whole when something has changed (refresh.py); requests only read it.
So 500 models need no query while a request is answered, and a page never mixes two moments.

For pages: `service.board` is the newest board (service.py), `Board.select` filters it, `Board.page` cuts a page from
it. Everything that a row of the page shows is in `BoardRow`. What has happened to one model's forecasts, and its
history of stages, is read from the ledger on request: `Ledger.by_session`, `StageHistory.changes`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from model.forecaster.explanation import Explanation
from model.market.money import Money

# As MLflow's stages; a model with nothing in Production is shown with the naive distribution. Of an unknown one the
# registry could not be read yet.
Standing = Literal["Production", "None", "unknown"]
ShownVerdict = Literal["proven", "undecided", "no skill", "naive", "not judged"]


class Shown(BaseModel):
    """A value that pages and programs are given; its fields are those of the JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class ForecastRow(Shown):
    """The newest forecast of a model. Prices are in `currency`.

    session:      the session that is forecast
    as_of:        the newest session that was known
    version:      that made it; null: the naive distribution
    median:       the point forecast
    quantiles:    probability -> price; empty where the version gave no distribution
    ranges:       level in per cent (80, 95) -> the lowest and the highest price within it
    naive:        the naive forecast: the newest known price, by the method `naive_name`
    naive_ranges: the same levels of the naive distribution: how far prices have moved lately
    late:         whether it was made after its session had begun, so that it does not count
    stale:        whether its prices are those of an earlier fetch
    explanation:  what made its distribution wide or narrow; null where it has no such factors
    without:      the other series that its version knows and that were not there; null where it was made with all
    currency:     as the source names it (USD, GBp), `points` of an index; null where prices have none
    """

    session: date
    as_of: date
    version: int | None
    median: float
    quantiles: dict[float, float]
    ranges: dict[int, tuple[float, float]]
    naive: float
    naive_name: str
    naive_ranges: dict[int, tuple[float, float]]
    currency: str | None
    made_at: datetime
    late: bool
    stale: bool
    source: str
    explanation: Explanation | None = None
    without: str | None = None

    @property
    def money(self) -> Money:
        """How its prices are written."""
        return Money.at(self.currency, self.naive)


class FurtherRow(Shown):
    """The forecast of a later session, made with the newest forecast, and how those so far ahead have done.

    Prices are in the currency of the newest forecast.

    horizon:        how many sessions ahead
    session:        the session that is forecast
    version:        that made it; null: the naive distribution of changes over as many sessions
    verdict:        on the skill of the version's configuration so far ahead; naive where nothing is in Production
    evidence:       the odds, to 1, behind that verdict; null where it was not judged
    median, quantiles, ranges: as of the newest forecast
    naive_ranges:   the same levels of the naive distribution of changes over as many sessions
    scored:         how many forecasts so far ahead count
    skill, skills, claim, coverage, coverage_level: as of the next session, of these forecasts alone
    """

    horizon: int
    session: date
    version: int | None
    verdict: ShownVerdict
    evidence: float | None = None
    median: float
    quantiles: dict[float, float]
    ranges: dict[int, tuple[float, float]]
    naive_ranges: dict[int, tuple[float, float]]
    scored: int = 0
    skill: float | None = None
    skills: dict[int, float] = Field(default_factory=dict)
    claim: str | None = None
    coverage: float | None = None
    coverage_level: float | None = None


class BoardRow(Shown):
    """A model: what is in Production, its newest forecast, how its forecasts have done, and what is wrong.

    stage:           Production; None where no version is there: then forecasts are naive; unknown where the registry
                     could not be read yet
    version:         the version in Production
    answering:       the version that answers `invocations`: the one in Production, unless that is being loaded, or
                     cannot be; then the one before it, or null
    verdict:         on the skill of the version's configuration; naive where nothing is in Production
    evidence:        the odds, to 1, behind that verdict; null where it was not judged
    promoted_at:     when the version came into Production, and by whom
    trained_as_of:   the newest session that its training knew
    version_days:    the days since that session
    forecast:        the newest forecast of the next session; null where there is none
    further:         the forecasts of later sessions that were made with it, the nearest first. All other figures are of
                     the next session alone
    forecasts:       how many were made; `scored`: how many count
    skill:           live CRPS skill over the newest 63 forecasts that count; null where there are fewer
    skills:          the same over the newest 21, 63 and 250, where there are so many
    claim:           what the live forecasts show, in words: proven, worse, or not distinguishable from chance
    coverage:        the share of prices within the range whose level is the share `coverage_level`
    prices_as_of:    the newest session of the stored prices; of the newest forecast where none are stored
    prices_days:     the days since that session
    missing:         how many completed sessions the stored prices lack
    alarms:          sentences about what needs a person
    """

    model: str
    ticker: str
    column: str
    name: str = ""
    stage: Standing
    version: int | None
    answering: int | None = None
    verdict: ShownVerdict
    evidence: float | None = None
    preset: str | None = None
    run_id: str | None = None
    promoted_at: datetime | None = None
    promoted_by: str | None = None
    trained_as_of: date | None = None
    version_days: int | None = None
    forecast: ForecastRow | None = None
    further: tuple[FurtherRow, ...] = ()
    forecasts: int = 0
    scored: int = 0
    skill: float | None = None
    skills: dict[int, float] = Field(default_factory=dict)
    claim: str | None = None
    coverage: float | None = None
    coverage_level: float | None = None
    prices_as_of: date | None = None
    prices_days: int | None = None
    missing: int = 0
    alarms: tuple[str, ...] = ()

    @property
    def is_naive(self) -> bool:
        """Whether nothing is in Production, so that the naive distribution stands in."""
        return self.stage == "None"


class BoardPage(Shown):
    """A page of the board: the rows, its number counted from 1, and how many rows and pages there are in all."""

    rows: tuple[BoardRow, ...]
    page: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))


class Board(Shown):
    """All models, by name, at one moment.

    read_at: when it was last read; null before the first time
    faults:  what could not be read the last time (`registry`, `ledger`, `prices`) -> why; its part of the rows is older
    """

    read_at: datetime | None = None
    rows: tuple[BoardRow, ...] = ()
    faults: Mapping[str, str] = Field(default_factory=dict)

    def row(self, model: str) -> BoardRow | None:
        """The row of a model; None where there is none of that name."""
        return next((row for row in self.rows if row.model == model), None)

    def select(
        self, ticker: str | None = None, verdict: ShownVerdict | None = None, stage: Standing | None = None
    ) -> tuple[BoardRow, ...]:
        """The rows of a ticker, with a verdict, or in a stage; all of them without a filter."""
        return tuple(
            row
            for row in self.rows
            if (ticker is None or row.ticker.upper() == ticker.strip().upper())
            and (verdict is None or row.verdict == verdict)
            and (stage is None or row.stage == stage)
        )

    def page(
        self,
        number: int = 1,
        size: int = 50,
        *,
        ticker: str | None = None,
        verdict: ShownVerdict | None = None,
        stage: Standing | None = None,
    ) -> BoardPage:
        """A page, counted from 1, of the selected rows; an empty one after the last."""
        rows = self.select(ticker, verdict, stage)
        start = (number - 1) * size
        return BoardPage(rows=rows[start : start + size], page=number, size=size, total=len(rows))
