"""The code and the libraries that a run was made with, and digests of both."""

import ast
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model.config import ForecasterConfig
from model.market.prices import Prices
from model.presets import preset_label
from tasks.settings import project_folder
from tasks.system.keras_backend import switches

# The libraries that a forecast can depend on; of the Keras backends only those installed are recorded.
LIBRARIES = (
    "exchange-calendars",
    "jax",
    "keras",
    "mlflow",
    "numpy",
    "pandas",
    "prefect",
    "scikit-learn",
    "tensorflow",
    "torch",
    "yfinance",
)

PACKAGES = ("flows", "tasks", "model")

# Tag: the fingerprint of a run's prices. Tags for programs alone begin with `x.`, so that MLflow's pages list them
# last.
FINGERPRINT = "x.fingerprint"

# Those of LIBRARIES that compute.
COMPUTING = ("jax", "keras", "numpy", "tensorflow", "torch")


def code_version(project: Path | None = None) -> str:
    """The project folder's commit, with `-dirty` if there are uncommitted changes; outside a checkout, the version."""
    folder = project_folder() if project is None else project
    git = shutil.which("git")
    # If this is installed inside another project's checkout, git would describe that project.
    if git is not None and (folder / ".git").exists():
        described = subprocess.run(
            [git, "describe", "--always", "--dirty", "--tags"],
            cwd=folder,
            capture_output=True,
            text=True,
            # In a git hook, GIT_DIR may name another repository.
            env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            check=False,
        )
        if described.returncode == 0:
            return described.stdout.strip()
    return _installed("tomorrow") or "unknown"


def library_versions() -> dict[str, str]:
    """Name -> version: Python's, and of the installed libraries that a forecast can depend on."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        installed = _installed(name)
        if installed is not None:
            versions[name] = installed
    return versions


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def training_tags(prices: Prices, config: ForecasterConfig) -> dict[str, str]:
    """The tags by which a training is found again, and what it was made with."""
    return {
        "mlflow.source.name": "tomorrow",
        "security": prices.security.ticker,
        "column": config.column,
        "preset": preset_label(config),
        "source": prices.source,
        **({"currency": prices.security.unit} if prices.security.unit else {}),
        FINGERPRINT: prices.fingerprint,
        "x.code_version": code_version(),
        "x.libraries": ", ".join(f"{name} {version}" for name, version in library_versions().items()),
    }


def identity() -> dict[str, str]:
    """Give the version of this installation's code, of Python and of the libraries: what has to agree between workers.

    The code is its commit or version with a digest of its files, since a commit alone does not tell two changes on top
    of it apart.
    """
    files = sorted(file for package in PACKAGES for file in (project_folder() / package).rglob("*.py"))
    content = {str(file.relative_to(project_folder())): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return {"code": f"{code_version()} ({digest(content)[:12]})"} | library_versions()


def digest(content: object) -> str:
    """SHA-256 of a value that JSON can hold, in hexadecimal, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_digest(*computed_by: str) -> str:
    """A digest of these modules of ours, of our modules that they import, and of the libraries and their switches.

    It covers the files as they are: uncommitted changes count, and git is not needed.
    """
    return digest([sources_digest(*computed_by), switches()])


@functools.cache
def sources_digest(*computed_by: str) -> str:
    """The part of `code_digest` that does not change while a process runs; LookupError for an unknown module."""
    missing = [name for name in computed_by if _file(name) is None]
    if missing:
        # If it were skipped, changes to it would go unnoticed.
        raise LookupError(f"no module of ours is called {', '.join(missing)}")
    found: dict[str, bytes] = {}
    waiting = list(computed_by)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if name in found or file is None:
            continue
        found[name] = file.read_bytes()
        waiting += _imports(found[name])
    versions = {name: version for name, version in library_versions().items() if name in COMPUTING}
    sources = {name: hashlib.sha256(source).hexdigest() for name, source in found.items()}
    return digest({"sources": sources, "libraries": versions})


def _file(module: str) -> Path | None:
    """The file of a module of ours; None for any other name."""
    place = project_folder().joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _imports(source: bytes) -> Iterator[str]:
    """The modules that a source imports anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from model import measures` imports a module, `from model.market.prices import Prices` a name from one.
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
