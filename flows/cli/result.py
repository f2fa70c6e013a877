"""A command's result: one JSON object for programs, the same as text for people, an exit code."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SerializeAsAny

from model.config import PriceRequest
from model.errors import TomorrowError, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tasks.settings import Settings

# Lines are never wrapped: a terminal wraps them itself, and a program needs them whole.
WIDTH = 10_000


# A time as JSON has it, and the length of a list that a report holds.
Moment = Annotated[datetime, PlainSerializer(datetime.isoformat)]
Count = Annotated[int, BeforeValidator(len)]
# A figure that may be undefined, which JSON has no number for.
Finite = Annotated[float | None, BeforeValidator(lambda value: value if math.isfinite(value) else None)]


class Answer(BaseModel):
    """A command's JSON object, or a part of it.

    Its fields are read from a report's attributes of the same names, or from those that `of` names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    def as_json(self) -> str:
        """The object as it is printed; what JSON has no type for is printed as text."""
        return json.dumps(self.model_dump(by_alias=True), indent=2, default=str)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The JSON object, the same for people, and the exit code."""

    answer: Answer
    text: "RenderableType"
    exit_code: int = 0


def of(path: str, *default: Any, **more: Any) -> Any:
    """A field that is read from an attribute of an attribute; the default where one on the way is None."""
    return Field(*default, validation_alias=AliasPath(*path.split(".")), **more)


class FetchAnswer(Answer):
    """How a command's prices were fetched, and what was noticed about them."""

    notes: tuple[str, ...] = of("prices.notes")
    verdict: str
    snapshot: str | None
    stale: bool
    missing: tuple[date, ...]


class PricesAnswer(FetchAnswer):
    """The prices that a training or a backtest was given."""

    fingerprint: str = of("prices.fingerprint")
    sessions: Count = of("prices")
    first: date = of("prices.first")
    last: date = of("prices.last")


class FailureAnswer(Answer):
    """One security of several that could not be done."""

    ticker: str
    error: dict[str, Any]


class SecuritiesAnswer(Answer):
    """One answer for each of several securities."""

    securities: tuple[SerializeAsAny[Answer], ...]
    failed: int


def for_each(
    wanted: Sequence[PriceRequest], pause: float, run: Callable[[PriceRequest], CommandResult]
) -> CommandResult:
    """Run one security after the other, with a pause between; a failure does not stop the others.

    A single one answers, or fails, by itself.
    """
    if len(wanted) == 1:
        return run(wanted[0])
    results: list[CommandResult] = []
    for request in wanted:
        if results:
            time.sleep(pause)
        results.append(attempt(request, run))
    return together(results)


def attempt(request: PriceRequest, run: Callable[[PriceRequest], CommandResult]) -> CommandResult:
    """The result for one security of several, or its failure."""
    try:
        return run(request)
    except TomorrowError as error:
        return failure(request, error)


def failure(request: PriceRequest, error: TomorrowError) -> CommandResult:
    """What kept one security of several from having a result."""
    answer = FailureAnswer(ticker=request.ticker, error=error.as_json())
    return CommandResult(answer, f"{request.ticker}: {error}", error.exit_code)


def together(results: Sequence[CommandResult]) -> CommandResult:
    """One result for several securities; the first failure's exit code is the command's."""
    failed = [result.exit_code for result in results if result.exit_code]
    summary = f"{len(results) - len(failed)} of {len(results)} securities done"
    return CommandResult(
        SecuritiesAnswer(securities=tuple(result.answer for result in results), failed=len(failed)),
        lines(*(part for result in results for part in (result.text, "")), summary),
        failed[0] if failed else 0,
    )


def lines(*parts: "RenderableType") -> "RenderableType":
    """Text and tables below one another; rich is loaded only where there is a table."""
    if all(isinstance(part, str) for part in parts):
        return "\n".join(str(part) for part in parts)
    from rich.console import Group

    return Group(*(printable(part, keep="\n") if isinstance(part, str) else part for part in parts))


def say(line: str) -> None:
    """Write a line to standard error, beside the answer."""
    shown = printable(line, keep="\n")
    sys.stderr.write(f"tomorrow: {shown}\n")


def look(run_url: str, settings: "Settings") -> tuple[str, ...]:
    """Where MLflow shows a run."""
    served = settings.tracking_uri.is_server
    return (f"  look     {run_url}", *(() if served else ("           (once MLflow's pages are up: tomorrow up)",)))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = False, indent: int = 0
) -> "RenderableType":
    """A table without lines; with `figures` every column except the first is aligned right."""
    from rich.padding import Padding
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for at, title in enumerate(head):
        shown.add_column(title, justify="right" if figures and at else "left")
    for row in rows:
        shown.add_row(*map(printable, row))
    return Padding.indent(shown, indent)


def rendered(text: "RenderableType", *, terminal: bool) -> str:
    """The text as it is printed: headings stand out on a terminal, and nothing is wrapped anywhere."""
    if isinstance(text, str):
        return printable(text, keep="\n")
    from rich.console import Console

    # Without a height Rich takes a dumb terminal's width instead.
    console = Console(width=WIDTH, height=100, force_terminal=terminal, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(text)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
