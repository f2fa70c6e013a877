"""`tomorrow history`: the record of a model's stages. It needs no Prefect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import Model, day, flag, option
from flows.cli.result import Answer, CommandResult, Moment
from model.evaluation.decision import DecisionWord

if TYPE_CHECKING:
    from tasks.registry.registry import Registry
    from tasks.registry.stage_history import StageChange, StageHistory
    from tasks.settings import Settings

SHOWN = ("Production", "Staging", "Archived")
# Without --all: how many of the highest versions in each stage, and how many of the newest lines.
VERSIONS, LINES = 20, 50
# The schedules run by its time, and an evening's training belongs to that day.
NEW_YORK = ZoneInfo("America/New_York")
# For a history without lines, which is the same at any time.
ANY_TIME = datetime.max.replace(tzinfo=UTC)


class ChangeAnswer(Answer):
    """A change or a decision: of which version, by whom, why.

    verdict:   what was known of its skill at the end of the reported time; null where nothing was judged
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
    """A version in its stage, and the change that put it there.

    preset: what it was trained with, with its changes; null where MLflow does not have it
    """

    stage: str
    preset: str | None
    since: Moment


class MoveAnswer(ChangeAnswer):
    """A line of the record."""

    at: Moment
    before: str
    after: str
    move: str


class HistoryAnswer(Answer):
    """The object of `tomorrow history --json`.

    on:      the day that was asked for; null for now
    stages:  which versions were where at the end of that day, or are now, Production first
    changes: the newest changes and decisions up to then, oldest first; with --all every one
    notes:   what was found changed by hand just now
    more:    how many versions, by stage, and how many `changes` only --all shows
    """

    model: str
    on: date | None
    stages: tuple[StageAnswer, ...]
    changes: tuple[MoveAnswer, ...]
    notes: tuple[str, ...]
    more: dict[str, int]


@command("tomorrow history META-Open --on 2020-06-15")
def history(
    model: Model,
    on: Annotated[
        date | None, option("--on", "DATE", "Show only how it was at the end of that day in New York.", parser=day)
    ] = None,
    everything: Annotated[
        bool, flag("--all", f"Show every version and change, not only {VERSIONS} per stage and {LINES} changes.")
    ] = False,
) -> CommandResult:
    """Show which version was in which stage when, by whose decision and why."""
    settings, _ = prepare()
    answer = read_history(model, settings, on, everything=everything)
    return CommandResult(answer, _text(answer))


