"""pyproject.toml declares what the product imports, and nothing that it does not; so do lists of other environments."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.project import ROOT

OURS = {"flows", "tasks", "model"}
LIBRARY = set(sys.stdlib_module_names)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(files: Iterable[Path]) -> dict[str, set[str]]:
    """The modules of others that are imported anywhere in the files, within functions too, and whose they may be."""
    modules = {name.partition(".")[0] for file in files for name in imports(file)}
    distributions = packages_distributions()
    # What is not for this Python is called as its module is.
    return {
        module: {normal(name) for name in distributions.get(module, [module])} for module in modules - OURS - LIBRARY
    }


def imports(file: Path) -> set[str]:
    """The full names of what a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A relative import names a file beside this one.
            beside = ".".join(file.parent.relative_to(ROOT).parts)
            found.add(f"{beside}.{node.module}" if node.level else node.module)
    return found


def product() -> list[Path]:
    return [file for package in OURS for file in (ROOT / package).rglob("*.py")]


def reached(files: Iterable[Path]) -> set[Path]:
    """The files, and those of ours that they import, and so on."""
    found, left = set[Path](), list(files)
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            ours = (ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in imports(file))
            left += [other for other in ours if other.exists()]
    return found


def test_what_is_imported_is_declared() -> None:
    optional = PROJECT["optional-dependencies"]
    declared = names(PROJECT["dependencies"]) | names(optional["statistics"]) | names(optional["s3"])
    assert {module for module, owners in imported(product()).items() if not owners & declared} == set()


def test_what_is_declared_is_imported() -> None:
    assert names(PROJECT["dependencies"]) - set().union(*imported(product()).values()) == set()


def test_what_extras_for_other_machines_bring_is_installed_for_the_tests() -> None:
    optional = PROJECT["optional-dependencies"]
    assert names(optional["s3"]) | names(optional["postgresql"]) <= names(optional["dev"])


def test_the_environment_of_the_peers_is_what_they_import_and_pinned() -> None:
    """benchmarks/peers runs without the product's dependencies: what it reaches of ours needs no more than its list."""
    lines = (ROOT / "benchmarks" / "peers.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    owners = imported(reached((ROOT / "benchmarks" / "peers").glob("*.py")))
    del owners["benchmarks"]
    assert {module for module, whose in owners.items() if not whose & names(pinned)} == set()
    assert names(pinned) - set().union(*owners.values()) == set()
