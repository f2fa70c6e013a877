"""Reads mlflow.yaml and the environment, whose variables count more than the file.

The file is the one that TOMORROW_CONFIG names, else the one beside the packages, or the one that an installed wheel
brings.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from model.config import known_keys, merged
from model.errors import ConfigurationError
from tasks.settings.environment import Variables, key_variables, variables_of
from tasks.settings.schema import Settings


def project_folder() -> Path:
    """The folder that the packages flows, tasks and model lie in."""
    return Path(__file__).resolve().parents[2]


def project_file(name: str) -> Path:
    """mlflow.yaml or prefect.yaml: beside the packages in a checkout; in an installed wheel in tasks/project."""
    installed = _installed(name)
    return installed if installed.is_file() else project_folder() / name


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; ConfigurationError names the key that is wrong, and the file or the variable."""
    env = os.environ if environment is None else environment
    file = Path(env.get("TOMORROW_CONFIG") or project_file("mlflow.yaml")).expanduser().resolve()
    variables = key_variables(env)
    try:
        settings = Settings.model_validate(merged(_parse(file), Variables(variables)()))
    except ValidationError as error:
        raise _fault(file, variables, error) from None
    return settings.model_copy(update={"home": _state_directory(file, settings.home, env).resolve()})


def webhook_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where alarms are sent, with whatever secret it holds; it never stands in a file or in the settings."""
    return environment.get("TOMORROW_WEBHOOK", "").strip() or None


def _installed(name: str) -> Path:
    return project_folder() / "tasks" / "project" / name


def _state_directory(file: Path, home: Path, environment: Mapping[str, str]) -> Path:
    """`home`, relative to its file; but nothing is written among installed packages, so by default for the user."""
    if home.is_absolute() or file != _installed(file.name):
        return file.parent / home
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tomorrow"


def _parse(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            str(file),
            have=error.strerror or str(error),
            need="a readable mlflow.yaml",
            remedy="set TOMORROW_CONFIG to one, or put it back beside the packages",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            str(file), have=f"not YAML: {error}", need="a YAML file", remedy="correct the line that is named"
        ) from None
    if not isinstance(raw, dict | None):
        raise ConfigurationError(
            str(file), have=f"a {type(raw).__name__}", need="keys and values", remedy="see docs/configuration.md"
        )
    return raw or {}


def _fault(file: Path, variables: Mapping[str, str], error: ValidationError) -> ConfigurationError:
    """The first fault, with the keys that would be known in its place."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    subject = f"{key} in {' and '.join(variables_of(fault['loc'], variables)) or file}"
    if fault["type"] != "extra_forbidden":
        return ConfigurationError(
            subject, have=masked(repr(fault["input"])), need=fault["msg"], remedy="correct the value", key=key
        )
    return ConfigurationError(
        subject,
        have="a key that means nothing here",
        need=f"one of {', '.join(known_keys(Settings, fault['loc']))}",
        remedy="correct the spelling, or take the line out",
        key=key,
    )


def masked(text: str) -> str:
    """A text without the user and password of any address in it."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def shown(uri: str) -> str:
    """A store's address without a user or password."""
    parts = urlsplit(uri)
    if not parts.netloc:  # a file: put together again it would lose slashes
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
