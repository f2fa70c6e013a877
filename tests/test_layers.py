"""flows → tasks → model, never back; and each layer keeps to its own libraries, inside functions too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT

FORBIDDEN = {
    "model": {"flows", "tasks", "prefect", "mlflow", "yfinance", "requests", "httpx", "sqlalchemy"},
    "tasks": {"flows"},
    "flows": {"mlflow", "yfinance", "keras", "tensorflow", "numpy"},
}
# What of the standard library touches the world. How long something took may be measured anywhere: time.perf_counter.
OUTSIDE = {"model": {"os", "socket", "sqlite3", "subprocess", "urllib", "http", "shutil", "tempfile"}}
CLOCK = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}


def _modules(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in a file, by its first name; `.` for a relative import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and _imports_by_name(node):
            argument = node.args[0]
            name = argument.value if isinstance(argument, ast.Constant) else "a computed name"
            yield node.lineno, str(name).partition(".")[0]


def _imports_by_name(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("import_module", "__import__") and bool(call.args)


def _clock_readings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in CLOCK:
                yield node.lineno


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_nothing_that_is_not_its_own(layer: str) -> None:
    forbidden = FORBIDDEN[layer] | OUTSIDE.get(layer, set())
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _modules(layer)
        for line, name in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if name in forbidden
    ]
    assert found == []


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_modules_are_imported_by_their_whole_and_written_names(layer: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _modules(layer)
        for line, name in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if name in (".", "a computed name")
    ]
    assert found == []


@pytest.mark.parametrize("layer", ["model", "tasks", "flows"])
def test_the_clock_is_read_in_one_place(layer: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} reads the clock"
        for path in _modules(layer)
        for line in _clock_readings(ast.parse(path.read_text(encoding="utf-8")))
        if path != ROOT / "flows" / "clock.py"
    ]
    assert found == []


def test_the_packages_that_are_installed_are_the_layers() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests", "benchmarks"} == set(FORBIDDEN)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import mlflow", "mlflow"),
        ("from mlflow.tracking import MlflowClient", "mlflow"),
        ("def later():\n    import mlflow.keras", "mlflow"),
        ("import importlib\nimportlib.import_module('mlflow.keras')", "mlflow"),
        ("from . import prices", "."),
    ],
)
def test_no_way_to_import_goes_unseen(source: str, name: str) -> None:
    assert name in [found for _, found in _imports(ast.parse(source))]


@pytest.mark.parametrize("reading", ["datetime.now(UTC)", "datetime.datetime.now()", "date.today()", "time.time()"])
def test_no_reading_of_the_clock_goes_unseen(reading: str) -> None:
    assert list(_clock_readings(ast.parse(reading))) == [1]
