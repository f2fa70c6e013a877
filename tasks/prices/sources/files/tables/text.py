"""Reads text files: finds their encoding and their delimiter."""

import csv
import re
from collections.abc import Callable, Iterator
from itertools import islice

from tasks.prices.sources.files.names import roles, with_ticker
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty

# In how many of the first lines to look for a header.
HEAD = 40

# Encodings of files that are not Unicode: Western Windows, then Chinese, Japanese, Korean, Cyrillic.
_OLD_ENCODINGS = ("cp1252", "gb18030", "cp932", "cp949", "cp1251", "latin-1")
_DELIMITERS = (",", "\t", ";", "|")
# Stripped from cells.
_SPACE = " \t\r\n\f\v\xa0\u200b\u200e\u202f\ufeff"
_LETTER = re.compile(r"[A-Za-z]")
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_text(name: str, raw: bytes) -> Sheet:
    """The table in a text file; FaultyPrices where it is not text, or has no lines of values."""
    text = _decoded(name, raw)
    start = text[:200].lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        have, remedy = "a web page, not a table", "export the prices as CSV there, and give that file with --prices"
        raise faulty(name, have=have, need="lines of values", remedy=remedy)
    if start.startswith(("{", "[{", "[[")):
        remedy = "save it as CSV, and give that file"
        raise faulty(name, have="JSON, not a table", need="lines of values", remedy=remedy)
    if '"' not in text and (sheet := _unquoted(name, text)) is not None:
        return sheet
    best: tuple[int, Sheet] | None = None
    fault: csv.Error | None = None
    for delimiter in _DELIMITERS:
        try:
            sheet = Sheet(name=name, lines=_lines(text, delimiter), delimiter=delimiter)
        except _NotCsv as error:
            fault = fault or error
            continue
        score = _score(sheet.lines[:HEAD])
        if best is None or score > best[0]:
            best = score, sheet
    if best is not None and fault is None and (whole := _quoted_whole(best[1])):
        return read_text(name, whole.encode())
    if best is None or (fault is not None and best[0] < 2):
        line = getattr(fault, "line", 1)
        raise faulty(f"{name}, line {line}", have=f"not CSV: {fault}", need="lines of values between commas")
    return best[1]


def _unquoted(name: str, text: str) -> Sheet | None:
    """The table in a text without quotes, which the CSV reader would read likewise, but in ten times as long.

    None where a line is longer than that reader takes.
    """
    written = text.splitlines()
    if max(map(len, written), default=0) > csv.field_size_limit():
        return None
    heads = {delimiter: tuple(islice(_split(written, delimiter), HEAD)) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: _score(heads[delimiter]))  # of several as good, the first
    return Sheet(name=name, lines=tuple(_split(written, best)), delimiter=best)


def _split(written: list[str], delimiter: str) -> Iterator[Line]:
    """The lines of an unquoted text that are not blank."""
    for number, text in enumerate(written, start=1):
        line = Line(number=number, cells=tuple([cell.strip(_SPACE) for cell in text.split(delimiter)]))
        if not line.is_blank:
            yield line


def _quoted_whole(sheet: Sheet) -> str:
    """The unquoted text of a table whose lines are each quoted as one value; empty for any other table."""
    lines = [line.cells for line in sheet.lines]
    if not lines or not all(len(cells) == 1 for cells in lines) or _recognised(sheet.lines[0]):
        return ""
    text = "\n".join(cells[0] for cells in lines)
    return text if any(mark in lines[0][0] for mark in _DELIMITERS) else ""


class _NotCsv(csv.Error):
    """An error of the CSV reader, and the line where it occurred."""

    line = 1


def _lines(text: str, delimiter: str) -> tuple[Line, ...]:
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True, skipinitialspace=True)
    lines = []
    try:
        for cells in reader:
            line = Line(number=reader.line_num, cells=tuple(map(_trimmed, cells)))
            if not line.is_blank:
                lines.append(line)
    except csv.Error as error:
        fault = _NotCsv(str(error))
        fault.line = reader.line_num
        raise fault from None
    return tuple(lines)


def _trimmed(cell: str) -> str:
    return cell.strip(_SPACE)


def _score(head: tuple[Line, ...]) -> int:
    """How well a delimiter divides the first lines: by the columns that they name, then by the number of cells."""
    return max(map(_recognised, head), default=0) * 100 + _width(head)


def _recognised(line: Line) -> int:
    """How many cells of a line are known names of columns, all of which have letters."""
    named = (cell for cell in line.cells if not cell.isascii() or _LETTER.search(cell))
    return sum(bool(roles(cell) or with_ticker(cell)) for cell in named)


def _width(head: tuple[Line, ...]) -> int:
    """The median number of cells in the first lines, at most 99; for files without a header."""
    counts = sorted(len(line.cells) for line in head)
    return min(counts[len(counts) // 2], 99) if counts else 0


def _decoded(name: str, raw: bytes) -> str:
    marked = next((encoding for mark, encoding in _MARKS.items() if raw.startswith(mark)), None)
    zeros = raw.count(0)
    if marked is None and len(raw) % 2 == 0 and len(raw) >= 16 and zeros > len(raw) * 0.4:
        marked = "utf-16-le" if raw[1::2].count(0) > raw[::2].count(0) else "utf-16-be"
    try:
        text = raw.decode(marked or "utf-8")
    except UnicodeDecodeError as error:
        if marked:
            raise _no_text(name, f"byte {error.start} is not text in {marked.upper()}") from None
        text = _from_old_encoding(name, raw)
    if "\0" in text:
        raise _no_text(name, "it holds zero bytes")
    return text


def _from_old_encoding(name: str, raw: bytes) -> str:
    """The text in the encoding in which most names of columns are recognised in its first lines."""
    control = next((i for i, byte in enumerate(raw[:4096]) if byte < 32 and byte not in b"\t\r\n\f\x1a"), None)
    if control is not None:
        raise _no_text(name, f"byte {control} is not text")
    best, found = -1, ""
    for encoding in _OLD_ENCODINGS:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        understood = max(map(_understood, text.splitlines()[:HEAD]), default=0)
        if understood > best:
            best, found = understood, text
    return found


def _understood(line: str) -> int:
    split: Callable[[str], list[str]] = line.split
    return max(sum(bool(roles(cell.strip(' "'))) for cell in split(delimiter)) for delimiter in _DELIMITERS)


def _no_text(name: str, reason: str) -> Exception:
    return faulty(name, have=f"not CSV: {reason}", need="a text file, such as Yahoo or a broker exports it")
