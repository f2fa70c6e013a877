"""A table of texts as in a file, and the errors about one."""

from dataclasses import dataclass

from model.errors import FaultyPrices

WAY_ON = "correct the file, or give another with --prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: its number in the file, from 1, and its cells, stripped of spaces."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        """Whether all its cells are empty."""
        return not any(self.cells)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A table in a file.

    name:      the file's name; followed by a slash and the table's name where the file has several
    lines:     in the file's order, without blank ones
    delimiter: between the cells of a text file; empty for other files
    """

    name: str
    lines: tuple[Line, ...]
    delimiter: str = ""

    def where(self, line: Line) -> str:
        """File and line, for messages."""
        return f"{self.name}, line {line.number}"


def faulty(subject: str, *, have: str, need: str, remedy: str = WAY_ON, **data: object) -> FaultyPrices:
    """The error for a file that cannot be used as it is."""
    return FaultyPrices(subject, have=have, need=need, remedy=remedy, **data)


def shortened(text: str, most: int = 80) -> str:
    """The text, cut to `most` characters for a message."""
    return text if len(text) <= most else f"{text[:most]}..."
