"""Finds the role of each column of a table: by its header, by names from the user, or by place without a header."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from model.errors import FaultyPrices
from tasks.prices.sources.files.amounts import holds_number, is_missing
from tasks.prices.sources.files.names import (
    NEEDED,
    NUMBERS,
    PRICES,
    Role,
    has_role,
    is_ticker,
    plain,
    roles,
    with_ticker,
)
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty, shortened
from tasks.prices.sources.files.tables.text import HEAD

# The roles that --columns may name; others are only recognised.
NAMED: tuple[Role, ...] = (*NEEDED, "Adj Close", "Volume", "Ticker")
HOW_TO_NAME = 'say which column is which: --columns close="Price USD", and so on'

# A pasted header may take up to this many lines.
_PARTS = 4

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The positions of the roles in a table.

    places: role -> column, from 0
    titles: role -> the column's name in the file; empty without a header
    first:  index of the first line of values
    width:  number of columns of the header, if that is one line; else 0
    ticker: the security's, if the header names it
    """

    places: Mapping[Role, int]
    titles: Mapping[Role, str]
    first: int
    width: int = 0
    ticker: str | None = None

    def cell(self, line: Line, role: Role) -> str:
        """The cell of a line for a role; empty where there is none."""
        place = self.places.get(role)
        return line.cells[place] if place is not None and place < len(line.cells) else ""

    def repeats_header(self, line: Line) -> bool:
        """Whether a line is the header again."""
        return bool(self.titles) and all(self.cell(line, role) == title for role, title in self.titles.items())

    @property
    def taken_for(self) -> str:
        """Which column has which role, in words; empty where each column is named like its role."""
        if not self.titles:
            return ", ".join(f"column {place + 1} is {role}" for role, place in self.places.items())
        if self.ticker is None and all(
            title == role for role, title in self.titles.items() if role in (*NEEDED, "Adj Close", "Volume")
        ):
            return ""
        return ", ".join(f'{role} is "{title}"' for role, title in self.titles.items() if role != "Time")


def parse_columns(given: Sequence[str]) -> dict[Role, str]:
    """Role -> column's name, from --columns such as `close=Price USD`."""
    parted = [text.partition("=") for text in given]
    return {role: title.strip() for name, _, title in parted for role in NAMED if plain(role) == plain(name)}


def find_layouts(sheet: Sheet, given: Mapping[Role, str]) -> tuple[Layout, ...]:
    """The layouts of a table: one, or one per security if each has its own columns.

    given: role -> column's name from the user

    FaultyPrices where a column is missing or occurs twice.
    """
    for row in range(len(sheet.lines[:HEAD])):
        if not given and (wide := tuple(_two_lines(sheet, row))):
            return wide
        line, parts = _whole(sheet.lines, row)
        titles = _titles(sheet, line, given)
        if titles is None:
            continue
        places = _places(sheet, line, titles)
        if all(role in places for role in NEEDED):
            shown = {role: line.cells[place] or "the first column" for role, place in places.items()}
            return (Layout(places=places, titles=shown, first=row + parts, width=len(line.cells)),)
        if not given and (wide := tuple(_with_tickers(line, row))):
            return wide
    by_place = _by_place(sheet, given)
    if by_place is None:
        raise _missing(sheet, given)
    return (by_place,)


def _whole(lines: Sequence[Line], row: int) -> tuple[Line, int]:
    """The header as one line, and how many lines it takes: in a pasted page names may be broken, as in Yahoo's."""
    cells = lines[row].cells
    width = max((len(line.cells) for line in lines[row + 1 : row + HEAD]), default=0)
    for parts, below in enumerate(lines[row + 1 : row + _PARTS], start=2):
        if len(cells) >= width or any(letter.isdigit() for cell in below.cells for letter in cell):
            break
        cells = (*cells[:-1], f"{cells[-1]} {below.cells[0]}", *below.cells[1:])
        if len(cells) == width:
            return replace(lines[row], cells=cells), parts
    return lines[row], 1