def read_history(model: str, settings: "Settings", on: date | None, *, everything: bool = False) -> HistoryAnswer:
    """Read a model's history, after recording what was changed by hand in MLflow; UsageError where there is none."""
    from flows.runs.clock import now
    from tasks.ledger.totals import Totals
    from tasks.registry.errors import unknown_model
    from tasks.registry.registry import Registry
    from tasks.tracking.client import open_tracking

    registry = Registry(open_tracking(settings))
    at = now()
    notes = registry.settle(model, at)
    if not registry.history.count(model) and model not in registry.models():
        raise unknown_model(model, registry.models())
    # How it was on another day takes a look at every line.
    told = _told(registry.history, model, on, everything) if on or everything else _told_lately(registry.history, model)
    forecasts = Totals(settings.ledger_uri).by_version(model)
    presets = _presets(registry, model, {change.version for there in told.stages.values() for change in there})

    def about(change: "StageChange") -> dict[str, Any]:
        found = {name: getattr(change, name) for name in ("version", "decision", "by", "reasons", "forced")}
        return found | {"verdict": told.verdicts.get(change.version), "forecasts": forecasts.get(change.version, 0)}

    return HistoryAnswer(
        model=model,
        on=on,
        stages=tuple(
            StageAnswer(stage=stage, preset=presets.get(change.version), since=change.at, **about(change))
            for stage in SHOWN
            for change in told.stages[stage]
        ),
        changes=tuple(
            MoveAnswer(at=change.at, before=change.before, after=change.after, move=change.move, **about(change))
            for change in told.changes
        ),
        notes=notes,
        more={name: n for name, n in told.more.items() if n},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is shown of a history.

    stages:   stage -> the line by which each of its versions came into it, in order of version
    changes:  lines, oldest first
    verdicts: version -> what was known of its skill last
    more:     how many versions, by stage, and how many `changes` there are besides
    """

    stages: "Mapping[str, Sequence[StageChange]]"
    changes: "Sequence[StageChange]"
    verdicts: Mapping[int, str]
    more: Mapping[str, int]


def _told(history: "StageHistory", model: str, on: date | None, everything: bool) -> Told:
    """How it was at the end of a day, or is now, from every line."""
    from tasks.registry.stage_history import stages_at

    changes = history.changes(model)
    until = end_of_day(on) if on else max((change.at for change in changes), default=ANY_TIME)
    shown = [change for change in changes if change.at <= until]
    entered = [change for _, change in sorted(stages_at(changes, until).items())]
    there = {stage: [change for change in entered if change.after == stage] for stage in SHOWN}
    few = {stage: found if everything else found[-VERSIONS:] for stage, found in there.items()}
    newest = shown if everything else shown[-LINES:]
    more = {stage: len(found) - len(few[stage]) for stage, found in there.items()}
    return Told(
        stages=few,
        changes=newest,
        verdicts=_verdicts(shown),
        more={**more, "changes": len(shown) - len(newest)},
    )


def _told_lately(history: "StageHistory", model: str) -> Told:
    """How it is now, from the newest lines and those of the newest versions in each stage."""
    from tasks.registry.stage_history import stages_at

    changes = history.tail(model, LINES)
    there = {stage: history.in_stage(model, stage) for stage in SHOWN}
    few = {stage: sorted(numbers[:VERSIONS]) for stage, numbers in there.items()}
    named = {change.version for change in changes}.union(*few.values())
    lines = history.of_versions(model, named)
    entered = stages_at(lines, max((line.at for line in lines), default=ANY_TIME))
    more = {stage: len(numbers) - len(few[stage]) for stage, numbers in there.items()}
    return Told(
        stages={stage: [entered[number] for number in few[stage] if number in entered] for stage in SHOWN},
        changes=changes,
        verdicts=_verdicts(lines),
        more={**more, "changes": history.count(model) - len(changes)},
    )


def _presets(registry: "Registry", model: str, shown: set[int]) -> dict[int, str | None]:
    """The preset of each version that is shown, as far as MLflow has it."""
    versions = registry.newest(model)
    if len(shown) > len(versions):
        versions = registry.versions(model)
    known = {version.version: version.preset for version in versions}
    older = (registry.find(model, number) for number in sorted(shown - known.keys()))
    return known | {version.version: version.preset for version in older if version is not None}


def _verdicts(lines: "Sequence[StageChange]") -> dict[int, str]:
    return {line.version: line.verdict for line in lines if line.verdict is not None}


def end_of_day(on: date) -> datetime:
    """The last moment of a day in New York."""
    return datetime.combine(on + timedelta(days=1), time(), NEW_YORK) - timedelta(microseconds=1)


def _text(answer: HistoryAnswer) -> str:
    when = "now (times are New York's)" if answer.on is None else f"at the end of {answer.on}, New York time"
    lines = [*(f"note: {note}" for note in answer.notes), f"{answer.model} {when}:"]
    if not answer.stages:
        lines.append(f"  nothing is on record{'' if answer.on is None else ' by then'}")
    for there in answer.stages:
        forecasts = f"{there.forecasts} forecast{'' if there.forecasts == 1 else 's'}"
        made = f"; {forecasts} in the ledger" if there.forecasts else ""
        preset = f", preset {there.preset}" if there.preset else ""
        lines.append(f"  {there.stage:<11}{_named(there)}{preset}, since {_when(there.since)}, {_by(there)}{made}")
        lines += _reasons(there, " " * 13)
    for stage, n in answer.more.items():
        if stage in SHOWN:
            lines.append(f"  {stage:<11}{n:,} more version{'' if n == 1 else 's'}; --all shows every one")
    if answer.on is None and answer.changes:
        left_out, shown = answer.more.get("changes", 0), len(answer.changes)
        newest = f"The newest {shown} of {shown + left_out:,} changes and decisions; --all shows every one:"
        lines += ["", newest if left_out else "Every change and decision:"]
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
