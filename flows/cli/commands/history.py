"""`tomorrow history`: what is on record of a model's stages. It needs no Prefect."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import Model, day, option
from flows.cli.result import Answer, CommandResult
from model.evaluation.decision import DecisionWord

if TYPE_CHECKING:
    from tasks.registry.stage_history import StageChange
    from tasks.settings import Settings

SHOWN = ("Production", "Staging", "Archived")
# The schedules run by it, and what is trained in the evening belongs to that day.
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """What is on record of a model's stages.

    on:        the day that was asked for, if one was
    changes:   every change and decision up to the end of that day, oldest first
    stages:    version -> the change that put it where it was at that time
    forecasts: version -> how many of its forecasts the ledger holds
    notes:     what was found changed by hand just now
    """

    model: str
    on: date | None
    changes: "tuple[StageChange, ...]"
    stages: "Mapping[int, StageChange]"
    forecasts: Mapping[int, int]
    notes: tuple[str, ...]

    def by_stage(self) -> "Iterator[StageChange]":
        """The changes that put versions where they were, Production first."""
        for stage in SHOWN:
            yield from (change for _, change in sorted(self.stages.items()) if change.after == stage)

    def skill(self, change: "StageChange") -> str | None:
        """The newest that was judged of the version, by the end of what is reported."""
        judged = [other.skill for other in self.changes if other.version == change.version and other.skill is not None]
        return judged[-1] if judged else None


class ChangeAnswer(Answer):
    """A change or a decision: of which version, by whom, why."""

    version: int
    skill: str | None
    decision: str
    by: str
    reasons: tuple[str, ...]
    forced: str | None
    forecasts: int


class StageAnswer(ChangeAnswer):
    """A version in its stage."""

    stage: str
    since: str


class MoveAnswer(ChangeAnswer):
    """A line of the record."""

    at: str
    before: str
    after: str
    move: str


class HistoryAnswer(Answer):
    """The object of `tomorrow history --json`."""

    model: str
    on: str | None
    stages: tuple[StageAnswer, ...]
    changes: tuple[MoveAnswer, ...]
    notes: tuple[str, ...]


@command("tomorrow history META-Open --on 2020-06-15")
def history(
    model: Model,
    on: Annotated[
        date | None, option("--on", "DATE", "Show only how it was at the end of that day in New York.", parser=day)
    ] = None,
) -> CommandResult:
    """Show which version was in which stage when, by whose decision and why."""
    settings, _ = prepare()
    report = read_history(model, settings, on)
    return CommandResult(_answer(report), _text(report))


def read_history(model: str, settings: "Settings", on: date | None) -> HistoryReport:
    """Read a model's history, after recording what was changed by hand in MLflow; UsageError where there is none."""
    from flows.runs.clock import now
    from tasks.ledger.forecasts import Ledger
    from tasks.registry.errors import unknown_model
    from tasks.registry.registry import Registry
    from tasks.registry.stage_history import stages_at
    from tasks.tracking.client import open_tracking

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
        stages=stages_at(changes, until) if on else stages_at(changes, max((c.at for c in changes), default=at)),
        forecasts=Counter(row.version for row in Ledger(settings.ledger_uri).rows(model)),
        notes=notes,
    )


def end_of_day(on: date) -> datetime:
    """The last moment of a day in New York."""
    return datetime.combine(on + timedelta(days=1), time(), NEW_YORK) - timedelta(microseconds=1)


def _answer(report: HistoryReport) -> HistoryAnswer:
    return HistoryAnswer(
        model=report.model,
        on=None if report.on is None else report.on.isoformat(),
        stages=tuple(
            StageAnswer(stage=change.after, since=change.at.isoformat(), **_change(change, report))
            for change in report.by_stage()
        ),
        changes=tuple(
            MoveAnswer(
                at=change.at.isoformat(),
                before=change.before,
                after=change.after,
                move=change.move,
                **_change(change, report),
            )
            for change in report.changes
        ),
        notes=report.notes,
    )


def _change(change: "StageChange", report: HistoryReport) -> dict[str, Any]:
    return {
        "version": change.version,
        "skill": report.skill(change),
        "decision": change.decision,
        "by": change.by,
        "reasons": change.reasons,
        "forced": change.forced,
        "forecasts": report.forecasts.get(change.version, 0),
    }


def _text(report: HistoryReport) -> str:
    when = "now" if report.on is None else f"at the end of {report.on}, New York time"
    lines = [*(f"note: {note}" for note in report.notes), f"{report.model} {when}:"]
    stages = list(report.by_stage())
    if not stages:
        since = "" if report.on is None else " by then"
        lines.append(f"  nothing is on record{since}")
    for change in stages:
        forecasts = report.forecasts.get(change.version, 0)
        made = f"; {forecasts} forecast{'' if forecasts == 1 else 's'} in the ledger" if forecasts else ""
        lines.append(f"  {change.after:<11}{_named(change, report)}, since {_when(change)}, {_by(change)}{made}")
        lines += _reasons(change, " " * 13)
    if report.on is None and report.changes:
        lines += ["", "Every change and decision:"]
        for change in report.changes:
            moved = change.after if change.before == change.after else f"{change.before} to {change.after}"
            lines.append(f"  {_when(change)}  {_named(change, report)}: {moved}, {_by(change)}")
            lines += _reasons(change, " " * 20)
    return "\n".join(lines)


def _named(change: "StageChange", report: HistoryReport) -> str:
    from model.evaluation.gate import NO_SKILL

    return f"version {change.version}{' (no skill)' if report.skill(change) == NO_SKILL else ''}"


def _when(change: "StageChange") -> str:
    return f"{change.at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _by(change: "StageChange") -> str:
    if change.decision in (DecisionWord.BY_HAND, DecisionWord.FOUND):
        return change.decision
    return f"{change.decision} {change.by if change.by.startswith('by ') else f'by {change.by}'}"


def _reasons(change: "StageChange", margin: str) -> Iterator[str]:
    if change.forced:
        yield f"{margin}Against the gate, because: {change.forced}"
    yield from (f"{margin}{reason}" for reason in change.reasons)