def _titles(sheet: Sheet, line: Line, given: Mapping[Role, str]) -> dict[Role, int] | None:
    """Role -> column for the columns that the user named; None where the line is not their header."""
    places: dict[Role, int] = {}
    for role, title in given.items():
        same = [i for i, cell in enumerate(line.cells) if cell == title] or [
            i for i, cell in enumerate(line.cells) if plain(cell) and plain(cell) == plain(title)
        ]
        if len(same) > 1:
            raise _doubled(sheet, line, title)
        if not same:
            return None
        places[role] = same[0]
    return places


def _places(sheet: Sheet, line: Line, named: Mapping[Role, int]) -> dict[Role, int]:
    """Role -> column in a line that may be a header; `named` are already known."""
    found: dict[Role, list[tuple[int, int]]] = {}
    for place, cell in enumerate(line.cells):
        for role, rank in roles(cell):
            found.setdefault(role, []).append((rank, place))
    if "Date" not in found and "Date" not in named and not line.cells[0] and any(map(has_number_name, line.cells)):
        found["Date"] = [(0, 0)]  # pandas writes an unnamed index so
    places = dict(named)
    order: tuple[Role, ...] = (*NEEDED, "Adj Close", "Volume", "Time", "Ticker", "Splits")
    for role in order:
        free = sorted(each for each in found.get(role, ()) if each[1] not in places.values())
        if role in places or not free:
            continue
        if len(free) > 1 and free[0][0] == free[1][0] and role in (*NEEDED, "Adj Close") and len(found) > 1:
            raise _doubled(sheet, line, line.cells[free[0][1]])
        places[role] = free[0][1]
    return {role: places[role] for role in order if role in places}


def has_number_name(cell: str) -> bool:
    """Whether a cell names a column of numbers."""
    return has_role(cell, *NUMBERS)


def _two_lines(sheet: Sheet, row: int) -> Iterator[Layout]:
    """Layouts of a header with names in one line and tickers in the next, or the reverse, as yfinance writes it."""
    if row + 2 >= len(sheet.lines):
        return
    upper, lower = sheet.lines[row].cells, sheet.lines[row + 1].cells
    for names, tickers in ((upper, lower), (lower, upper)):
        if len(names) != len(tickers) or len(names) < 5:
            continue
        if all(map(has_number_name, names[1:])) and all(_heads(ticker) for ticker in tickers[1:]):
            below = sheet.lines[row + 2].cells
            skipped = bool(below) and has_role(below[0], "Date") and not any(below[1:])
            columns = [(name, ticker, place) for place, (name, ticker) in enumerate(zip(names, tickers, strict=True))]
            yield from _wide(columns[1:], date=0, title="Date", first=row + (3 if skipped else 2))
            return


def _heads(text: str) -> bool:
    return is_ticker(text) and not is_missing(text)


def _with_tickers(line: Line, row: int) -> Iterator[Layout]:
    """Layouts of a header whose names contain tickers, as R's quantmod writes it."""
    columns = [(*found, place) for place, cell in enumerate(line.cells) if (found := with_ticker(cell)) is not None]
    others = [place for place, cell in enumerate(line.cells) if has_role(cell, "Date") or (place == 0 and not cell)]
    if others:
        yield from _wide(columns, date=others[0], title=line.cells[others[0]] or "the first column", first=row + 1)


def _wide(columns: Sequence[tuple[str, str, int]], *, date: int, title: str, first: int) -> Iterator[Layout]:
    """A layout for each ticker that has all needed columns."""
    for ticker in dict.fromkeys(ticker for _, ticker, _ in columns):
        places: dict[Role, int] = {"Date": date}
        titles: dict[Role, str] = {"Date": title}
        for wanted in NUMBERS:
            ranked = [
                (rank, place, name)
                for name, of, place in columns
                if of == ticker
                for role, rank in roles(name)
                if role == wanted
            ]
            if ranked:
                _, places[wanted], titles[wanted] = min(ranked)
        if all(role in places for role in NEEDED):
            yield Layout(places=places, titles=titles, first=first, ticker=ticker)


