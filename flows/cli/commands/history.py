"""`tomorrow history`: what is on record of a model's stages. It needs no Prefect."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import Model, day, option
from flows.cli.result import Answer, CommandResult, Moment
from model.evaluation.decision import DecisionWord

if TYPE_CHECKING:
    from tasks.registry.stage_history import StageChange
    from tasks.settings import Settings

SHOWN = ("Production", "Staging", "Archived")
# The schedules run by it, and what is trained in the evening belongs to that day.
NEW_YORK = ZoneInfo("America/New_York")


class ChangeAnswer(Answer):
    """A change or a decision: of which version, by whom, why.

    verdict:   what was known of its skill, by the end of what is reported; null where nothing was judged
    forecasts: how many of the version's the ledger holds
    """

    version: int
    verdict: str | None
    decision: str
    by: str
    reasons: tuple[str, ...]
    forced: str | None
    forecasts: int


class StageAnswer(ChangeAnswer):
    """A version in its stage, and the change that put it there."""

    stage: str
    since: Moment


class MoveAnswer(ChangeAnswer):
    """A line of the record."""

    at: Moment
    before: str
    after: str
    move: str


class HistoryAnswer(Answer):
    """The object of `tomorrow history --json`.

    on:      the day that was asked for, if one was
    stages:  which versions were where at the end of that day, or are now, Production first
    changes: every change and decision up to then, oldest first
    notes:   what was found changed by hand just now
    """

    model: str
    on: date | None
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
    answer = read_history(model, settings, on)
    return CommandResult(answer, _text(answer))


def read_history(model: str, settings: "Settings", on: date | None) -> HistoryAnswer:
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
    until = end_of_day(on) if on else max((change.at for change in changes), default=at)
    shown = [change for change in changes if change.at <= until]
    verdicts = {change.version: change.verdict for change in shown if change.verdict is not None}
    forecasts = Counter(row.version for row in Ledger(settings.ledger_uri).rows(model))

    def about(change: "StageChange") -> dict[str, Any]:
        found = {name: getattr(change, name) for name in ("version", "decision", "by", "reasons", "forced")}
        return found | {"verdict": verdicts.get(change.version), "forecasts": forecasts[change.version]}

    there = sorted(stages_at(changes, until).items())
    return HistoryAnswer(
        model=model,
        on=on,
        stages=tuple(
            StageAnswer(stage=stage, since=change.at, **about(change))
            for stage in SHOWN
            for _, change in there
            if change.after == stage
        ),
        changes=tuple(
            MoveAnswer(at=change.at, before=change.before, after=change.after, move=change.move, **about(change))
            for change in shown
        ),
        notes=notes,
    )


def end_of_day(on: date) -> datetime:
    """The last moment of a day in New York."""
    return datetime.combine(on + timedelta(days=1), time(), NEW_YORK) - timedelta(microseconds=1)


def _text(answer: HistoryAnswer) -> str:
    when = "now" if answer.on is None else f"at the end of {answer.on}, New York time"
    lines = [*(f"note: {note}" for note in answer.notes), f"{answer.model} {when}:"]
    if not answer.stages:
        lines.append(f"  nothing is on record{'' if answer.on is None else ' by then'}")
    for there in answer.stages:
        forecasts = f"{there.forecasts} forecast{'' if there.forecasts == 1 else 's'}"
        made = f"; {forecasts} in the ledger" if there.forecasts else ""
        lines.append(f"  {there.stage:<11}{_named(there)}, since {_when(there.since)}, {_by(there)}{made}")
        lines += _reasons(there, " " * 13)
    if answer.on is None and answer.changes:
        lines += ["", "Every change and decision:"]
        for change in answer.changes:
            moved = change.after if change.before == change.after else f"{change.before} to {change.after}"
            lines.append(f"  {_when(change.at)}  {_named(change)}: {moved}, {_by(change)}")
            lines += _reasons(change, " " * 20)
    return "\n".join(lines)


def _named(change: ChangeAnswer) -> str:
    from tasks.registry.version import named

    return named(change.version, change.verdict)


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _by(change: ChangeAnswer) -> str:
    if change.decision in (DecisionWord.BY_HAND, DecisionWord.FOUND):
        return change.decision
    return f"{change.decision} {change.by if change.by.startswith('by ') else f'by {change.by}'}"


def _reasons(change: ChangeAnswer, margin: str) -> Iterator[str]:
    if change.forced:
        yield f"{margin}Against the gate, because: {change.forced}"
    yield from (f"{margin}{reason}" for reason in change.reasons)
