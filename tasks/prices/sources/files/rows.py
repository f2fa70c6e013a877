"""Reads daily prices from a table's lines; other lines are left out, with a note."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from model.market.prices import Values
from tasks.prices.sources.files import amounts
from tasks.prices.sources.files.amounts import NotNumbersError, Number, Style, is_missing, read_number
from tasks.prices.sources.files.dates import AmbiguousDaysError, Days, Moment, read_days
from tasks.prices.sources.files.layout import Layout
from tasks.prices.sources.files.names import NEEDED, NUMBERS, PRICES, Role
from tasks.prices.sources.files.splits import unsplit
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty, shortened

NAME_THE_FORM = "say how dates are written with --date-format, such as DD/MM/YYYY or %d/%m/%Y"

_EVENT = re.compile(r"dividend|split|capital gain|distribution", re.IGNORECASE)
_SUMMARY = re.compile(
    r"(grand )?(total|sum|average|avg|mean|median|count|min|max|std|summe|gesamt|mittel)", re.IGNORECASE
)
_COMMENT = ("#", "//", "sep=")
_SIGNS = {",": "commas between thousands", ".": "points between thousands"}


@dataclass(frozen=True, slots=True)
class Row:
    """One day of prices in a table; texts and numbers in the order of NUMBERS; `where` is its line, for messages."""

    where: str
    day: date
    texts: tuple[str, ...]
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyRows:
    """The days of one table, in its own order.

    name:      the table's, for messages
    days:      (n,)
    values:    (n, len(NUMBERS)) in the order of NUMBERS; NaN where a number is missing
    row:       called with a place, from 0, gives that day with all that the table says
    taken_for: how columns, dates and numbers were read, in words; empty for the layout of Yahoo's export
    notes:     on what was left out or filled in
    """

    name: str
    days: Sequence[date]
    values: Values
    row: Callable[[int], Row]
    taken_for: str = ""
    notes: tuple[str, ...] = ()


def read_rows(sheet: Sheet, layout: Layout, lines: Sequence[Line], zone: ZoneInfo, form: str | None) -> DailyRows:
    """The days of prices in some lines of a table; FaultyPrices names the line that cannot be read.

    lines: those of the requested security
    zone:  the exchange's
    form:  the form of the days, where the user gives it
    """
    left_out: dict[str, list[Line]] = {}
    kept = list(_values(layout, lines, left_out))
    days = _days(sheet, [layout.cell(line, "Date") for line in kept], zone, form)
    if (values := _plain(layout, kept, days)) is not None:
        return _plain_rows(sheet, layout, kept, days, values, left_out)
    dated = list(_dated(sheet, layout, kept, days, left_out))
    _check_daily(sheet, [moment for _, moment in dated])
    lines = [line for line, _ in dated]
    style = _style(sheet, layout, lines)
    there = {name: any(not is_missing(layout.cell(line, name)) for line in lines) for name in ("Adj Close", "Volume")}
    rows = [_row(sheet, layout, line, moment.day, style, there) for line, moment in dated]
    splits = [layout.cell(line, "Splits") for line in lines] if "Splits" in layout.places else []
    factors, events = unsplit([row.day for row in rows], [row.numbers[3].value for row in rows], splits)
    rows = [_rescaled(row, factor) for row, factor in zip(rows, factors, strict=True)]
    return DailyRows(
        name=sheet.name,
        days=[row.day for row in rows],
        values=values_of(rows),
        row=rows.__getitem__,
        taken_for=_account(layout, days, style),
        notes=(*_account_of(left_out), *events, *_instead(there)),
    )


def values_of(rows: Sequence[Row]) -> Values:
    """(n, len(NUMBERS)) the numbers of some days."""
    values = np.array([[each.value for each in row.numbers] for row in rows], dtype=np.float64)
    return values.reshape(len(rows), len(NUMBERS))


def _plain(layout: Layout, lines: Sequence[Line], days: Days) -> dict[Role, list[float]] | None:
    """The columns of numbers, where every line is a day of prices, whole and written plainly; None for other tables.

    In such a table nothing is to be left out, found out or refused, so its lines need not be looked at one by one.
    """
    places = {role: layout.places[role] for role in NUMBERS if role in layout.places}
    widths = {len(line.cells) for line in lines}
    is_whole = lines and max(places.values()) < min(widths) and (not layout.width or max(widths) <= layout.width)
    if not is_whole or "Splits" in layout.places or None in days.moments:
        return None
    found: dict[Role, list[float]] = {}
    for role, place in places.items():
        numbers = amounts.plain_numbers([line.cells[place] for line in lines])
        if numbers is None:
            return None
        found[role] = numbers
    return found


def _plain_rows(
    sheet: Sheet,
    layout: Layout,
    lines: Sequence[Line],
    days: Days,
    values: dict[Role, list[float]],
    left_out: dict[str, list[Line]],
) -> DailyRows:
    """The days of a table whose columns of numbers are read already."""
    moments = [moment for moment in days.moments if moment is not None]
    _check_daily(sheet, moments)
    style, there = Style(), {name: name in values for name in ("Adj Close", "Volume")}
    columns = {"Adj Close": values["Close"], "Volume": [0.0] * len(lines), **values}

    def row(place: int) -> Row:
        return _row(sheet, layout, lines[place], moments[place].day, style, there)

    return DailyRows(
        name=sheet.name,
        days=[moment.day for moment in moments],
        values=np.ascontiguousarray(np.array([columns[name] for name in NUMBERS]).T),
        row=row,
        taken_for=_account(layout, days, style),
        notes=(*_account_of(left_out), *_instead(there)),
    )


def _instead(there: dict[str, bool]) -> Iterator[str]:
    """A note on each column that is not there, and what stands in its place."""
    instead = {"Adj Close": "no Adj Close, so it is the Close", "Volume": "no Volume, so it is 0 throughout"}
    return (instead[name] for name, is_there in there.items() if not is_there)


def _values(layout: Layout, lines: Iterable[Line], left_out: dict[str, list[Line]]) -> Iterator[Line]:
    """The lines of values, without comments and repeated headers, which go to `left_out`."""
    for line in lines:
        if layout.repeats_header(line):
            left_out.setdefault("the header again", []).append(line)
        elif line.cells[0].startswith(_COMMENT):
            left_out.setdefault("a comment", []).append(line)
        else:
            yield line


def _days(sheet: Sheet, cells: Sequence[str], zone: ZoneInfo, form: str | None) -> Days:
    try:
        return read_days(cells, zone, form)
    except AmbiguousDaysError as error:
        raise faulty(
            sheet.name,
            have=f"dates such as {error}, where day and month cannot be told apart: no number is above 12",
            need="dates with only one meaning",
            remedy=NAME_THE_FORM,
        ) from None


def _dated(
    sheet: Sheet, layout: Layout, lines: Sequence[Line], days: Days, left_out: dict[str, list[Line]]
) -> Iterator[tuple[Line, Moment]]:
    """The lines that hold a day of prices, with their days; others go to `left_out`, or raise FaultyPrices."""
    least = max(layout.places[role] for role in NEEDED) + 1
    for line, moment in zip(lines, days.moments, strict=True):
        prices = [layout.cell(line, role) for role in PRICES]
        numbers = [text for text in prices if amounts.holds_number(text)]
        day = layout.cell(line, "Date")
        if moment is None:
            if numbers and not _SUMMARY.match(day):
                raise _no_day(sheet, line, day)
            left_out.setdefault("no day of prices", []).append(line)
        elif len(numbers) < len(prices) and any(map(_EVENT.search, line.cells)):
            left_out.setdefault("a dividend or a split", []).append(line)
        elif len(line.cells) < least and any(cell for cell in line.cells if cell != day):
            need = f"at least {least}, as the first line has" if layout.titles else f"at least {least}"
            raise faulty(sheet.where(line), have=f"{len(line.cells)} values", need=need)
        elif layout.width and any(line.cells[layout.width :]):
            raise faulty(
                sheet.where(line),
                have=f"{len(line.cells)} values below a header of {layout.width}: a comma inside a number may split it",
                need="a value for each column",
                remedy="export the file with quotes around such numbers, or with semicolons or tabs between values",
            )
        else:
            yield line, moment


def _no_day(sheet: Sheet, line: Line, text: str) -> Exception:
    return faulty(
        sheet.where(line),
        have=f"Date {shortened(text, 40)!r}",
        need="a date such as 2020-01-31, not before 1900, written as the file's other dates are",
        remedy=f"correct the file, or {NAME_THE_FORM}",
    )


def _check_daily(sheet: Sheet, moments: Sequence[Moment]) -> None:
    """Raise FaultyPrices for intraday, weekly, monthly or rarer bars."""
    minutes = Counter(moment.day for moment in set(moments))
    if len(moments) >= 4 and len(set(moments)) >= 1.5 * len(minutes):
        most = max(minutes.values())
        raise _not_daily(sheet, f"several bars a day ({most} on {max(minutes, key=lambda day: minutes[day])})", "1d")
    days = sorted(minutes)
    gap = median((after - before).days for before, after in pairwise(days)) if len(days) > 3 else 1
    if gap >= 5:
        kind = "weekly" if gap < 26 else "monthly" if gap < 80 else "quarterly or yearly"
        raise _not_daily(sheet, f"{kind} bars: a row every {gap:g} days", "daily")


def _not_daily(sheet: Sheet, have: str, word: str) -> Exception:
    return faulty(
        sheet.name,
        have=have,
        need="daily prices, one row per session",
        remedy=f"export them once more with the interval or frequency set to {word}",
    )


def _style(sheet: Sheet, layout: Layout, lines: Sequence[Line]) -> Style:
    cells = (layout.cell(line, role) for role in NUMBERS for line in lines)
    try:
        return amounts.find_style(cells, comma="," if sheet.delimiter == ";" else ".")
    except NotNumbersError as error:
        raise faulty(sheet.name, have=str(error), need="numbers written in one way throughout") from None


def _row(sheet: Sheet, layout: Layout, line: Line, day: date, style: Style, there: dict[str, bool]) -> Row:
    texts = [layout.cell(line, role) for role in NUMBERS]
    for place, name, text in ((4, "Adj Close", texts[3]), (5, "Volume", "0")):
        if not there[name]:
            texts[place] = text
    numbers = []
    for name, text in zip(NUMBERS, texts, strict=True):
        number = read_number(text, style)
        if number is None:
            mark = "comma" if style.decimal == "," else "point"
            need = f"a number such as 209{style.decimal}779999, with a decimal {mark} as the file's others have"
            raise faulty(sheet.where(line), have=f"{name} {shortened(text, 40)!r}", need=need)
        numbers.append(number)
    return Row(sheet.where(line), day, tuple(texts), tuple(numbers))


def _rescaled(row: Row, factor: float) -> Row:
    """The row with prices divided, and volume multiplied, by the factor of later splits; Adj Close is unchanged."""
    if factor == 1:
        return row
    by = (*[1 / factor] * 4, 1.0, factor)
    numbers = tuple(Number(each.value * k, each.step * k) for each, k in zip(row.numbers, by, strict=True))
    return Row(row.where, row.day, row.texts, numbers)


def _account(layout: Layout, days: Days, style: Style) -> str:
    """How columns, dates and numbers were read, in words; empty for Yahoo's own layout."""
    ways = [f"dates {days.way}"] if days.way else []
    ways += ["a decimal comma"] if style.decimal == "," else []
    ways += [f"numbers with {', '.join(_SIGNS.get(sign, sign) for sign in style.signs)}"] if style.signs else []
    columns = layout.taken_for
    return "; ".join([columns or "the columns of Yahoo's export", *ways]) if columns or ways else ""


def _account_of(left_out: dict[str, list[Line]]) -> Iterator[str]:
    for kind, lines in left_out.items():
        first = lines[0]
        if len(lines) > 1:
            yield f"{len(lines)} lines left out, from line {first.number} on: each {kind}"
        else:
            said = next((cell for cell in first.cells if cell), "")
            yield f"line {first.number} left out, {kind}: {shortened(said, 40)!r}"
