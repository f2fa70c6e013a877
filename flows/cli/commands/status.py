"""What `tomorrow status` answers: the JSON object, and the same for people."""

from datetime import datetime
from typing import Any

from flows.cli.status_report import Status
from tasks.forecasts.summary import ForecastSummary
from tasks.operations.stack.state import PartState
from tasks.prices.inventory import Holding
from tasks.registry.version import RegisteredVersion

WEEKDAY_TIME = "%a %Y-%m-%d %H:%M"


def status_json(status: Status) -> dict[str, Any]:
    """The JSON object."""
    stack = status.stack
    return {
        "running": stack is not None,
        "stack": None if stack is None else stack.model_dump(mode="json"),
        "scheduled": [{"deployment": run.deployment, "at": run.at} for run in status.scheduled],
        "production": [
            {"model": model, "version": found.version if found else None, "notes": list(found.notes) if found else []}
            for model, found in status.production.items()
        ],
        "prices": [
            {
                "ticker": holding.ticker,
                "last": holding.newest.last if holding.newest else None,
                "fetched_at": holding.newest.fetched_at if holding.newest else None,
                "missing": [str(day) for day in holding.missing],
                "restatements": len(holding.restatements),
            }
            for holding in status.prices
        ],
        "forecasts": [_summary_json(summary) for summary in status.forecasts],
        "faults": status.faults,
    }


def _summary_json(summary: ForecastSummary) -> dict[str, Any]:
    return {
        "model": summary.model,
        "forecasts": summary.forecasts,
        "scored": summary.scored,
        "rmse": summary.rmse,
        "naive_rmse": summary.naive_rmse,
        "coverage": summary.coverage,
        "level": summary.level,
        "newest": {"session": summary.newest.session, "forecast": summary.newest.forecast},
    }


def status_text(status: Status) -> str:
    """The same for people."""
    sections = [
        _stack_lines(status),
        [f"{run.deployment:9} {_local(run.at)}" for run in status.scheduled] or ["nothing"],
        [line for model, found in status.production.items() for line in _version_lines(model, found)]
        or ["no model is registered yet"],
        [_holding_line(holding) for holding in status.prices] or ["none are stored"],
        [_summary_line(summary) for summary in status.forecasts] or ["none is made yet"],
    ]
    names = ("stack", "scheduled", "production", "prices", "forecasts")
    titles = ("Stack", "Next", "Production", "Prices", "Forecasts")
    blocks = []
    for name, title, lines in zip(names, titles, sections, strict=True):
        shown = [f"cannot be told: {status.faults[name]}"] if name in status.faults else lines
        blocks.append("\n".join([title, *(f"  {line}" for line in shown)]))
    return "\n\n".join(blocks)


def _stack_lines(status: Status) -> list[str]:
    if status.stack is None:
        return ["does not run; start it with: tomorrow up"]
    return [
        f"up since {_local(status.stack.since)}, process {status.stack.pid}",
        *(_part_line(part) for part in status.stack.parts),
    ]


def _part_line(part: PartState) -> str:
    times = f", started again {part.restarts} times" if part.restarts else ""
    process = f", process {part.pid}" if part.pid else ""
    return f"{part.name:8} {part.condition:9} since {_local(part.since)}{process}{times} {part.address or ''}".rstrip()


def _version_lines(model: str, found: RegisteredVersion | None) -> list[str]:
    if found is None:
        return [f"{model}: none"]
    return [f"{model}: version {found.version}", *(f"  {note}" for note in found.notes)]


def _holding_line(holding: Holding) -> str:
    if holding.newest is None:
        return f"{holding.ticker}: no good fetch"
    lacks = f", lack {', '.join(map(str, holding.missing))}" if holding.missing else ", nothing is missing"
    restated = f"; restated irregularly {len(holding.restatements)} times" if holding.restatements else ""
    newest = holding.newest
    return f"{holding.ticker}: to {newest.last}, fetched {_local(newest.fetched_at)}{lacks}{restated}"


def _summary_line(summary: ForecastSummary) -> str:
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
