"""`tomorrow forecasts`: the ledger as a list, and as CSV. It needs neither Prefect nor MLflow."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import number, option, path
from flows.cli.result import Answer, CommandResult, Moment, lines, of, table
from model.artifact.sessions_ahead import FURTHEST
from model.forecaster.explanation import Explanation

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tasks.forecasts.listing import ListedForecast, Listing
    from tasks.ledger.forecasts import RecordedForecast

# How many of the newest a terminal shows without --last.
SHOWN = 30
HEAD = ("model", "by", "forecast", "naive", "happened", "CRPS", "")


def positive(text: str | int) -> int:
    """A number of forecasts: 1 or more."""
    if number(text) < 1:
        raise typer.BadParameter(f"{text!r} is not 1 or more")
    return min(number(text), 2**31 - 1)  # what every database can hold


def ahead(text: str) -> str:
    """Sessions ahead as they are written, such as 5 or 1,5."""
    try:
        found = sorted({int(each) for each in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1 or found[-1] > FURTHEST:
        raise typer.BadParameter(f"{text!r} is no list of sessions ahead from 1 to {FURTHEST}, such as 1,5")
    return ",".join(map(str, found))


class ListedAnswer(Answer):
    """One forecast as the ledger holds it, and its score.

    version:    null for the naive distribution
    observed:   the actual price; null until it is known
    error:      actual price minus forecast; null for a late one, which has no score
    crps:       of its distribution; naive_crps: of each naive distribution by name
    explanation: what made it wide or narrow: usual times every one of factors is scale; null where there is none
    horizon:    how many sessions ahead it is; 1 is the next session
    """

    session: date = of("row.session")
    model: str = of("row.model")
    ticker: str = of("row.ticker")
    column: str = of("row.column")
    version: int | None = of("row.version")
    as_of: date = of("row.as_of")
    made_at: Moment = of("row.made_at")
    late: bool = of("row.late")
    currency: str | None = of("row.currency")
    forecast: float = of("row.forecast")
    lower: float | None = of("row.lower")
    upper: float | None = of("row.upper")
    level: float | None = of("row.level")
    intervals: dict[int, tuple[float, float]] = of("row.intervals")
    quantiles: Mapping[float, float] = of("row.quantiles")
    naive: float = of("row.naive")
    naive_name: str = of("row.naive_name")
    naives: Mapping[str, float] = of("row.naives")
    observed: float | None = of("row.observed")
    observed_at: Moment | None = of("row.observed_at")
    error: float | None
    crps: float | None
    naive_crps: Mapping[str, float | None]
    source: str = of("row.source")
    stale: bool = of("row.stale")
    without: str | None = of("row.without")
    run_id: str = of("row.run_id")
    fingerprint: str = of("row.fingerprint")
    explanation: Explanation | None = of("row.explanation")
    horizon: int = of("row.horizon")


class ForecastsAnswer(Answer):
    """The object of `tomorrow forecasts --json`.

    model:     the one that was asked for; null for all
    total:     how many forecasts there are of the horizons that were asked for, of it or of all
    horizons:  how many sessions ahead there are forecasts in the ledger, of it or of all
    cone:      of one model: its newest forecasts of sessions after the next one, the nearest first
    forecasts: all of them, or the --last ones, by session, the newest last
    csv:       the file that they were written to, if one was named
    """

    model: str | None
    total: int
    forecasts: tuple[ListedAnswer, ...]
    horizons: tuple[int, ...]
    cone: tuple[ListedAnswer, ...]
    csv: str | None


@command("tomorrow forecasts META-Open --last 21 --csv forecasts.csv")
def forecasts(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Only of that model, such as META-Open (default: all).")
    ] = None,
    csv: Annotated[
        str | None,
        option("--csv", "FILE", "Also write them to FILE with all their figures, for spreadsheets.", parser=path),
    ] = None,
    last: Annotated[
        int | None,
        option("--last", "N", f"Only the newest N (default: all; on a terminal {SHOWN}).", parser=positive),
    ] = None,
    horizon: Annotated[
        str, option("--horizon", "N,N", "Those made so many sessions ahead, such as 5 or 1,5.", parser=ahead)
    ] = "1",
) -> CommandResult:
    """List the forecasts in the ledger, with the actual prices and the scores."""
    settings, _ = prepare()
    from tasks.forecasts.listing import list_forecasts, write_csv

    listing = list_forecasts(settings, model, last, tuple(map(int, horizon.split(","))))
    if csv is not None:
        write_csv(Path(csv), listing.forecasts)
    answer = ForecastsAnswer(
        model=model,
        total=listing.total,
        forecasts=tuple(map(ListedAnswer.model_validate, listing.forecasts)),
        horizons=listing.horizons,
        cone=tuple(map(ListedAnswer.model_validate, listing.cone)),
        csv=csv,
    )
    return CommandResult(answer, _text(listing, csv, last))


def _text(listing: "Listing", csv: str | None, last: int | None) -> "RenderableType":
    listed, total = listing.forecasts, listing.total
    shown = listed if last is not None else listed[-SHOWN:]
    levels = {one.row.level for one in shown if one.row.level is not None}
    title = f"{100 * levels.copy().pop():g} % interval" if len(levels) == 1 else "interval"
    further = any(one.row.horizon > 1 for one in shown)
    head = ("session", *(("ahead",) if further else ()), *HEAD[:3], title, *HEAD[3:])
    rows = (_row(one, same_level=len(levels) == 1, further=further) for one in shown)
    parts: list[RenderableType] = [table(head, rows, figures=True)]
    if len(shown) < total:
        parts += ["", f"The newest {len(shown):,} of {total:,} forecasts; --last N shows more or fewer."]
    if not further:
        parts += _cone(listing)
    if any(one.row.late for one in shown):
        parts += ["", "late: made after that session opened; it is not scored."]
    if any(one.row.without for one in shown):
        parts += ["", "without: that other series was not known when it was made."]
    if csv is not None:
        parts += ["", f"{len(listed):,} forecast{'' if len(listed) == 1 else 's'} written to {csv}"]
    return lines(*parts)


def _cone(listing: "Listing") -> list[str]:
    """The newest forecasts of one model for later sessions, a line each; else which horizons there are."""
    ahead = ",".join(str(horizon) for horizon in listing.horizons if horizon > 1)
    if not ahead:
        return []
    from flows.runs.wording import ahead_sentence

    listed = f"--horizon {ahead} lists the forecasts so many sessions ahead."
    if listing.newest is None or not listing.cone:
        return ["", listed]
    lines = [f"  {ahead_sentence(one.row)}" for one in listing.cone]
    return ["", f"Further ahead, from {listing.newest.row.as_of} ({listing.newest.row.named}):", *lines, f"  {listed}"]


def _row(one: "ListedForecast", *, same_level: bool, further: bool) -> tuple[str, ...]:
    row, money = one.row, one.row.money
    interval = "-"
    if row.lower is not None and row.upper is not None and row.level is not None:
        interval = money.span(row.lower, row.upper) + ("" if same_level else f" ({100 * row.level:g} %)")
    return (
        str(row.session),
        *((str(row.horizon),) if further else ()),
        row.model,
        row.named,
        money.price(row.forecast),
        interval,
        money.price(row.naive),
        "waiting" if row.observed is None else money.price(row.observed),
        "-" if one.crps is None else money.score(one.crps),
        ", ".join(_remarks(row)),
    )


def _remarks(row: "RecordedForecast") -> Iterator[str]:
    if row.late:
        yield "late"
    elif _is_outside(row):
        yield "outside"
    if row.without:
        yield f"without {row.without}"


def _is_outside(row: "RecordedForecast") -> bool:
    """Whether the actual price lies outside the interval, both as they are shown."""
    if row.observed is None or row.lower is None or row.upper is None:
        return False
    digits = row.money.digits
    return not round(row.lower, digits) <= round(row.observed, digits) <= round(row.upper, digits)
