"""Prices from CSV files in the layout of Yahoo's export, several of them joined."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from model.errors import FaultyPrices, PricesUnavailable
from model.market.prices import COLUMNS, Prices
from model.market.security import Security

LAYOUT = ("Date", *COLUMNS)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)

# What exports write in place of a missing number; the checks name the days.
_NOTHING = {"", "null", "none", "na", "n/a", "-"}

_SINGLE_PRECISION = 2.0**-23


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of a file: the numbers in the order of COLUMNS, and the text they were read from."""

    file: str
    line: int
    day: date
    texts: tuple[str, ...]
    numbers: tuple[float, ...]


def read_csv_files(files: Sequence[str], security: Security) -> Prices:
    """Join the files by day; a day that is there twice must have the same numbers, up to the rounding of the text."""
    rows: dict[date, _Row] = {}
    notes: list[str] = []
    names = tuple(Path(file).name for file in files)
    for file in files:
        previous, repeated, unsorted = date.min, 0, False
        for row in _rows(Path(file).expanduser()):
            unsorted = unsorted or row.day < previous
            previous = row.day
            known = rows.setdefault(row.day, row)
            if known is not row:
                _check_agreement(known, row)
                repeated += known.file == row.file
        if unsorted:
            notes.append(f"{file}: the rows were not in the order of their dates; sorted")
        if repeated:
            notes.append(f"{file}: {repeated} rows stand twice and agree; taken once")
    days = sorted(rows)
    return Prices(
        security=security,
        source="csv",
        origin=", ".join(names),
        sessions=np.array(days, dtype="datetime64[D]"),
        values=np.array([rows[day].numbers for day in days], dtype=np.float64).reshape(len(days), len(COLUMNS)),
        notes=tuple(notes),
    )


def _rows(path: Path) -> Iterator[_Row]:
    """The file's rows in its own order."""
    text = _read(path)
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        places = _places(path, next(reader, []))
        for fields in reader:
            if any(field.strip() for field in fields):
                yield _row(path, reader.line_num, fields, places)
    except csv.Error as error:
        raise _faulty(
            f"{path}, line {reader.line_num}", have=f"not CSV: {error}", need="lines of values between commas"
        ) from None


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        plain = {FileNotFoundError: "no such file", IsADirectoryError: "a folder"}
        raise PricesUnavailable(
            str(path),
            have=plain.get(type(error), error.strerror or str(error)),
            need="a CSV file that can be read",
            remedy="correct the path given with --prices",
            source="csv",
        ) from None
    if not raw.strip():
        raise _faulty(str(path), have="an empty file", need=f"a first line {','.join(LAYOUT)} and a line for each day")
    try:
        text = raw.decode("utf-8-sig")
        reason = "it holds zero bytes" if "\0" in text else None
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is no text"
    if reason:
        raise _faulty(str(path), have=f"not CSV: {reason}", need="a text file in UTF-8, as Yahoo exports it")
    return text


def _places(path: Path, header: list[str]) -> tuple[int, ...]:
    """The position of each column of the layout; other columns are allowed."""
    names = [name.strip() for name in header]
    missing = [name for name in LAYOUT if name not in names]
    if missing:
        shown = ", ".join(names)
        raise _faulty(
            f"{path}, line 1",
            have=f"no column {', '.join(missing)}; it begins: {shown if len(shown) <= 80 else shown[:80] + '...'}",
            need=f"the columns {','.join(LAYOUT)}",
            missing=missing,
        )
    doubled = [name for name in LAYOUT if names.count(name) > 1]
    if doubled:
        raise _faulty(
            f"{path}, line 1", have=f"the column {', '.join(doubled)} more than once", need="each column once"
        )
    return tuple(names.index(name) for name in LAYOUT)


def _row(path: Path, line: int, fields: list[str], places: tuple[int, ...]) -> _Row:
    where = f"{path}, line {line}"
    if len(fields) <= max(places):
        raise _faulty(where, have=f"{len(fields)} values", need=f"at least {max(places) + 1}, as the first line has")
    day_text, *texts = (fields[place].strip() for place in places)
    numbers = tuple(_number(where, name, text) for name, text in zip(COLUMNS, texts, strict=True))
    return _Row(file=str(path), line=line, day=_day(where, day_text), texts=tuple(texts), numbers=numbers)


def _day(where: str, text: str) -> date:
    try:
        if not _DAY.fullmatch(text) or text < "1900":
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise _faulty(where, have=f"Date {text!r}", need="a date such as 2020-01-31, not before 1900") from None


def _number(where: str, name: str, text: str) -> float:
    if text.lower() in _NOTHING:
        return float("nan")
    if not _NUMBER.fullmatch(text):
        raise _faulty(where, have=f"{name} {text!r}", need="a number such as 209.779999")
    return float(text)


def _check_agreement(known: _Row, other: _Row) -> None:
    differing = [
        f"{name} {first} and {second}"
        for name, first, second, a, b in zip(
            COLUMNS, known.texts, other.texts, known.numbers, other.numbers, strict=True
        )
        if not _agree(first, second, a, b)
    ]
    if differing:
        raise _faulty(
            f"{other.day} stands twice and disagrees: {known.file}, line {known.line}, and {other.file}, "
            f"line {other.line}",
            have="; ".join(differing),
            need="the same numbers wherever a day stands",
            day=str(other.day),
            files=[known.file, other.file],
        )


def _agree(first: str, second: str, a: float, b: float) -> bool:
    """Whether two numbers agree in the digits that were printed, at least to the cent."""
    if not (np.isfinite(a) and np.isfinite(b)):
        return a == b or bool(np.isnan(a) and np.isnan(b))
    digits = max(2, min(_decimals(first), _decimals(second)))
    return abs(a - b) <= max(0.5 * 10.0**-digits, _SINGLE_PRECISION * abs(a)) * (1 + 1e-9)


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _faulty(subject: str, *, have: str, need: str, **data: object) -> FaultyPrices:
    return FaultyPrices(subject, have=have, need=need, remedy="correct the file, or give another with --prices", **data)
