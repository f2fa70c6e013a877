"""`tomorrow status`: what runs, what is next, what is in Production, how fresh prices are, how forecasts have done.

Each part is asked by itself, and one that fails says why, so that the command works when something is wrong. It needs
no Prefect: it asks a running one over HTTP.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from flows.cli.command import command
from flows.cli.commands.record.forecast_status import ForecastStatus, forecasts_lines
from flows.cli.configuration import prepare
from flows.cli.options import flag
from flows.cli.result import Answer, CommandResult, Count, of
from flows.cli.training_answer import VerdictAnswer
from model.errors import TomorrowError

if TYPE_CHECKING:
    from tasks.operations.stack.prefect_api import ScheduledRun
    from tasks.registry.version import RegisteredVersion
    from tasks.settings import Settings
    from tasks.system.access.stack_state import PartState, StackState

Found = TypeVar("Found")
TITLES = {"scheduled": "Next", "production": "Production", "prices": "Prices", "forecasts": "Forecasts"}


class ScheduledStatus(Answer):
    """A planned run."""

    deployment: str
    at: datetime


class ProductionStatus(Answer):
    """A model and its version in Production; null where there is none, or where nothing is on record of its skill.

    preset:   what it was trained with, with its changes
    horizons: the verdict on each of its horizons, that on the next session first
    """

    model: str
    version: int | None
    preset: str | None
    verdict: str | None
    evidence: float | None
    horizons: tuple[VerdictAnswer, ...]
    notes: tuple[str, ...]


class PriceStatus(Answer):
    """The stored prices of a security."""

    ticker: str
    last: date | None = of("newest.last", None)
    fetched_at: datetime | None = of("newest.fetched_at", None)
    missing: tuple[date, ...]
    restatements: Count


class StatusAnswer(Answer):
    """The object of `tomorrow status --json`: how things are at one moment.

    stack:  as its supervisor last wrote it down; null where none runs
    faults: by part, why nothing is known of it
    """

    running: bool
    stack: dict[str, Any] | None
    scheduled: tuple[ScheduledStatus, ...]
    production: tuple[ProductionStatus, ...]
    prices: tuple[PriceStatus, ...]
    forecasts: tuple[ForecastStatus, ...]
    faults: dict[str, str]


@command("tomorrow status --json")
def status(
    links: Annotated[
        bool, flag("--links", "Show the links and the keys of the servers' pages, too; they are never part of --json.")
    ] = False,
) -> CommandResult:
    """Show what runs, what is next, what is in Production, how fresh prices are, and how forecasts have done."""
    settings, _ = prepare()
    from flows.runs.clock import now
    from tasks.forecasts.overview import forecast_overviews, in_production
    from tasks.operations.stack.prefect_api import PrefectApi
    from tasks.prices.inventory import stored_prices
    from tasks.system import durations
    from tasks.system.access.own_servers import prefect_key
    from tasks.system.access.stack_state import read_stack

    faults: dict[str, str] = {}

    def ask(part: str, look: Callable[[], Found]) -> Found | None:
        try:
            return look()
        except TomorrowError as error:
            faults[part] = f"{error.subject}: {error.have}"
            return None

    stack, at = read_stack(settings), now()
    address = stack.prefect_api if stack else os.environ.get("PREFECT_API_URL")

    def scheduled(api: str) -> "tuple[ScheduledRun, ...]":
        key = prefect_key(settings, api, patience=0)
        return PrefectApi(api, key, durations.RIDE_OUT_STATUS).scheduled()

    versions = ask("production", lambda: in_production(settings, at)) or {}
    parts = {
        "scheduled": (ask("scheduled", lambda: scheduled(address)) if address else None) or (),
        "production": ask("production", lambda: _in_production(versions)) or (),
        "prices": ask("prices", lambda: stored_prices((), settings, at)) or (),
        "forecasts": ask("forecasts", lambda: forecast_overviews(settings)) or (),
    }
    shown = stack and stack.model_dump(mode="json", exclude={"salt"})
    answer = StatusAnswer.model_validate({"running": bool(stack), "stack": shown, "faults": faults, **parts})
    text = _text(answer, stack)
    return CommandResult(answer, f"{text}\n\n{_links(settings, stack)}" if links else text)


def _links(settings: "Settings", stack: "StackState | None") -> str:
    """The links and keys to the pages of running servers, and the variables for other programs."""
    from tasks.operations.stack.mlflow_pages import PREFECT_HINT, runs_link
    from tasks.system.access.guard import page_link
    from tasks.system.access.own_servers import mlflow_key, prefect_key, serving_key
    from tasks.system.access.secret import state_keys

    lines = ["Links"]
    mlflow, prefect = (stack.part("mlflow"), stack.part("prefect")) if stack else (None, None)
    if stack and mlflow and mlflow.address and (key := mlflow_key(settings, mlflow.address, patience=0)):
        lines += [
            f"MLflow   {runs_link(mlflow.address, settings.tracking.experiment, key, stack.salt)}",
            f"         for programs: MLFLOW_TRACKING_URI={mlflow.address} MLFLOW_TRACKING_TOKEN={key}",
        ]
    if stack and prefect and (key := prefect_key(settings, stack.prefect_api, patience=0)):
        lines += [
            f"Prefect  {prefect.address}",
            f"         {PREFECT_HINT} {key}",
            f"         for programs: PREFECT_API_URL={stack.prefect_api} PREFECT_API_AUTH_STRING={key}",
        ]
    board = stack.part("serving") if stack else None
    if stack and board and board.address and (key := serving_key(settings, board.address, patience=0)):
        lines += [
            f"Board    {page_link(board.address, key, stack.salt)}",
            f"         for programs: {board.address}/api with the bearer token {key}",
        ]
    if not lines[1:]:
        lines.append("none: no server of ours runs; start them with: tomorrow up")
    if not board:
        lines.append(f"`tomorrow serve`, for programs: the bearer token {state_keys(settings).serving}")
    return "\n  ".join(lines)


def _in_production(versions: "Mapping[str, RegisteredVersion | None]") -> tuple[ProductionStatus, ...]:
    """Each model's version in Production; ConfigurationError where a tag of one is damaged."""
    return tuple(
        ProductionStatus(
            model=model,
            version=found and found.version,
            preset=found and found.preset,
            verdict=found and found.verdict,
            evidence=found and found.evidence,
            horizons=tuple(map(VerdictAnswer.model_validate, found.horizons)) if found else (),
            notes=found.notes if found else (),
        )
        for model, found in versions.items()
    )