def _by_place(sheet: Sheet, given: Mapping[Role, str]) -> Layout | None:
    """The layout of a table without a header; None where its numbers do not show their roles."""
    if given:
        if not all(title.isdigit() and int(title) > 0 for title in given.values()):
            return None
        places = {role: int(title) - 1 for role, title in given.items()}
        return Layout(places=places, titles={}, first=0) if all(role in places for role in NEEDED) else None
    lines = [line.cells for line in sheet.lines]
    if not lines or len(lines[0]) < 5 or not any(letter.isdigit() for letter in lines[0][0]):
        return None
    start = 2 if _CLOCK.fullmatch(lines[0][1]) else 1
    names: tuple[Role, ...] = ("Date", *PRICES)
    places = dict(zip(names, (0, start, start + 1, start + 2, start + 3), strict=True))
    width = len(lines[0])
    if len(lines) < 2 or any(len(cells) != width for cells in lines) or width < start + 4:
        return None
    if not all(_is_bar(cells[start : start + 4]) for cells in lines):
        return None
    if start == 2:
        places["Time"] = 1
    # A number after the Close that moves with it is the adjusted Close; else it is the volume.
    if width > start + 5 and start == 1 and _goes_with([(cells[start + 3], cells[start + 4]) for cells in lines]):
        places |= {"Adj Close": start + 4, "Volume": start + 5}
    elif width > start + 4:
        places["Volume"] = start + 4
    return Layout(places=places, titles={}, first=0)


def _is_bar(cells: Sequence[str]) -> bool:
    """Whether four cells can be open, high, low and close: the second the largest, the third the smallest."""
    try:
        opened, high, low, close = map(float, cells)
    except ValueError:
        return False
    return low <= min(opened, close) and max(opened, close) <= high


def _goes_with(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the ratio of the second number to the first hardly changes from row to row."""
    try:
        shares = [float(second) / float(first) for first, second in pairs]
    except (ValueError, ZeroDivisionError):
        return False
    return (
        all(share > 0 for share in shares)
        and median(abs(after / before - 1) for before, after in pairwise(shares)) < 1e-3
    )


def _missing(sheet: Sheet, given: Mapping[Role, str]) -> FaultyPrices:
    """The error for a table without a known header; it names the missing columns."""
    lines = sheet.lines[:HEAD]
    best = max(lines, key=lambda line: len(_known(line)), default=Line(number=1, cells=()))
    if not _known(best) and lines:
        best = lines[0]
    begins = shortened(", ".join(best.cells))
    if given:
        unknown = [title for title in given.values() if title not in best.cells]
        have = f"no column {', '.join(map(repr, unknown or given.values()))}; it begins: {begins}"
        remedy = "correct --columns: each name as in the file, or the column's number if the file has no names"
        return faulty(sheet.where(best), have=have, need="the columns that --columns names", remedy=remedy)
    known = _known(best)
    missing = [role for role in NEEDED if role not in known]
    return faulty(
        sheet.where(best),
        have=f"no column {', '.join(missing or NEEDED)}; it begins: {begins}",
        need=f"the columns {', '.join(NEEDED)}, under any usual names",
        remedy=HOW_TO_NAME,
        missing=missing,
    )


def _known(line: Line) -> set[Role]:
    return {role for cell in line.cells if not holds_number(cell) for role, _ in roles(cell)}


def _doubled(sheet: Sheet, line: Line, title: str) -> FaultyPrices:
    return faulty(
        sheet.where(line),
        have=f"the column {title} more than once",
        need="each column once",
        remedy="correct the file; or, where the two have different names, say which with --columns",
    )
