"""Parses days as files write them; the form is found from the whole column, and is the same for all of it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from model.config import python_date_format

FIRST_YEAR, LAST_YEAR = 1900, 2199
_FIRST, _LAST = f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31"
_PLAIN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:\n[0-9]{4}-[0-9]{2}-[0-9]{2})*")

_CLOCK = (
    r"(?:[T,\s]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|(?:UTC|GMT)(?:[+-]\d{2}:?\d{2})?|[+-]\d{2}:?\d{2}|[A-Z]{3,4})?)?"
)
_WEEKDAY = r"(?:[^\W\d_]{2,12}\.?,?\s+)?"
_MONTH = r"(?P<month>[^\W\d_]{3,10})\.?"
_YEAR = r"(?P<year>\d{4}|'?\d{2})"
_SHAPES = {
    "ymd": re.compile(rf"(?P<year>\d{{4}})[-/.年]\s?(?P<month>\d{{1,2}})[-/.月]\s?(?P<day>\d{{1,2}})[日.]?{_CLOCK}"),
    "compact": re.compile(rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})(?:\.0)?{_CLOCK}"),
    "numbers": re.compile(
        rf"{_WEEKDAY}(?P<first>\d{{1,2}})(?P<sign>[-/.\s])(?P<second_>\d{{1,2}})(?P=sign){_YEAR}{_CLOCK}"
    ),
    "day month": re.compile(rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/.\s]*{_MONTH}[-/,.\s]*{_YEAR}{_CLOCK}"),
    "month day": re.compile(rf"{_WEEKDAY}{_MONTH}[-\s]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-,\s]+{_YEAR}{_CLOCK}"),
    "year month": re.compile(rf"(?P<year>\d{{4}})[-/\s]{_MONTH}[-/\s](?P<day>\d{{1,2}}){_CLOCK}"),
    "epoch": re.compile(r"(?P<epoch>\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(?:\.\d+)?"),
    "spreadsheet": re.compile(r"(?P<serial>[1-7]\d{4})(?:\.\d+)?"),
}
# The beginnings of months' names in English, German, Dutch, French, Italian, Spanish and Portuguese, without accents.
_MONTHS = (
    *(
        ("jan", "ene", "gen"),
        ("feb", "fev"),
        ("mar", "mrt", "maer"),
        ("apr", "avr", "abr"),
        ("may", "mai", "mei", "mag"),
    ),
    *(
        ("jun", "juin", "giu"),
        ("jul", "juil", "lug"),
        ("aug", "aou", "ago"),
        ("sep", "set"),
        ("oct", "okt", "ott", "out"),
    ),
    *(("nov",), ("dec", "dez", "dic")),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, and the time of day in minutes; None where there is no time."""

    day: date
    minute: int | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """A column of days.

    moments: one per cell; None where a cell is not a day in the column's form
    way:     the form, in words; empty for 2020-01-31
    """

    moments: tuple[Moment | None, ...]
    way: str = ""


class AmbiguousDaysError(ValueError):
    """Days that can be read in two ways; the text is an example."""


def read_days(cells: Sequence[str], zone: ZoneInfo, form: str | None = None) -> Days:
    """The days in a column; AmbiguousDaysError where nothing shows which number is the month.

    zone: the exchange's, to find the day of a time in UTC
    form: the form, where the user gives it
    """
    if form is not None:
        return Days(tuple(_in_form(cell, python_date_format(form)) for cell in cells), way=f"as {form}")
    if (plain := _plain(cells)) is not None:
        return Days(plain)
    shape = _common_shape(cells)
    if shape is None:
        return Days((None,) * len(cells))
    found = [_SHAPES[shape].fullmatch(cell) for cell in cells]
    read, way = _reader(shape, [match for match in found if match is not None])
    return Days(tuple(None if match is None else _moment(match, read, zone) for match in found), way)


def _plain(cells: Sequence[str]) -> tuple[Moment, ...] | None:
    """The days of a column in which all are written as 2020-01-31, as in most files; None for any other column."""
    if not cells or not _PLAIN.fullmatch("\n".join(cells)) or not (min(cells) >= _FIRST and max(cells) <= _LAST):
        return None
    try:
        return tuple(map(Moment, map(date.fromisoformat, cells)))
    except ValueError:  # a day that no month has
        return None


