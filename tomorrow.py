"""Where the console command begins: it checks that flows, tasks and model are this installation's, and hands over.

Their names are common. Somebody else's folder or package of the same name, earlier on Python's path, would be
imported in place of ours, and the command would fail somewhere inside it.
"""

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("flows", "tasks", "model")
WRONG_CONFIGURATION = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name in PACKAGES:
        ours, found = Path(__file__).resolve().with_name(name), _found(name)
        if found != ours:
            return _fail(name, ours, found, as_json="--json" in arguments)
    from flows.cli.main import main as run

    return run(argv)


def _found(package: str) -> Path | None:
    """The folder, or the file of a single module, that `import package` would load."""
    spec = find_spec(package)
    if spec is None:
        return None
    if spec.origin is None:  # a folder without __init__.py
        return Path(next(iter(spec.submodule_search_locations or ()), "")).resolve()
    file = Path(spec.origin).resolve()
    return file.parent if file.name == "__init__.py" else file


def _fail(package: str, ours: Path, found: Path | None, *, as_json: bool) -> int:
    """Say what is in the way; not by model.errors, since that may be somebody else's too."""
    error = {
        "kind": "ConfigurationError",
        "subject": f"the Python package `{package}`",
        "have": f"it would be imported from {found}" if found else "it is not there",
        "need": f"{ours}, which belongs to this `tomorrow`",
        "remedy": "change PYTHONPATH, or install tomorrow in an environment of its own",
    }
    message = f"{error['subject']}: {error['have']}\n  needed: {error['need']}\n  to do:  {error['remedy']}"
    if as_json:
        print(json.dumps({"error": {**error, "message": message}}, indent=2))
    else:
        print(f"tomorrow: {message}", file=sys.stderr)
    return WRONG_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
