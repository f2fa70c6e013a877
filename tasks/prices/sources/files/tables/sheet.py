"""A table of texts, as it stands in a file, and the errors about one."""

from dataclasses import dataclass

from model.errors import FaultyPrices

WAY_ON = "correct the file, or give another with --prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: its number in the file, from 1, and its cells, without the spaces around them."""

    number: int
    cells: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(self.cells)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A table in a file.

    name:      the file's name, with the part of it behind a slash where it holds several tables
    lines:     its lines in their own order, blank ones left out
    delimiter: what stands between two cells of a text file; empty for other files
    """

    name: str
    lines: tuple[Line, ...]
    delimiter: str = ""

    def where(self, line: Line) -> str:
        """A line's place, for messages."""
        return f"{self.name}, line {line.number}"


def faulty(subject: str, *, have: str, need: str, remedy: str = WAY_ON, **data: object) -> FaultyPrices:
    """The error of a file that cannot be used as it is."""
    return FaultyPrices(subject, have=have, need=need, remedy=remedy, **data)


def shortened(text: str, most: int = 80) -> str:
    """A text that is not longer than a message can bear."""
    return text if len(text) <= most else f"{text[:most]}..."
