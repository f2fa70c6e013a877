"""What `tomorrow history` answers: JSON for programs, a few lines for people."""

from collections.abc import Iterator
from typing import Any

from flows.cli.history_report import NEW_YORK, HistoryReport
from model.evaluation.decision import DecisionWord
from model.evaluation.gate import NO_SKILL
from tasks.registry.stage_history import StageChange

SHOWN = ("Production", "Staging", "Archived")


def history_json(report: HistoryReport) -> dict[str, Any]:
    """The object of `tomorrow history --json`."""
    return {
        "model": report.model,
        "on": None if report.on is None else report.on.isoformat(),
        "stages": [
            {"stage": change.after, "since": change.at.isoformat(), **_line(change, report)}
            for change in _by_stage(report)
        ],
        "changes": [
            {
                "at": change.at.isoformat(),
                "before": change.before,
                "after": change.after,
                "move": change.move,
                **_line(change, report),
            }
            for change in report.changes
        ],
        "notes": list(report.notes),
    }


def history_text(report: HistoryReport) -> str:
    """What `tomorrow history` prints: how it stood on a day, or every change there was."""
    when = "now" if report.on is None else f"at the end of {report.on}, New York time"
    lines = [*(f"note: {note}" for note in report.notes), f"{report.model} {when}:"]
    standing = list(_by_stage(report))
    if not standing:
        since = "" if report.on is None else " by then"
        lines.append(f"  nothing is on record{since}")
    for change in standing:
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


def _by_stage(report: HistoryReport) -> Iterator[StageChange]:
    for stage in SHOWN:
        for _, change in sorted(report.standing.items()):
            if change.after == stage:
                yield change


def _line(change: StageChange, report: HistoryReport) -> dict[str, Any]:
    return {
        "version": change.version,
        "skill": _skill(change, report),
        "decision": change.decision.value,
        "by": change.by,
        "reasons": list(change.reasons),
        "forced": change.forced,
        "forecasts": report.forecasts.get(change.version, 0),
    }


def _skill(change: StageChange, report: HistoryReport) -> str | None:
    """The newest that was judged of the version, by the end of what is reported."""
    judged = [other.skill for other in report.changes if other.version == change.version and other.skill is not None]
    return judged[-1] if judged else None


def _named(change: StageChange, report: HistoryReport) -> str:
    return f"version {change.version}{' (no skill)' if _skill(change, report) == NO_SKILL else ''}"


def _when(change: StageChange) -> str:
    return f"{change.at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _by(change: StageChange) -> str:
    return change.decision if change.decision == DecisionWord.BY_HAND else f"{change.decision} by {change.by}"


def _reasons(change: StageChange, margin: str) -> Iterator[str]:
    if change.forced:
        yield f"{margin}Against the gate, because: {change.forced}"
    yield from (f"{margin}{reason}" for reason in change.reasons)
