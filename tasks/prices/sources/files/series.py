"""Columns of a file as other series: a day on each line, and perhaps from when on its values were known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np

from model.artifact.series_input import SeriesInput
from model.market.alignment import Observed
from model.market.calendar import ExchangeCalendar
from model.market.prices import Days
from tasks.prices.sources.files.amounts import NotNumbersError, find_style, read_number
from tasks.prices.sources.files.dates import AmbiguousDaysError, read_days
from tasks.prices.sources.files.tables.container import read_sheets
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty, shortened

DATE, KNOWN_AT = "date", "known_at"
REMEDY = "correct the file, or give another with --inputs"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first line names its columns: titles in small letters, and the lines below."""

    sheet: Sheet
    titles: tuple[str, ...]
    lines: tuple[Line, ...]

    def column(self, title: str) -> list[str]:
        """The cells of a column, one for each line; empty where a line is too short."""
        place = self.titles.index(title.lower())
        return [line.cells[place] if place < len(line.cells) else "" for line in self.lines]


def series_in_file(file: str, series: SeriesInput, calendar: ExchangeCalendar) -> Observed | None:
    """The series that a file has in columns of its own; None where it has none of that name.

    calendar: the one of the security that is forecast. Without a column `known_at`, a value was known at the close of
              the session of its day; a `known_at` without a zone is in the exchange's, and a day alone means its end.

    PricesError where the file cannot be read, or a cell is no day, no time or no number.
    """
    wanted = {name.lower() for name in series.columns}
    for sheet in read_sheets(file):
        table = _table(sheet)
        if table is not None and wanted <= set(table.titles):
            return _observed(table, series, calendar)
    return None


def _table(sheet: Sheet) -> Table | None:
    lines = [line for line in sheet.lines if not line.is_blank]
    titles = tuple(cell.strip().lower() for cell in lines[0].cells) if lines else ()
    return Table(sheet, titles, tuple(lines[1:])) if DATE in titles else None


def _observed(table: Table, series: SeriesInput, calendar: ExchangeCalendar) -> Observed:
    days = _days(table, calendar)
    values = np.column_stack([_numbers(table, column) for column in series.columns])
    if KNOWN_AT in table.titles:
        cells = table.column(KNOWN_AT)
        moments = [
            _moment(table, line, cell, calendar.time_zone) for line, cell in zip(table.lines, cells, strict=True)
        ]
        known_at = np.array(moments, dtype="datetime64[s]")
    else:
        _check_once(table, days)
        known_at = calendar.over(days)
        # On a day without a session it was known before the next one.
        known_at = np.where(np.isnat(known_at), days.astype("datetime64[s]"), known_at)
    digest = sha256("\n".join(series.columns).encode())
    for array in (days.astype("<M8[D]"), known_at.astype("<M8[s]"), values.astype("<f8")):
        digest.update(np.ascontiguousarray(array).tobytes())
    return Observed(
        name=series.name,
        columns=series.columns,
        days=days,
        known_at=known_at,
        values=values,
        fingerprint=digest.hexdigest(),
    )


def _days(table: Table, calendar: ExchangeCalendar) -> Days:
    cells = table.column(DATE)
    try:
        found = read_days(cells, calendar.time_zone).moments
    except AmbiguousDaysError as error:
        have, need = f"days that can be read in two ways, such as {error}", "days such as 2020-01-31"
        raise faulty(table.sheet.name, have=have, need=need, remedy=REMEDY) from None
    days: list[date] = []
    for line, cell, moment in zip(table.lines, cells, found, strict=True):
        if moment is None:
            raise _wrong(table, line, "Date", cell, "a day such as 2020-01-31")
        days.append(moment.day)
    return np.array(days, dtype="datetime64[D]")


def _numbers(table: Table, column: str) -> Sequence[float]:
    cells = table.column(column)
    try:
        style = find_style(cells)
    except NotNumbersError as error:
        raise faulty(table.sheet.name, have=str(error), need="numbers of one form", remedy=REMEDY) from None
    values: list[float] = []
    for line, cell in zip(table.lines, cells, strict=True):
        number = read_number(cell, style)
        if number is None:
            raise _wrong(table, line, column, cell, "a number, or an empty cell")
        values.append(number.value)
    return values


def _moment(table: Table, line: Line, cell: str, zone: ZoneInfo) -> np.datetime64:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        need = "a time such as 2020-01-31T16:15-05:00, or a day"
        raise _wrong(table, line, KNOWN_AT, cell, need) from None
    if len(cell) <= len("2020-01-31"):
        moment = datetime.combine(moment.date() + timedelta(days=1), time())
    utc = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(ZoneInfo("UTC"))
    return np.datetime64(utc.replace(tzinfo=None), "s")


def _check_once(table: Table, days: Days) -> None:
    order = np.argsort(days, kind="stable")
    twice = np.flatnonzero(np.diff(days[order]) == np.timedelta64(0, "D"))
    if len(twice):
        have, need = f"{days[order][twice[0]]} on more than one line", f"a day once, or a column {KNOWN_AT}"
        raise faulty(table.sheet.name, have=have, need=need, remedy=REMEDY)


def _wrong(table: Table, line: Line, column: str, cell: str, need: str) -> Exception:
    have = f"{column} {shortened(cell)!r}" if cell else f"no {column}"
    return faulty(table.sheet.where(line), have=have, need=need, remedy=REMEDY)