def _text(answer: StatusAnswer, stack: "StackState | None") -> str:
    parts = {
        "Stack": _stack_lines(stack),
        "Next": [f"{run.deployment:9} {_local(run.at)}" for run in answer.scheduled] or ["nothing"],
        "Production": [line for model in answer.production for line in _version_lines(model)]
        or ["no model is registered yet"],
        "Prices": [_price_line(prices) for prices in answer.prices] or ["none are stored"],
        "Forecasts": [line for made in answer.forecasts for line in forecasts_lines(made)] or ["none is made yet"],
    }
    parts |= {TITLES[part]: [f"not known: {fault}"] for part, fault in answer.faults.items()}
    return "\n\n".join("\n  ".join([title, *lines]) for title, lines in parts.items())


def _stack_lines(stack: "StackState | None") -> list[str]:
    if stack is None:
        return ["does not run; start it with: tomorrow up"]
    return [f"up since {_local(stack.since)}, process {stack.pid}", *(_part_line(part) for part in stack.parts)]


def _part_line(part: "PartState") -> str:
    times = f", started again {part.restarts} times" if part.restarts else ""
    process = f", process {part.pid}" if part.pid else ""
    return f"{part.name:8} {part.condition:9} since {_local(part.since)}{process}{times} {part.address or ''}".rstrip()


def _version_lines(model: ProductionStatus) -> list[str]:
    from model.evaluation.evidence.e_process import odds_text
    from tasks.registry.version import named

    version = "none" if model.version is None else named(model.version, model.verdict)
    preset = "" if model.preset is None else f", preset {model.preset}"
    evidence = "" if model.evidence is None else f", evidence {odds_text(model.evidence)}"
    further = "".join(f"; {each.horizon} sessions ahead: {each.verdict}" for each in model.horizons[1:])
    return [f"{model.model}: {version}{preset}{evidence}{further}", *(f"  {note}" for note in model.notes)]


def _price_line(prices: PriceStatus) -> str:
    if prices.last is None or prices.fetched_at is None:
        return f"{prices.ticker}: no good fetch"
    lacks = f", lack {', '.join(map(str, prices.missing))}" if prices.missing else ", nothing is missing"
    restated = f"; restated irregularly {prices.restatements} times" if prices.restatements else ""
    return f"{prices.ticker}: to {prices.last}, fetched {_local(prices.fetched_at)}{lacks}{restated}"


def _local(moment: datetime) -> str:
    """A moment in local time, with its zone."""
    local = moment.astimezone()
    return f"{local:%a %Y-%m-%d %H:%M} {local.tzname()}"
