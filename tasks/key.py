"""Keys: what makes a result the same as one that was computed before, as one SHA-256."""

import ast
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from tasks.provenance import library_versions

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("jax", "keras", "numpy", "tensorflow", "torch")


def digest(content: object) -> str:
    """SHA-256 of a value that JSON can hold, in hexadecimal, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@functools.cache
def code_digest(*computed_by: str) -> str:
    """A digest of these modules of ours, of all that they import of ours, and of the libraries' versions.

    It is that of the files as they are: a change that nobody has committed counts, and no git is needed.
    """
    found: dict[str, bytes] = {}
    waiting = list(computed_by)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if name in found or file is None:
            continue
        found[name] = file.read_bytes()
        waiting += _imports(found[name])
    versions = {name: version for name, version in library_versions().items() if name in LIBRARIES}
    sources = {name: hashlib.sha256(source).hexdigest() for name, source in found.items()}
    return digest({"sources": sources, "libraries": versions})


def _file(module: str) -> Path | None:
    """The file of a module of ours; None where it is somebody else's, or no module."""
    place = ROOT.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _imports(source: bytes) -> Iterator[str]:
    """The modules that a source imports anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from model import measures` names a module, `from model.prices import Prices` what is in one.
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
