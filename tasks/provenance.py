"""Which code and which libraries a run was made with."""

import getpass
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# What a forecast can depend on; of the Keras backends, those that are installed.
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


def code_version(project: Path | None = None) -> str:
    """Give the commit of the project's folder, `-dirty` with changes on top; outside a checkout the version."""
    folder = Path(__file__).resolve().parent.parent if project is None else project
    git = shutil.which("git")
    # Installed into an environment that lies in somebody else's checkout, git would describe theirs.
    if git is not None and (folder / ".git").exists():
        described = subprocess.run(
            [git, "describe", "--always", "--dirty", "--tags"],
            cwd=folder,
            capture_output=True,
            text=True,
            # Within a git hook, GIT_DIR names another repository than the folder's.
            env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            check=False,
        )
        if described.returncode == 0:
            return described.stdout.strip()
    return _installed("tomorrow") or "unknown"


def library_versions() -> dict[str, str]:
    """Give Python's version, and those of the installed libraries that a forecast can depend on."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        installed = _installed(name)
        if installed is not None:
            versions[name] = installed
    return versions


def user_name() -> str:
    """Who runs this, for the record of a decision; a user without a name, as in a container, by number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
