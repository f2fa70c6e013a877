"""Leave the folder that a command is started in: its files may be somebody else's.

Prefect reads `.env`, `prefect.toml` and `pyproject.toml` of the working directory, in every process, and does what they
say; Python imports from it where a program is started with `-m`. So a command works in a folder that nobody but the
system's administrator writes to, with the given paths made absolute.
"""

import os
from collections.abc import MutableMapping

# Variables of ours and of the libraries that name files: these beginnings and endings together, and two others.
OWNERS = ("TOMORROW_", "PREFECT_", "MLFLOW_", "KERAS_", "XDG_", "SSL_", "REQUESTS_", "CURL_", "AWS_")
ENDINGS = ("_HOME", "_PATH", "_DIR", "_DIRECTORY", "_FILE", "_CONFIG", "_BUNDLE")
OTHERS = ("HOME", "TMPDIR")


def leave_working_directory(environment: MutableMapping[str, str] = os.environ) -> None:
    """Go to the root of the file system; variables still name the same files."""
    for name, text in list(environment.items()):
        is_path = name in OTHERS or (name.startswith(OWNERS) and name.endswith(ENDINGS))
        if is_path and text and not text.startswith("~") and "://" not in text:
            environment[name] = os.path.abspath(text)
    if "PYTHONPATH" in environment:
        # An empty part would mean the working directory.
        parts = [part for part in environment["PYTHONPATH"].split(os.pathsep) if part]
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts)
    os.chdir(os.sep)
