"""`tomorrow prices`: what is stored, and a fetch of one or many securities. It needs neither Prefect nor MLflow."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from flows.cli.command import command
from flows.cli.configuration import prepare, tickers
from flows.cli.options import AcceptRestatement, From, Reason, Ticker, TickersFile, day, flag, option
from flows.cli.result import Answer, CommandResult, lines, say, table
from model.config import PriceRequest
from model.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tasks.prices.fetch_many import Outcome
    from tasks.prices.fetch_record import FetchRecord
    from tasks.prices.inventory import Holding
    from tasks.settings import Settings

SHORT = 12  # digits of a snapshot's name that people are shown; six are enough for --vintage


def _dumped(record: "FetchRecord") -> dict[str, Any]:
    """One fetch, as its record holds it."""
    return record.model_dump(mode="json", exclude={"format"})


Accepted = Annotated[dict[str, Any], BeforeValidator(lambda day: day.model_dump(mode="json"))]
Record = Annotated[dict[str, Any], BeforeValidator(_dumped)]


class HoldingAnswer(Answer):
    """One security in the store."""

    ticker: str
    fresh: bool
    missing: tuple[date, ...]
    snapshots: int
    fetches: int
    newest: Record | None
    restatements: tuple[Record, ...]
    records: tuple[Record, ...]
    damaged: tuple[str, ...]
    accepted: tuple[Accepted, ...]


class HoldingsAnswer(Answer):
    """The object of `tomorrow prices --json`."""

    securities: tuple[HoldingAnswer, ...]


class OutcomesAnswer(Answer):
    """The object of `tomorrow prices --fetch --json`: of each security its record, or the error."""

    securities: tuple[dict[str, Any], ...]
    fetched: int
    kept: int
    failed: int
    not_asked: int


@command("tomorrow prices --fetch --ticker META --ticker AAPL")
def prices(
    ticker: Ticker = [],  # noqa: B006 - typer makes a list of its own
    tickers_file: TickersFile = None,
    fetch: Annotated[
        bool, flag("--fetch", "Fetch the prices from Yahoo, and keep a snapshot of each security's.")
    ] = False,
    accept_restatement: AcceptRestatement = False,
    first: From = None,
    accept: Annotated[
        list[date],
        option(
            "--accept",
            "DAY",
            "Accept the prices of that day (YYYY-MM-DD) of one --ticker as correct; recorded; repeat for several.",
            parser=day,
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer makes a list of its own
    reason: Reason = "",
) -> CommandResult:
    """Show which prices are stored, how fresh they are and what was restated, or fetch them.

    Without --ticker: of all securities that are stored.
    """
    settings, _ = prepare()
    from flows.runs.clock import now
    from tasks.prices.fetch_many import named_securities
    from tasks.prices.inventory import stored_prices

    named = named_securities(tickers(ticker, tickers_file), settings)
    if accept:
        _accept(named, accept, reason, settings)
    elif reason:
        have, need = "no day to accept", "--accept DAY, which the reason is for"
        raise UsageError("--reason", have=have, need=need, remedy="add --accept, or leave --reason out")
    if fetch:
        return _fetch(named, settings, accept_restatement, first)
    if first is not None:
        have, need = "no --fetch", "prices that are fetched, and checked from that day on"
        raise UsageError(f"--from {first}", have=have, need=need, remedy="add --fetch, or leave --from out")
    holdings = stored_prices(named, settings, now())
    answer = HoldingsAnswer(securities=tuple(map(HoldingAnswer.model_validate, holdings)))
    return CommandResult(answer, _holdings_text(holdings, in_full=bool(named)))


def _accept(named: Sequence[str], days: Sequence[date], reason: str, settings: "Settings") -> None:
    """Record that a person accepts days of the one named security."""
    from flows.runs.clock import now
    from tasks.prices.accepted import accept_days
    from tasks.prices.request import resolve
    from tasks.system.lock import user_name

    if len(named) != 1:
        raise UsageError(
            f"--accept {days[0]}",
            have=f"{len(named)} securities",
            need="the one security whose prices of that day are right",
            remedy="name it with --ticker",
        )
    today = resolve(PriceRequest(ticker=named[0]), settings, now()).calendar.today(now())
    accept_days(named[0], days, by=user_name(), at=now(), reason=reason, today=today, settings=settings)


def _fetch(named: Sequence[str], settings: "Settings", accept_restatement: bool, first: date | None) -> CommandResult:
    from flows.runs.clock import now
    from flows.runs.progress import fetching_progress
    from tasks.prices.fetch_many import fetch_many, fetchable

    wanted = fetchable(named, settings)
    with fetching_progress(len(wanted)) as show:
        outcomes = fetch_many(
            wanted, settings, accept_restatement=accept_restatement, first=first, now=now, show=show, say=say
        )
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    answer = OutcomesAnswer(
        securities=tuple(map(_outcome, outcomes)),
        fetched=sum(outcome.record is not None and not outcome.kept for outcome in outcomes),
        kept=sum(outcome.kept for outcome in outcomes),
        failed=sum(outcome.error is not None for outcome in outcomes),
        not_asked=sum(outcome.record is None and outcome.error is None for outcome in outcomes),
    )
    # The first failure's: where Yahoo was no longer asked, there was one.
    exit_code = next((outcome.error.exit_code for outcome in outcomes if outcome.error is not None), 0)
    return CommandResult(answer, _fetch_text(outcomes, answer), exit_code)


def _outcome(outcome: "Outcome") -> dict[str, Any]:
    if outcome.record is None:
        return {"ticker": outcome.ticker, "error": outcome.error and outcome.error.as_json()}
    return {"ticker": outcome.ticker, "kept": outcome.kept, **_dumped(outcome.record)}


def _holdings_text(holdings: "Sequence[Holding]", *, in_full: bool) -> "RenderableType":
    """The securities; of those that were named, every fetch."""
    if not holdings:
        return "Nothing is stored yet.\n  next     tomorrow prices --fetch"
    head = ("security", "newest", "fresh", "snapshots", "fetched (UTC)", "last change", "restatements")
    parts: list[RenderableType] = [table(head, map(_holding_row, holdings))]
    for holding in holdings:
        parts += [f"  damaged: {line}" for line in holding.damaged]
        parts += _restatements(holding)
        parts += [f"  {holding.ticker} {one.day} {one}" for one in holding.accepted]
        if in_full:
            parts += ["", f"fetches of {holding.ticker}", _fetches(holding)]
        if not holding.fetches:
            parts.append(f"  next     tomorrow prices --fetch --ticker {holding.ticker}")
    return lines(*parts)


def _holding_row(holding: "Holding") -> tuple[str, ...]:
    counts = f"{holding.snapshots} of {holding.fetches} fetches"
    restatements = str(len(holding.restatements) or "none")
    newest = holding.newest
    if newest is None:
        return holding.ticker, "none", "no", counts, "", "", restatements
    lacking = len(holding.missing)
    fresh = "yes" if not lacking else f"no, lacks {lacking} session" + ("" if lacking == 1 else "s")
    return holding.ticker, str(newest.last), fresh, counts, _moment(newest), newest.verdict, restatements


def _restatements(holding: "Holding") -> list[str]:
    found = []
    for record in holding.restatements:
        settled = f"accepted by {record.accepted.by}" if record.accepted else "not accepted"
        found.append(f"  {holding.ticker} restated, fetched {_moment(record)} UTC, {settled}:")
        found += [f"    - {line}" for line in record.changes]
    return found


def _fetches(holding: "Holding") -> "RenderableType":
    rows = (
        (_moment(each), each.verdict, str(each.sessions), str(each.last), each.fingerprint[:SHORT])
        for each in holding.records
    )
    return table(("fetched (UTC)", "change", "sessions", "newest", "snapshot"), rows, indent=2)


def _moment(record: "FetchRecord") -> str:
    return f"{record.fetched_at:%Y-%m-%d %H:%M}"


def _fetch_text(outcomes: "Sequence[Outcome]", answer: OutcomesAnswer) -> str:
    """A line for each security, and what had changed below it."""
    width = max(len(outcome.ticker) for outcome in outcomes)
    shown = [line for outcome in outcomes for line in _outcome_lines(outcome, width)]
    if len(outcomes) > 1:
        words = ("fetched", "fetched before", "failed", "not asked for")
        counts = zip((answer.fetched, answer.kept, answer.failed, answer.not_asked), words, strict=True)
        shown += ["", ", ".join(f"{count} {word}" for count, word in counts if count)]
    if answer.not_asked:
        shown.append("Yahoo asks us to wait. In half an hour the same command goes on with the rest.")
    return "\n".join(shown)


def _outcome_lines(outcome: "Outcome", width: int) -> list[str]:
    name, record, error = outcome.ticker.ljust(width), outcome.record, outcome.error
    if error is not None:
        first, *rest = str(error).splitlines()
        return [f"{name}  {error.kind}: {first}", *(f"{' ' * width}  {line}" for line in rest)]
    if record is None:
        return [f"{name}  not asked for"]
    change = "as before" if outcome.kept else record.verdict
    noted = () if outcome.kept else (*record.changes, *record.notes)
    return [
        f"{name}  {change:<9} {record.sessions:>6} sessions, {record.first} to {record.last}  "
        f"{record.fingerprint[:SHORT]}",
        *(f"{' ' * width}  - {line}" for line in noted),
    ]
