"""Parses numbers as files write them: with a currency, marks between thousands, a decimal comma, or K for 1,000."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Texts that exports write for a missing number.
NOTHING = frozenset(
    {"", "null", "none", "na", "n/a", "#n/a", "nan", "-", "--", "---", "\u2013", "\u2014", ".", "nil", "undefined"}
)

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# Of texts of these alone Python reads as numbers what is one in the default style.
_PLAIN_MARKS = frozenset("0123456789.-")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_UNITS: Mapping[str, float] = {
    "": 1.0,
    **dict.fromkeys(("k", "tsd", "тыс"), 1e3),
    **dict.fromkeys(("m", "mn", "mio", "mln", "mil", "м", "млн"), 1e6),
    **dict.fromkeys(("b", "bn", "mrd", "mld", "md", "млрд"), 1e9),
    "t": 1e12,
    "cr": 1e7,
    "万": 1e4,
    "萬": 1e4,
    "亿": 1e8,
    "億": 1e8,
}
# A currency before or after: a code, or an abbreviation such as Rs. or kr; signs such as $ are removed before.
_WRITTEN = re.compile(
    r"(?P<before>[A-Za-z]{1,4}\.?\s*)?(?P<sign>[+-]?)(?P<before2>[A-Za-z]{2,4}\.?\s*)?"
    r"(?P<digits>[\d.,]+)\s*(?P<after>[^\W\d_]{0,4})\.?"
)
_GROUPED = {mark: re.compile(rf"\d{{1,3}}(\{mark}\d{{2,3}})*\{mark}\d{{3}}") for mark in ".,"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written.

    value: the number; NaN where it is missing
    step:  the value of one unit in its last printed digit
    """

    value: float
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class Style:
    """How the numbers of a file are written.

    decimal: its decimal mark
    signs:   currencies, units and marks between thousands that were found
    """

    decimal: str = "."
    signs: tuple[str, ...] = ()


class NotNumbersError(ValueError):
    """Two cells that contradict each other: no one decimal mark makes both of them numbers."""


def find_style(cells: Iterable[str], comma: str = ".") -> Style:
    """The style in which all cells are numbers; NotNumbersError shows two that contradict each other.

    comma: the decimal mark to assume where commas are ambiguous, as in 7,203: between thousands, or decimal
    """
    proofs: dict[str, str] = {}
    signs: set[str] = set()
    points = False
    for cell in cells:
        if _PLAIN.fullmatch(cell) and len(cell.partition(".")[2]) != 3:
            if "." in cell:
                proofs.setdefault(".", cell)
            continue
        bare = _bare(cell)
        if bare is None:
            continue
        digits, unit, currency = bare
        signs.update(currency)
        signs.update([unit.upper()] if unit else [])
        mark = _decimal_mark(digits)
        if mark:
            proofs.setdefault(mark, cell)
        signs.update("," if "," in digits else "")
        points = points or "." in digits
    if len(proofs) == 2:
        raise NotNumbersError(
            f"{proofs['.']!r} and {proofs[',']!r}: a decimal point in one, a decimal comma in another"
        )
    found = next(iter(proofs), comma if "," in signs and not points else ".")
    return Style(decimal=found, signs=tuple(sorted(signs - ({","} if found == "," else set()))))


def read_number(text: str, style: Style) -> Number | None:
    """The number in a cell, NaN where it is missing; None where the cell holds something else."""
    if text.lower() in NOTHING:
        return Number(math.nan)
    if style.decimal == "." and _PLAIN.fullmatch(text):
        return Number(float(text), 10.0 ** -len(text.partition(".")[2]))
    if _INFINITE.fullmatch(text):
        return Number(float(text))
    bare = _bare(text)
    if bare is None:
        return _in_brackets(text, style)
    digits, unit, _ = bare
    sign = -1.0 if "-" in _signed(text) else 1.0
    other = "," if style.decimal == "." else "."
    whole, _, decimals = digits.partition(style.decimal)
    if (other in whole and not _GROUPED[other].fullmatch(whole)) or other in decimals or style.decimal in decimals:
        return None
    whole = whole.replace(other, "")
    if not (whole or decimals):
        return None
    factor = _UNITS[unit]
    return Number(sign * float(f"{whole or '0'}.{decimals or '0'}") * factor, factor * 10.0 ** -len(decimals))


def plain_numbers(cells: Sequence[str]) -> list[float] | None:
    """The numbers of cells that are all written as 1234.5, as in most files; None where one is not.

    Their style is the default one: `find_style` finds no other in such cells.
    """
    if not _PLAIN_MARKS.issuperset("".join(cells)):
        return None
    try:
        return list(map(float, cells))
    except ValueError:  # an empty one
        return None


def is_missing(text: str) -> bool:
    """Whether a cell holds no number, as an empty one or `n/a`."""
    return text.lower() in NOTHING


def holds_number(text: str) -> bool:
    """Whether a text can be a number in some style."""
    return bool(_PLAIN.fullmatch(text)) or _bare(text) is not None


def _in_brackets(text: str, style: Style) -> Number | None:
    """An accountant's negative number, (12.50)."""
    if not (text.startswith("(") and text.endswith(")")):
        return None
    inner = read_number(text[1:-1], style)
    return None if inner is None else Number(-inner.value, inner.step)


def _signed(text: str) -> str:
    return text.replace("\u2212", "-").replace("\u2013", "-")


def _bare(cell: str) -> tuple[str, str, tuple[str, ...]] | None:
    """The digits of a number with their marks, its unit, and currency signs or codes; None for any other text."""
    text = _signed(cell)
    currency = tuple(dict.fromkeys(sign for sign in text if unicodedata.category(sign) == "Sc"))
    for sign in currency:
        text = text.replace(sign, "")
    # Spaces of any width and apostrophes are removed between thousands; elsewhere they separate number and currency.
    text = re.sub(r"(?<=\d)[\s\u2019'](?=\d{3}(?!\d))", "", text.strip())
    found = _WRITTEN.fullmatch(text)
    if found is None or not any(digit.isdigit() for digit in found["digits"]):
        return None
    unit = found["after"].lower()
    words = [each.strip(" .") for each in (found["before"], found["before2"]) if each]
    if unit not in _UNITS:
        words, unit = [*words, found["after"]], ""
    if len(words) > 1 or any(not (word.isupper() or word.lower() in ("rs", "kr", "gbp", "gbx", "r")) for word in words):
        return None
    return found["digits"], unit, (*currency, *words)


def _decimal_mark(digits: str) -> str | None:
    """The decimal mark of a number; None where it has none, or it could be a mark between thousands."""
    marks = [mark for mark in digits if mark in ".,"]
    if not marks:
        return None
    last, other = marks[-1], "," if marks[-1] == "." else "."
    if other in marks:
        return last if marks.count(last) == 1 else other if marks.count(other) == 1 else None
    if len(marks) > 1:
        return other  # a mark that occurs several times is between thousands
    before, _, after = digits.partition(last)
    if len(after) == 3 and 1 <= len(before) <= 3 and before != "0":
        return None
    return last


def step_agrees(first: Number, second: Number, least: float) -> bool:
    """Whether two numbers agree up to half their printed step; a step up to 1 counts as at most a cent.

    least: the relative difference that is always allowed
    """
    a, b = first.value, second.value
    if not (math.isfinite(a) and math.isfinite(b)):
        return a == b or (math.isnan(a) and math.isnan(b))
    step = max(first.step, second.step)
    return abs(a - b) <= max(0.5 * (step if step > 1 else min(step, 0.01)), least * abs(a)) * (1 + 1e-9)
