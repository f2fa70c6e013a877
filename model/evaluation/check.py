"""One line of the gate's reasons: PASS, FAIL or INFO, what was measured, and what was needed.

A check is kept as a sentence, `PASS evidence of skill: 44,541 to 1 (1,250 sessions, ...); needed 20 to 1.`, and read
from it again. The table of them is written here for terminals, and in Markdown for MLflow's and Prefect's pages.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TITLES = ("result", "check", "measured", "needed")
_SENTENCE = re.compile(r"(?P<result>PASS|FAIL|INFO) (?P<name>.+?): (?P<measured>.*?)(?:; needed (?P<needed>.*))?\.")
# What Markdown would read as markup.
_MARKUP = re.compile(r"([\\`*_\[\]|~#])")


class Result(StrEnum):
    """The result of a check; INFO decides nothing."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    INFO = "INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the gate.

    name:     what is checked; empty for a sentence that stands alone
    measured: what was found
    needed:   what lets a version pass; empty where nothing is needed
    """

    result: Result
    name: str
    measured: str
    needed: str = ""

    @property
    def holds(self) -> bool:
        """Whether a version may pass: the result is not FAIL."""
        return self.result != Result.FAIL

    def __str__(self) -> str:
        """The sentence that is kept."""
        if not self.name:
            return self.measured
        return f"{self.result} {self.name}: {self.measured}{f'; needed {self.needed}' if self.needed else ''}."


def judge(holds: bool, name: str, measured: str, needed: str) -> Check:
    """A check that passes or fails."""
    return Check(result=Result.PASS if holds else Result.FAIL, name=name, measured=measured, needed=needed)


def info(name: str, measured: str) -> Check:
    """A figure that decides nothing."""
    return Check(result=Result.INFO, name=name, measured=measured)


def note(sentence: str) -> Check:
    """A sentence beside the checks: a person's reason, or one that was stored before checks existed."""
    return Check(result=Result.INFO, name="", measured=sentence)


def read_check(sentence: str) -> Check:
    """The check that a stored sentence was made from; a note where the sentence is no check."""
    found = _SENTENCE.fullmatch(sentence)
    if found is None:
        return note(sentence)
    return Check(
        result=Result(found["result"]), name=found["name"], measured=found["measured"], needed=found["needed"] or ""
    )


def text_table(checks: Iterable[Check], margin: str = "") -> tuple[str, ...]:
    """The lines of the table for a terminal: a title, one line for each check, and the notes last."""
    checks = tuple(checks)
    rows: list[tuple[str, ...]] = [TITLES, *(_cells(check) for check in checks if check.name)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(TITLES))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines = lines[len(rows) == 1 :]  # no title without a check
    notes = [f"{check.result.ljust(widths[0])}  {check.measured}" for check in checks if not check.name]
    return tuple(f"{margin}{line}" for line in (*lines, *notes))


def markdown_table(checks: Iterable[Check]) -> str:
    """The same table in Markdown, with a line end after each row."""
    rows = [_cells(check) for check in checks]
    body = [f"| {' | '.join(map(as_markdown, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(TITLES)} |", f"|{' --- |' * len(TITLES)}", *body, ""])


def _cells(check: Check) -> tuple[str, ...]:
    return check.result, check.name, check.measured, check.needed


def as_markdown(text: str) -> str:
    """The text escaped, so that a page of Markdown and HTML shows it letter by letter."""
    return _MARKUP.sub(r"\\\1", html.escape(text, quote=False))
