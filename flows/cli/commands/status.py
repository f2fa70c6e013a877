"""`tomorrow status`: what runs, what is next, what is in Production, how fresh prices are, how forecasts have done.

Each part is asked by itself, and one that fails says why: most of all when something is wrong this has to work. It
needs no Prefect, which it asks over HTTP where it runs.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BeforeValidator

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.result import Answer, CommandResult, Count, of
from model.errors import TomorrowError

if TYPE_CHECKING:
    from tasks.forecasts.summary import ForecastSummary
    from tasks.operations.stack.prefect_api import ScheduledRun
    from tasks.operations.stack.state import PartState, StackState
    from tasks.prices.inventory import Holding
    from tasks.registry.version import RegisteredVersion
    from tasks.settings import Settings

Found = TypeVar("Found")
WEEKDAY_TIME = "%a %Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How things are at one moment.

    stack:      None where none runs
    production: None for a model without a version in Production
    faults:     by part, why nothing is known of it
    """

    stack: "StackState | None"
    scheduled: "tuple[ScheduledRun, ...]"
    production: "dict[str, RegisteredVersion | None]"
    prices: "list[Holding]"
    forecasts: "tuple[ForecastSummary, ...]"
    faults: dict[str, str]

    @property
    def running(self) -> bool:
        """Whether there is a stack."""
        return self.stack is not None


class ScheduledStatus(Answer):
    """A run that is to start."""

    deployment: str
    at: datetime


class ProductionStatus(Answer):
    """A model and its version in Production."""

    model: str
    version: int | None
    notes: tuple[str, ...]


def _production(versions: "dict[str, RegisteredVersion | None]") -> tuple[ProductionStatus, ...]:
    return tuple(
        ProductionStatus(model=model, version=found and found.version, notes=found.notes if found else ())
        for model, found in versions.items()
    )


class PriceStatus(Answer):
    """The stored prices of a security."""

    ticker: str
    last: date | None = of("newest.last", None)
    fetched_at: datetime | None = of("newest.fetched_at", None)
    missing: tuple[date, ...]
    restatements: Count


class NewestForecast(Answer):
    """The newest forecast of a model."""

    session: date
    forecast: float


class ForecastStatus(Answer):
    """How the forecasts of a model have done."""

    model: str
    forecasts: int
    scored: int
    rmse: float | None
    naive_rmse: float | None
    coverage: float | None
    level: float | None
    newest: NewestForecast


class StatusAnswer(Answer):
    """The object of `tomorrow status --json`."""

    running: bool
    stack: Annotated[dict[str, Any] | None, BeforeValidator(lambda stack: stack and stack.model_dump(mode="json"))]
    scheduled: tuple[ScheduledStatus, ...]
    production: Annotated[tuple[ProductionStatus, ...], BeforeValidator(_production)]
    prices: tuple[PriceStatus, ...]
    forecasts: tuple[ForecastStatus, ...]
    faults: dict[str, str]


@command("tomorrow status --json")
def status() -> CommandResult:
    """Show what runs, what is next, what is in Production, how fresh prices are, and how forecasts have done."""
    settings, _ = prepare()
    found = take_status(settings, os.environ.get("PREFECT_API_URL"))
    return CommandResult(StatusAnswer.model_validate(found), _text(found))


def take_status(settings: "Settings", prefect_elsewhere: str | None) -> Status:
    """Look at everything once."""
    from flows.runs.clock import now
    from tasks.forecasts.overview import forecast_summaries, in_production
    from tasks.operations.stack.prefect_api import PrefectApi
    from tasks.operations.stack.state import read_stack
    from tasks.prices.inventory import stored_prices

    faults: dict[str, str] = {}

    def ask(part: str, look: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return look()
        except TomorrowError as error:
            faults[part] = f"{error.subject}: {error.have}"
            return otherwise

    stack, at = read_stack(settings), now()
    address = stack.prefect_api if stack else prefect_elsewhere
    return Status(
        stack=stack,
        scheduled=ask("scheduled", PrefectApi(address).scheduled, ()) if address else (),
        production=ask("production", lambda: in_production(settings, at), {}),
        prices=ask("prices", lambda: stored_prices((), settings, at), []),
        forecasts=ask("forecasts", lambda: forecast_summaries(settings), ()),
        faults=faults,
    )


def _text(status: Status) -> str:
    parts = {
        "stack": ("Stack", _stack_lines(status.stack)),
        "scheduled": ("Next", [f"{run.deployment:9} {_local(run.at)}" for run in status.scheduled] or ["nothing"]),
        "production": (
            "Production",
            [line for model, found in status.production.items() for line in _version_lines(model, found)]
            or ["no model is registered yet"],
        ),
        "prices": ("Prices", [_holding_line(holding) for holding in status.prices] or ["none are stored"]),
        "forecasts": (
            "Forecasts",
            [_forecasts_line(summary) for summary in status.forecasts] or ["none is made yet"],
        ),
    }
    blocks = []
    for name, (title, lines) in parts.items():
        shown = [f"not known: {status.faults[name]}"] if name in status.faults else lines
        blocks.append("\n".join([title, *(f"  {line}" for line in shown)]))
    return "\n\n".join(blocks)


def _stack_lines(stack: "StackState | None") -> list[str]:
    if stack is None:
        return ["does not run; start it with: tomorrow up"]
    return [f"up since {_local(stack.since)}, process {stack.pid}", *(_part_line(part) for part in stack.parts)]


def _part_line(part: "PartState") -> str:
    times = f", started again {part.restarts} times" if part.restarts else ""
    process = f", process {part.pid}" if part.pid else ""
    return f"{part.name:8} {part.condition:9} since {_local(part.since)}{process}{times} {part.address or ''}".rstrip()


def _version_lines(model: str, found: "RegisteredVersion | None") -> list[str]:
    if found is None:
        return [f"{model}: none"]
    return [f"{model}: version {found.version}", *(f"  {note}" for note in found.notes)]


def _holding_line(holding: "Holding") -> str:
    if holding.newest is None:
        return f"{holding.ticker}: no good fetch"
    lacks = f", lack {', '.join(map(str, holding.missing))}" if holding.missing else ", nothing is missing"
    restated = f"; restated irregularly {len(holding.restatements)} times" if holding.restatements else ""
    newest = holding.newest
    return f"{holding.ticker}: to {newest.last}, fetched {_local(newest.fetched_at)}{lacks}{restated}"


def _forecasts_line(summary: "ForecastSummary") -> str:
    newest = summary.newest
    line = f"{summary.model}: {summary.forecasts} made, newest ${newest.forecast:.2f} for {newest.session}; "
    if summary.rmse is None or summary.naive_rmse is None:
        return line + "none scored"
    line += f"{summary.scored} scored, RMSE ${summary.rmse:.3f}, naive ${summary.naive_rmse:.3f}"
    if summary.coverage is None or summary.level is None:
        return line
    return f"{line}, {summary.coverage:.0%} within the {summary.level:.0%} interval"


def _local(moment: datetime) -> str:
    """A time of day where one is, with its zone."""
    local = moment.astimezone()
    return f"{local:{WEEKDAY_TIME}} {local.tzname()}"
