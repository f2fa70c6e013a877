"""The findings of checks, in words: what is wrong with prices, what is odd but right, and what can be done about it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from model.market.prices import Days, Prices

DAYS_SHOWN = 5

Cause = Literal["missing", "extra", "number", "negative", "bar", "volume", "move"]

# Days that a source still corrects; the fewest sessions that are worth using alone; more rows on closed days than this
# mean another calendar, not a fault.
_CORRECTED, _WORTH, _MANY = 20, 250, 10


def count_days(days: Days, noun: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{len(days)} {noun}" + ("" if len(days) == 1 else "s")


def list_days(days: Days) -> str:
    """The first days by date, and how many more there are."""
    return ", ".join(str(day) for day in days[:DAYS_SHOWN]) + and_more(len(days))


def and_more(count: int) -> str:
    """How many of `count` days are not shown, such as ` and 3 more`; nothing where all are."""
    return f" and {count - DAYS_SHOWN} more" if count > DAYS_SHOWN else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """One kind of what is wrong or odd, with its days.

    noun:    what the days are counted as; empty where they are not
    details: a few words on each day; empty where nothing is to be said
    fault:   whether the prices cannot be used with it; otherwise it is a note
    """

    what: str
    days: Days
    cause: Cause
    noun: str = ""
    details: tuple[str, ...] = ()
    fault: bool = True

    @property
    def text(self) -> str:
        """One line."""
        lead = f"{count_days(self.days, self.noun)} {self.what}" if self.noun else self.what
        if not self.details:
            return f"{lead}: {list_days(self.days)}"
        shown = [f"{day} ({more})" for day, more in zip(self.days[:DAYS_SHOWN], self.details, strict=False)]
        return f"{lead}: {', '.join(shown)}{and_more(len(self.days))}"

    @property
    def is_acceptable(self) -> bool:
        """Whether a person may accept its days; not where nothing can be computed from the prices."""
        return self.cause not in ("number", "negative")

    def without(self, days: Sequence[date]) -> "Finding":
        """The same without some of its days."""
        kept = ~np.isin(self.days, np.array(days, dtype="datetime64[D]"))
        details = tuple(more for more, keep in zip(self.details, kept.tolist(), strict=False) if keep)
        return replace(self, days=self.days[kept], details=details if self.details else ())


def apart(findings: Sequence[Finding], accepted: Mapping[date, str]) -> tuple[list[Finding], tuple[str, ...]]:
    """The faults that nobody has accepted, and the notes: what is odd but right, and what was accepted by whom."""
    faults: list[Finding] = []
    notes = [found.text for found in findings if not found.fault]
    for found in findings:
        if not found.fault:
            continue
        taken = [day for day in found.days.tolist() if day in accepted] if found.is_acceptable else []
        left = found.without(taken)
        if len(left.days):
            faults.append(left)
        notes += [f"{day}: {found.what}; {accepted[day]}" for day in taken]
    return faults, tuple(notes)


def needed(faults: Sequence[Finding]) -> str:
    """What prices with these faults need."""
    rows = "one correct row for every session of the exchange, and no other row"
    if not any(found.cause == "negative" for found in faults):
        return rows
    return (
        f"{rows}; every price above 0, since a forecast is made from ratios of prices (even if a negative one is true)"
    )


def ways_on(prices: Prices, exchange: str, faults: Sequence[Finding]) -> str:
    """What can be done about these faults, one way per line."""
    return ";\n          or ".join(_ways(prices, exchange, faults))


def _ways(prices: Prices, exchange: str, faults: Sequence[Finding]) -> Iterator[str]:
    ticker, last = prices.security.ticker, prices.sessions[-1]
    causes = {found.cause for found in faults}
    newest = max(found.days[-1] for found in faults)
    # A negative price is rarely an error: a future's was so on two days of April 2020.
    may_be_mended = causes != {"negative"}
    if prices.source == "csv" and may_be_mended:
        yield "correct the days named above in the file"
    after = int(np.searchsorted(prices.sessions, newest, side="right"))
    if prices.source == "yahoo" and may_be_mended and len(prices) - after < _CORRECTED:
        yield "try again later, since Yahoo often corrects its newest days"
    if any(found.cause in ("missing", "extra") and len(found.days) > _MANY for found in faults):
        yield (
            f"if {ticker} does not trade as {exchange} does, name its calendar, or `observed` if it has none: "
            "--exchange CODE, or `exchange` in its row under `securities` in mlflow.yaml"
        )
    elif "missing" in causes:
        yield f"if {exchange} was closed: `extra_closures` in mlflow.yaml"
    if len(prices) - after >= _WORTH:
        yield (
            f"use later days only: --from {prices.sessions[after]}, or `from` in its row under `securities` in "
            "mlflow.yaml"
        )
    acceptable = np.unique(np.concatenate([found.days for found in faults if found.is_acceptable] or [faults[0].days]))
    if any(found.is_acceptable for found in faults):
        days = " ".join(f"--accept {day}" for day in acceptable[:DAYS_SHOWN])
        more = " ..." if len(acceptable) > DAYS_SHOWN else ""
        yield (
            f'take what is right on record: tomorrow prices --ticker {shlex.quote(ticker)} {days}{more} --reason "..."'
        )
    if prices.source == "yahoo" and may_be_mended:
        yield "use files: --source csv --prices FILE"
    if newest > prices.sessions[0] and last >= newest and not (prices.source == "csv" and may_be_mended):
        yield f"use earlier days only: --as-of DAY, before {min(found.days[0] for found in faults)}"