def _in_form(cell: str, form: str) -> Moment | None:
    try:
        return _checked(datetime.strptime(cell, form).date())  # noqa: DTZ007 - it is a day alone
    except ValueError:
        return None


def _common_shape(cells: Sequence[str]) -> str | None:
    """The form of most cells; None where none of them is a day."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update([next((name for name, shape in _SHAPES.items() if shape.fullmatch(cell)), "")])
    del counts[""]
    return counts.most_common(1)[0][0] if counts else None


_Reader = Callable[[re.Match[str]], date]


def _reader(shape: str, found: Sequence[re.Match[str]]) -> tuple[_Reader, str]:
    if shape == "epoch":
        return (lambda _: date.min), "counted from the beginning of 1970"
    if shape == "spreadsheet":
        return (lambda match: date(1899, 12, 30) + timedelta(days=int(match["serial"]))), "as a spreadsheet counts days"
    if shape == "numbers":
        return _day_or_month_first(found)
    if shape in ("day month", "month day", "year month"):
        return (lambda match: date(_year(match["year"]), _month(match["month"]), int(match["day"]))), _SPOKEN[shape]
    way = "" if shape == "ymd" and "-" in found[0][0] else "year, month, day"
    return (lambda match: date(int(match["year"]), int(match["month"]), int(match["day"]))), way


_SPOKEN = {
    "day month": "day, month's name, year",
    "month day": "month's name, day, year",
    "year month": "year, month's name, day",
}


def _day_or_month_first(found: Sequence[re.Match[str]]) -> tuple[_Reader, str]:
    """A reader for days such as 1/31/2020: the number that exceeds 12 in some row is the day."""
    first = max(int(match["first"]) for match in found)
    second = max(int(match["second_"]) for match in found)
    sign = found[0]["sign"]
    if first <= 12 and second <= 12 and sign != "." and any(match["first"] != match["second_"] for match in found):
        raise AmbiguousDaysError(next(match[0] for match in found if match["first"] != match["second_"]))
    # Dates with points have the day first, unless the second number exceeds 12.
    if first > 12 or (sign == "." and second <= 12):
        return (
            lambda match: date(_year(match["year"]), int(match["second_"]), int(match["first"]))
        ), "day, month, year"
    return (lambda match: date(_year(match["year"]), int(match["first"]), int(match["second_"]))), "month, day, year"


def _moment(match: re.Match[str], read: _Reader, zone: ZoneInfo) -> Moment | None:
    parts = match.groupdict()
    try:
        if parts.get("epoch"):
            return _of_epoch(parts["epoch"], zone)
        day = read(match)
        if parts.get("hour") is None:
            return _checked(day)
        clock = _clock(parts)
        written = datetime(day.year, day.month, day.day, *divmod(clock, 60), tzinfo=UTC)
        if parts.get("zone") in ("Z", "UTC", "GMT", "+00:00", "+0000"):
            return _at_exchange(written, zone)
        return _checked(day, clock)
    except (ValueError, OverflowError, OSError):
        return None


def _of_epoch(digits: str, zone: ZoneInfo) -> Moment | None:
    """The moment of seconds, milliseconds, microseconds or nanoseconds since 1970, by the number of digits."""
    seconds = int(digits) / 10 ** (3 * ((len(digits) - 9) // 3))
    return _at_exchange(datetime.fromtimestamp(seconds, UTC), zone)


def _at_exchange(moment: datetime, zone: ZoneInfo) -> Moment | None:
    """A time in UTC as day and time at the exchange; midnight in UTC stands for its own day."""
    local = moment if (moment.hour, moment.minute) == (0, 0) else moment.astimezone(zone)
    return _checked(local.date(), 60 * local.hour + local.minute)


def _checked(day: date, minute: int | None = None) -> Moment | None:
    return Moment(day, minute) if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _clock(parts: Mapping[str, str | None]) -> int:
    hour, half = int(parts["hour"] or 0), (parts.get("half") or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return 60 * hour + int(parts["minute"] or 0)


def _year(text: str) -> int:
    digits = text.lstrip("'")
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 70 else 1900)


def _month(name: str) -> int:
    letters = "".join(at for at in unicodedata.normalize("NFKD", name.lower()) if at.isalpha())
    for number, beginnings in enumerate(_MONTHS, start=1):
        if letters.startswith(beginnings):
            return number
    raise ValueError(name)
