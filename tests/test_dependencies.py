"""pyproject.toml declares what the product imports, and nothing that it does not."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.project import ROOT

OURS = {"flows", "tasks", "model"}
LIBRARY = set(sys.stdlib_module_names)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> dict[str, set[str]]:
    """The modules that are imported anywhere in the product, within functions too, and whose they may be."""
    modules: set[str] = set()
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    modules.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    # What is not for this Python is called as its module is.
    return {
        module: {normal(name) for name in distributions.get(module, [module])} for module in modules - OURS - LIBRARY
    }


def test_what_is_imported_is_declared() -> None:
    declared = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["statistics"])
    assert {module for module, owners in imported().items() if not owners & declared} == set()


def test_what_is_declared_is_imported() -> None:
    assert names(PROJECT["dependencies"]) - set().union(*imported().values()) == set()
