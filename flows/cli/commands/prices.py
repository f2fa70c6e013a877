"""What `tomorrow prices` answers: JSON for programs, tables for people."""

from collections.abc import Sequence
from typing import Any

from flows.cli.prices_report import Outcome
from tasks.prices.fetch_record import FetchRecord
from tasks.prices.inventory import Holding

SHORT = 12  # digits of a snapshot's name that people are shown; six are enough for --vintage


def stock_json(holdings: Sequence[Holding]) -> dict[str, Any]:
    """The object of `tomorrow prices --json`."""
    return {"securities": [_holding_json(holding) for holding in holdings]}


def fetch_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The object of `tomorrow prices --fetch --json`."""
    return {
        "securities": [_outcome_json(outcome) for outcome in outcomes],
        "fetched": sum(outcome.record is not None and not outcome.kept for outcome in outcomes),
        "kept": sum(outcome.kept for outcome in outcomes),
        "failed": sum(outcome.error is not None for outcome in outcomes),
        "not_asked": sum(_not_asked(outcome) for outcome in outcomes),
    }


def stock_text(holdings: Sequence[Holding], *, in_full: bool) -> str:
    """What `tomorrow prices` prints; of securities that were named, every fetch."""
    if not holdings:
        return "Nothing is stored yet.\n  next     tomorrow prices --fetch"
    head = ("security", "newest", "fresh", "snapshots", "fetched (UTC)", "last change", "restatements")
    lines = _table([head, *(_holding_row(holding) for holding in holdings)])
    for holding in holdings:
        lines += [f"  damaged: {line}" for line in holding.damaged]
        lines += _restatements(holding)
        if in_full:
            lines += ["", f"fetches of {holding.ticker}", *_fetches(holding)]
    return "\n".join(lines)


def fetch_text(outcomes: Sequence[Outcome]) -> str:
    """What `tomorrow prices --fetch` prints: a line for each security, and what had changed below it."""
    width = max(len(outcome.ticker) for outcome in outcomes)
    lines = [line for outcome in outcomes for line in _outcome_lines(outcome, width)]
    told = fetch_json(outcomes)
    if len(outcomes) > 1:
        parts = {"fetched": "fetched", "kept": "fetched before", "failed": "failed", "not_asked": "not asked for"}
        lines += ["", ", ".join(f"{told[key]} {word}" for key, word in parts.items() if told[key])]
    if told["not_asked"]:
        lines.append("Yahoo asks us to wait. In half an hour the same command goes on with the rest.")
    return "\n".join(lines)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The first failure's; where Yahoo was not asked any more there was one."""
    return next((outcome.error.exit_code for outcome in outcomes if outcome.error is not None), 0)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        return {"ticker": outcome.ticker, "error": outcome.error.as_json()}
    if outcome.record is None:
        return {"ticker": outcome.ticker, "error": None}
    return {"ticker": outcome.ticker, "kept": outcome.kept, **record_json(outcome.record)}


def _outcome_lines(outcome: Outcome, width: int) -> list[str]:
    name, record, error = outcome.ticker.ljust(width), outcome.record, outcome.error
    if error is not None:
        first, *rest = str(error).splitlines()
        return [f"{name}  {error.kind}: {first}", *(f"{' ' * width}  {line}" for line in rest)]
    if record is None:
        return [f"{name}  not asked for"]
    change = "as before" if outcome.kept else record.verdict
    told = () if outcome.kept else (*record.changes, *record.notes)
    return [
        f"{name}  {change:<9} {record.sessions:>6} sessions, {record.first} to {record.last}  "
        f"{record.fingerprint[:SHORT]}",
        *(f"{' ' * width}  - {line}" for line in told),
    ]


def _not_asked(outcome: Outcome) -> bool:
    return outcome.record is None and outcome.error is None


def record_json(record: FetchRecord) -> dict[str, Any]:
    """One fetch."""
    return record.model_dump(mode="json", exclude={"format"})


def _holding_json(holding: Holding) -> dict[str, Any]:
    return {
        "ticker": holding.ticker,
        "fresh": holding.newest is not None and not holding.missing,
        "missing": [str(day) for day in holding.missing],
        "snapshots": holding.snapshots,
        "fetches": holding.fetches,
        "newest": None if holding.newest is None else record_json(holding.newest),
        "restatements": [record_json(record) for record in holding.restatements],
        "records": [record_json(record) for record in holding.records],
        "damaged": list(holding.damaged),
    }


def _holding_row(holding: Holding) -> tuple[str, ...]:
    counts = f"{holding.snapshots} of {holding.fetches} fetches"
    restatements = str(len(holding.restatements) or "none")
    newest = holding.newest
    if newest is None:
        return holding.ticker, "none", "no", counts, "", "", restatements
    lacking = len(holding.missing)
    fresh = "yes" if not lacking else f"no, lacks {lacking} session" + ("" if lacking == 1 else "s")
    return (
        holding.ticker,
        str(newest.last),
        fresh,
        counts,
        f"{newest.fetched_at:%Y-%m-%d %H:%M}",
        newest.verdict,
        restatements,
    )


def _restatements(holding: Holding) -> list[str]:
    lines = []
    for record in holding.restatements:
        settled = f"accepted by {record.accepted.by}" if record.accepted else "not accepted"
        lines.append(f"  {holding.ticker} restated, fetched {record.fetched_at:%Y-%m-%d %H:%M} UTC, {settled}:")
        lines += [f"    - {line}" for line in record.changes]
    return lines


def _fetches(holding: Holding) -> list[str]:
    rows = [("fetched (UTC)", "change", "sessions", "newest", "snapshot")]
    rows += [
        (
            f"{record.fetched_at:%Y-%m-%d %H:%M}",
            record.verdict,
            str(record.sessions),
            str(record.last),
            record.fingerprint[:SHORT],
        )
        for record in holding.records
    ]
    return [f"  {line}" for line in _table(rows)]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
