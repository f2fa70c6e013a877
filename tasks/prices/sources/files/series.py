"""Columns of a file as other series: a day on each line, and perhaps from when on its values were known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np

from model.artifact.series_input import SeriesInput
from model.market.alignment import Observed
from model.market.calendar import ExchangeCalendar
from model.market.exchange_library import Moments
from model.market.prices import Days
from tasks.prices.sources.files.amounts import NotNumbersError, find_style, read_number
from tasks.prices.sources.files.dates import FIRST_YEAR, LAST_YEAR, AmbiguousDaysError, read_days
from tasks.prices.sources.files.tables.container import read_sheets
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty, shortened

DATE, KNOWN_AT = "date", "known_at"
# How the fingerprint of a series from a file begins: no other of that name at Yahoo takes its place in a forecast.
FROM_FILE = "file:"
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
              the session of its day, or at the end of a day without one. A `known_at` without a zone is in the
              exchange's, and a day alone means its end.

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
    _check_titles(table, series.columns)
    days = _days(table, calendar)
    values = np.column_stack([_numbers(table, column) for column in series.columns])
    if KNOWN_AT in table.titles:
        cells = table.column(KNOWN_AT)
        moments = [
            _moment(table, line, cell, calendar.time_zone) for line, cell in zip(table.lines, cells, strict=True)
        ]
        known_at = np.array(moments, dtype="datetime64[s]")
        _check_not_before(table, days, known_at)
    else:
        known_at = calendar.over(days)
        # On a day without a session it was known at the end of that day: some sessions last until midnight.
        for row in np.flatnonzero(np.isnat(known_at)):
            known_at[row] = _end_of(days[row].item(), calendar.time_zone)
    _check_once(table, days, known_at)
    digest = sha256("\n".join(series.columns).encode())
    for array in (days.astype("<M8[D]"), known_at.astype("<M8[s]"), values.astype("<f8")):
        digest.update(np.ascontiguousarray(array).tobytes())
    return Observed(
        name=series.name,
        columns=series.columns,
        days=days,
        known_at=known_at,
        values=values,
        fingerprint=FROM_FILE + digest.hexdigest(),
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
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _wrong(table, line, KNOWN_AT, cell, f"a time from {FIRST_YEAR} to {LAST_YEAR}")
    if len(cell) <= len("2020-01-31"):
        return _end_of(moment.date(), zone)
    return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _end_of(day: date, zone: ZoneInfo) -> np.datetime64:
    return _in_utc(datetime.combine(day + timedelta(days=1), time(), zone))


def _in_utc(moment: datetime) -> np.datetime64:
    # In the hour that a change of the clocks repeats, the later of the two: the earlier may not have been known.
    later = moment.replace(fold=1) if moment.replace(fold=1).utcoffset() != moment.utcoffset() else moment
    utc = max(moment.astimezone(UTC), later.astimezone(UTC))
    return np.datetime64(utc.replace(tzinfo=None), "s")


def _check_not_before(table: Table, days: Days, known_at: Moments) -> None:
    """FaultyPrices where a value was known before its day: with a wrong year it would be looked ahead to, or stand on.

    A day begins up to fourteen hours earlier than in UTC, in the zone in which it begins first.
    """
    early = np.flatnonzero(known_at + np.timedelta64(14, "h") < days.astype("datetime64[s]"))
    if len(early):
        row = int(early[0])
        have = f"a value of {days[row]}, {KNOWN_AT} {shortened(table.column(KNOWN_AT)[row])!r}, before that day began"
        need = "a time on that day or later; what is expected of a later day stands on the day on which it is expected"
        raise faulty(table.sheet.where(table.lines[row]), have=have, need=need, remedy=REMEDY)


def _check_once(table: Table, days: Days, known_at: Moments) -> None:
    """FaultyPrices where two lines hold a value of the same day, known from the same moment."""
    order = np.lexsort((known_at, days))
    same = (np.diff(days[order]) == np.timedelta64(0, "D")) & (np.diff(known_at[order]) == np.timedelta64(0, "s"))
    if same.any():
        has_times = KNOWN_AT in table.titles
        have = f"{days[order][int(np.argmax(same))]} on more than one line"
        have += f" with the same {KNOWN_AT}" if has_times else ""
        need = f"another {KNOWN_AT} on each of them" if has_times else f"a day once, or a column {KNOWN_AT}"
        raise faulty(table.sheet.name, have=have, need=need, remedy=REMEDY)


def _check_titles(table: Table, columns: Sequence[str]) -> None:
    for title in (DATE, KNOWN_AT, *columns):
        if table.titles.count(title.lower()) > 1:
            have, need = f"more than one column {shortened(title)!r}", "one column of that name"
            raise faulty(table.sheet.name, have=have, need=need, remedy=REMEDY)


def _wrong(table: Table, line: Line, column: str, cell: str, need: str) -> Exception:
    have = f"{column} {shortened(cell)!r}" if cell else f"no {column}"
    return faulty(table.sheet.where(line), have=have, need=need, remedy=REMEDY)
