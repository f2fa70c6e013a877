"""Time is an argument: the clock is read in flows/runs/clock.py, and nowhere else in the product."""

import ast
from collections.abc import Iterator

import pytest

from tests.project import ROOT

READINGS = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}
CLOCK = ROOT / "flows" / "runs" / "clock.py"


def clock_readings(tree: ast.AST) -> Iterator[int]:
    """The lines that read the clock. How long something took may be measured anywhere: time.perf_counter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in READINGS:
                yield node.lineno


@pytest.mark.parametrize("layer", ["model", "tasks", "flows"])
def test_the_clock_is_read_in_one_place(layer: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} reads the clock"
        for path in sorted((ROOT / layer).rglob("*.py"))
        for line in clock_readings(ast.parse(path.read_text(encoding="utf-8")))
        if path != CLOCK
    ]
    assert found == []


def test_the_place_where_the_clock_is_read_reads_it() -> None:
    assert list(clock_readings(ast.parse(CLOCK.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("reading", ["datetime.now(UTC)", "datetime.datetime.now()", "date.today()", "time.time()"])
def test_no_reading_of_the_clock_goes_unseen(reading: str) -> None:
    assert list(clock_readings(ast.parse(reading))) == [1]
