"""Reads the board from the ledger, the stored prices and what is in Production."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar, get_args
from zoneinfo import ZoneInfo

from model.artifact.distribution import LEVELS, PROBABILITIES
from model.config import Column
from model.errors import TomorrowError, masked
from model.evaluation.decision import Verdict
from model.forecaster.forecasts import interval_of
from tasks.forecasts.kept_figures import Figures
from tasks.forecasts.overview import ForecastOverview, OverviewReader
from tasks.ledger.forecasts import RecordedForecast
from tasks.ledger.retraining_requests import RetrainingRequest, RetrainingRequests
from tasks.prices.inventory import Holding, stored_prices
from tasks.serving.board import Board, BoardRow, ForecastRow, FurtherRow
from tasks.serving.following.production import InProduction
from tasks.settings import Settings
from tasks.system import durations

T = TypeVar("T")
# The forecasts whose skill the board shows: a quarter of a year.
QUARTER = 63
# By its time a session is over when its day is; the schedules run by it, too.
NEW_YORK = ZoneInfo("America/New_York")
# The naive distribution whose range stands beside a forecast's, where the ledger has it: of the newest 500 changes.
SHOWN_NAIVE = "constant_500"


class Kept(Generic[T]):
    """What a part of the board was read as the last time that this succeeded."""

    def __init__(self, value: T) -> None:
        self.value = value

    def read(self, look: Callable[[], T]) -> str | None:
        """Read it again; why it could not be, or None."""
        try:
            self.value = look()
        except TomorrowError as error:
            return f"{error.subject}: {error.have}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are read, and the board names it
            return masked(f"{type(error).__name__}: {error}".splitlines()[0][:300])
        return None


class BoardReader:
    """Reads the board again and again; what has not changed is not read again. One thread uses it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = OverviewReader(settings)
        self._overviews = Kept[tuple[ForecastOverview, ...]](())
        self._requests = Kept[dict[str, RetrainingRequest]]({})
        self._holdings = Kept[list[Holding]]([])
        self._faults: dict[str, str | None] = {}
        self._next_prices: float = 0.0

    def read(
        self,
        at: datetime,
        clock: float,
        production: Mapping[str, InProduction | None],
        answering: Mapping[str, int],
        troubles: Mapping[str, str],
    ) -> Board:
        """The board now. What cannot be read keeps its last values, and the board says why.

        at, clock: the time now, and the monotonic clock
        answering: model -> the version that answers
        troubles:  model -> what is wrong with its version in Production; the fault of the registry under ""
        """
        self._faults["registry"] = troubles.get("")
        self._faults["ledger"] = self._overviews.read(self._reader.read)
        if self._overviews.value and self._faults["ledger"] is None:
            uri = self._settings.ledger_uri
            self._faults["ledger"] = self._requests.read(lambda: RetrainingRequests(uri).of_newest_session())
        if clock >= self._next_prices:
            self._next_prices = clock + durations.LOOK_AT_PRICES
            self._faults["prices"] = self._holdings.read(lambda: stored_prices((), self._settings, at))
        overviews = {found.model: found for found in self._overviews.value}
        holdings = {found.ticker: found for found in self._holdings.value}
        rows = []
        for model in sorted({*production, *overviews}):
            ticker, column = self._named(model, overviews.get(model))
            sources = Sources(
                there=production.get(model),
                overview=overviews.get(model),
                holding=holdings.get(ticker),
                request=self._requests.value.get(model),
                trouble=troubles.get(model),
                answering=answering.get(model),
                is_known=model in production or not {"", model} & set(troubles),
            )
            named = {"model": model, "ticker": ticker, "column": column, "name": self._settings.security(ticker).name}
            rows.append(sources.row(named, at, self._settings.prices.stale_sessions.predict or 0))
        faults = {part: fault for part, fault in self._faults.items() if fault is not None}
        return Board(read_at=at, rows=tuple(rows), faults=faults)

    def _named(self, model: str, overview: ForecastOverview | None) -> tuple[str, str]:
        """The ticker and the column of a model: of its forecasts, else by its name."""
        if overview is not None:
            return overview.newest.ticker, overview.newest.column
        columns = "|".join(get_args(Column))
        pattern = re.escape(self._settings.registry.name).replace(r"\{ticker\}", "(?P<ticker>.+)")
        found = re.fullmatch(pattern.replace(r"\{column\}", f"(?P<column>{columns})"), model)
        return (found["ticker"], found["column"]) if found else (model, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the row of one model is made of; each may be missing.

    is_known: whether the registry was ever asked what is in Production; if not, nobody knows
    """

    there: InProduction | None
    overview: ForecastOverview | None
    holding: Holding | None
    request: RetrainingRequest | None
    trouble: str | None
    answering: int | None
    is_known: bool

    def row(self, named: Mapping[str, str], at: datetime, may_lack: int) -> BoardRow:
        """The row.

        named:    the model, its ticker, its column and the security's name
        at:       the time now
        may_lack: how many of the newest sessions the stored prices may lack without an alarm
        """
        today = at.date()
        newest = None if self.overview is None else self.overview.newest
        holding = self.holding
        stored = holding.newest.last if holding is not None and holding.newest is not None else None
        prices = stored or (None if newest is None else newest.as_of)
        return BoardRow.model_validate(
            {
                **named,
                **self._of_version(today),
                **self._of_forecasts(),
                "answering": self.answering,
                "prices_as_of": prices,
                "prices_days": None if prices is None else (today - prices).days,
                "missing": 0 if holding is None else len(holding.missing),
                "alarms": tuple(self._alarms(may_lack, at.astimezone(NEW_YORK).date())),
            }
        )

    def _of_version(self, today: date) -> dict[str, object]:
        if not self.is_known:
            return {"stage": "unknown", "version": None, "verdict": "not judged"}
        if self.there is None:
            return {"stage": "None", "version": None, "verdict": "naive"}
        version, arrived, trained = self.there.version, self.there.arrived, self.there.trained
        return {
            "stage": "Production",
            "version": version.version,
            "verdict": version.tags.get("verdict") or "not judged",
            "evidence": version.evidence,
            "preset": version.preset,
            "run_id": version.run_id,
            "promoted_at": None if arrived is None else arrived.at,
            "promoted_by": None if arrived is None else arrived.by,
            "trained_as_of": None if trained is None else trained.as_of,
            "version_days": None if trained is None else (today - trained.as_of).days,
        }

    def _of_forecasts(self) -> dict[str, object]:
        if self.overview is None:
            return {}
        return {
            "forecast": forecast_row(self.overview.newest),
            "further": tuple(map(self._further, self.overview.cone)),
            "forecasts": self.overview.forecasts,
            "scored": self.overview.scored,
            "skill": self.overview.skills.get(QUARTER),
            "skills": self.overview.skills,
            "claim": self.overview.claim,
            "coverage": self.overview.coverage,
            "coverage_level": self.overview.level,
        }

    def _further(self, row: RecordedForecast) -> FurtherRow:
        figures = None if self.overview is None else self.overview.further.get(row.horizon)
        return further_row(row, figures, {} if self.there is None else self.there.version.tags, is_known=self.is_known)

    def _alarms(self, may_lack: int, day: date) -> Iterator[str]:
        if self.trouble is not None:
            yield self.trouble
        if self.overview is not None and self.overview.newest.stale:
            yield "The newest forecast was made from the prices of an earlier fetch."
        if self.overview is not None and self.overview.newest.without:
            yield f"The newest forecast was made without {self.overview.newest.without}: not known when it was made."
        if self.overview is not None and self.overview.newest.late:
            yield "The newest forecast was made after its session had opened, so it does not count."
        elif self.overview is not None and self.overview.newest.session < day:
            yield f"The newest forecast is of {self.overview.newest.session}, which is over."
        if self.holding is not None and len(self.holding.missing) > may_lack:
            yield f"The stored prices lack the newest {len(self.holding.missing)} sessions."
        if self.there is not None and self.request is not None and self.request.version == self.there.version.version:
            yield f"Retraining was requested for {self.request.session}: {' '.join(self.request.reasons.split())}"


def forecast_row(row: RecordedForecast) -> ForecastRow:
    """A forecast of the ledger, as the board shows it."""
    return ForecastRow(
        session=row.session,
        as_of=row.as_of,
        version=row.version,
        median=row.forecast,
        quantiles=dict(row.quantiles),
        ranges=dict(row.intervals),
        naive=row.naive,
        naive_name=row.naive_name,
        naive_ranges=_naive_ranges(row),
        currency=row.currency,
        made_at=row.made_at,
        late=row.late,
        stale=row.stale,
        source=row.source,
        explanation=row.explanation,
        without=row.without,
    )


def further_row(
    row: RecordedForecast, figures: Figures | None, tags: Mapping[str, str], *, is_known: bool = True
) -> FurtherRow:
    """A forecast of a later session, as the board shows it.

    tags:     of the version in Production; none where nothing is there
    is_known: whether the registry was ever asked what is in Production

    The naive distribution stands there for a version without skill. If another verdict is on record now, it is of a
    version that came later.
    """
    if row.version is None and tags.get(f"verdict.{row.horizon}") != Verdict.NO_SKILL:
        tags = {}
    verdict = tags.get(f"verdict.{row.horizon}") or ("naive" if is_known and row.version is None else "not judged")
    done = {} if figures is None else {"scored": figures.scored, "skills": figures.skills, "claim": figures.claim}
    return FurtherRow.model_validate(
        {
            "horizon": row.horizon,
            "session": row.session,
            "version": row.version,
            "verdict": verdict,
            "evidence": tags.get(f"evidence.{row.horizon}") or None,
            "median": row.forecast,
            "quantiles": dict(row.quantiles),
            "ranges": dict(row.intervals),
            "naive_ranges": _naive_ranges(row),
            **done,
            "skill": None if figures is None else figures.skills.get(QUARTER),
            "coverage": None if figures is None else figures.coverage,
            "coverage_level": row.level if figures is None or figures.level is None else figures.level,
        }
    )


def _naive_ranges(row: RecordedForecast) -> dict[int, tuple[float, float]]:
    """The ranges of the naive distribution that stands beside a forecast, where the ledger has one."""
    whole = {name: found for name, found in row.naive_quantiles.items() if set(PROBABILITIES) <= set(found)}
    naive = whole.get(SHOWN_NAIVE) or next(iter(whole.values()), None)
    return {} if naive is None else {level: interval_of(naive, level) for level in LEVELS}
