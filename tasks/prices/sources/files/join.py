"""Joins several tables of one security by day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from operator import lt
from pathlib import Path

import numpy as np

from model.errors import FaultyPrices
from model.market.prices import Values
from tasks.prices.sources.files.amounts import Number, step_agrees
from tasks.prices.sources.files.names import NUMBERS
from tasks.prices.sources.files.rows import DailyRows, Row, values_of
from tasks.prices.sources.files.tables.sheet import faulty

ADJUSTED = NUMBERS.index("Adj Close")
_SINGLE_PRECISION = 2.0**-23


@dataclass(slots=True)
class _Known:
    """The days that are joined so far.

    rows:   day -> its row and table
    newest: table's name -> its newest day
    """

    rows: dict[date, tuple[Row, DailyRows]] = field(default_factory=dict)
    newest: dict[str, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """The days of all tables, oldest first.

    days:   (n,)
    values: (n, len(NUMBERS))
    newest: where the newest one stands, for messages; empty without any
    notes:  on how they were joined
    """

    days: Sequence[date]
    values: Values
    newest: str
    notes: tuple[str, ...] = ()


def join(tables: Sequence[DailyRows]) -> Joined:
    """The days of all tables, oldest first.

    If a day occurs twice, its numbers must agree up to the rounding of the text; else FaultyPrices. Two things may
    differ: the adjusted Close of different tables, since each dividend rescales it; and the newest day of a table that
    was exported before that day ended. In both cases the row of the table that ends later is taken.
    """
    if len(tables) == 1 and _is_in_order(tables[0].days):
        (one,) = tables
        return Joined(days=one.days, values=one.values, newest=one.row(len(one.days) - 1).where)
    known, notes = _Known(), list[str]()
    known.newest = {table.name: max(table.days, default=date.min) for table in tables}
    adjusted: set[str] = set()
    for table in tables:
        previous, repeated, unsorted = date.min, 0, False
        for row in map(table.row, range(len(table.days))):
            unsorted = unsorted or row.day < previous
            previous = row.day
            other, its_table = known.rows.setdefault(row.day, (row, table))
            if other is row:
                continue
            repeated += its_table is table
            kept, said = _one_of(known, (other, its_table), (row, table))
            known.rows[row.day] = kept
            notes += said
            if its_table is not table and not _agree(other.numbers[ADJUSTED], row.numbers[ADJUSTED]):
                adjusted.add(f"{Path(its_table.name).name} and {Path(table.name).name}")
        if unsorted:
            notes.append(f"{Path(table.name).name}: the rows were not in the order of their dates; sorted")
        if repeated:
            notes.append(f"{Path(table.name).name}: {repeated} rows occur twice and agree; taken once")
    notes += [f"Adj Close differs between {pair}, as after a dividend; the newer file's is taken" for pair in adjusted]
    rows = [known.rows[day][0] for day in sorted(known.rows)]
    newest = rows[-1].where if rows else ""
    return Joined(days=[row.day for row in rows], values=values_of(rows), newest=newest, notes=tuple(notes))


def _is_in_order(days: Sequence[date]) -> bool:
    """Whether there are days, each later than the one before."""
    return bool(days) and all(map(lt, days, islice(days, 1, None)))


def _one_of(
    known: _Known, first: tuple[Row, DailyRows], second: tuple[Row, DailyRows]
) -> tuple[tuple[Row, DailyRows], list[str]]:
    """Which of two rows of a day is taken, with its table, and notes on the other; FaultyPrices if they disagree."""
    (row, table), (other, other_table) = first, second
    last, other_last = known.newest[table.name], known.newest[other_table.name]
    differing = [
        f"{name} {a} and {b}"
        for place, (name, a, b) in enumerate(zip(NUMBERS, row.texts, other.texts, strict=True))
        if not ((place == ADJUSTED and table is not other_table) or _agree(row.numbers[place], other.numbers[place]))
    ]
    if not differing:
        return (second if other_last > last else first), []
    for day_ends, kept, gone in ((last, second, first), (other_last, first, second)):
        if row.day == day_ends and last != other_last and _is_begun(gone[0], kept[0]):
            file, longer = Path(gone[1].name).name, Path(kept[1].name).name
            said = f"{file}: {row.day}, its newest day, differs from {longer}, which ends later; left out"
            return kept, [said]
    raise _disagreement(row, other, differing)


def _is_begun(row: Row, whole: Row) -> bool:
    """Whether a row can be the same day before its end: same Open, range within the whole day's, no more volume."""
    opened, high, low, _, _, volume = (number.value for number in row.numbers)
    _, high_, low_, _, _, volume_ = (number.value for number in whole.numbers)
    same = _agree(row.numbers[0], whole.numbers[0])
    slack = 1e-6 * abs(opened)
    return same and high <= high_ + slack and low >= low_ - slack and volume <= volume_ * 1.001


def _agree(first: Number, second: Number) -> bool:
    return step_agrees(first, second, _SINGLE_PRECISION)


def _disagreement(known: Row, other: Row, differing: Sequence[str]) -> FaultyPrices:
    ratios = [a.value / b.value for a, b in zip(known.numbers[:4], other.numbers[:4], strict=True) if b.value]
    factor = float(np.median(ratios)) if ratios else 1.0
    split = (
        len(ratios) == 4 and max(ratios) - min(ratios) <= 0.002 * abs(factor) and abs(np.log(abs(factor) or 1)) > 0.05
    )
    remedy = "correct one of the files, or give only one of them with --prices"
    if split:
        remedy = f"give only the newer file: the other's prices are {max(factor, 1 / factor):g} times as high (a split)"
    return faulty(
        f"{other.day} occurs twice and disagrees: {known.where}, and {other.where}",
        have="; ".join(differing),
        need="the same prices for a day in every file and row that has it",
        remedy=remedy,
        day=str(other.day),
        files=[known.where, other.where],
    )
