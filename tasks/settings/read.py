"""Reads mlflow.yaml and the environment variables, which override the file.

The file is the one that TOMORROW_CONFIG names; else the one beside the packages, or in an installed wheel.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr, ValidationError

from model.config import known_keys
from model.errors import ConfigurationError
from model.presets import merged
from tasks.settings.address import Address
from tasks.settings.environment import Variables, key_variables, variables_of
from tasks.settings.schema import Settings

# Bytes. SQLite opens no file whose path takes more than 512 bytes; the rest is for names below the state directory.
LONGEST_HOME = 400
# Keys whose values may hold a password; wrong values of other keys are shown.
SECRET_KEYS = ("uri", "artifacts")

_given: Settings | None = None


def project_folder() -> Path:
    """The folder with the packages flows, tasks and model."""
    return Path(__file__).resolve().parents[2]


def project_file(name: str) -> Path:
    """mlflow.yaml or prefect.yaml: beside the packages in a checkout; in an installed wheel in tasks/project."""
    installed = _installed(name)
    return installed if installed.is_file() else project_folder() / name


def use_settings(settings: Settings) -> None:
    """Have this process use these settings, and read none: a worker's are those of whoever gives it work."""
    global _given
    _given = settings


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; ConfigurationError names the key that is wrong, and the file or the variable."""
    if environment is None and _given is not None:
        return _given
    env = os.environ if environment is None else environment
    file = Path(env.get("TOMORROW_CONFIG") or project_file("mlflow.yaml")).expanduser().resolve()
    variables = key_variables(env)
    try:
        settings = Settings.model_validate(merged(_parse(file), Variables(variables)()))
    except ValidationError as error:
        raise _fault(file, variables, error) from None
    return settings.model_copy(update={"home": usable_home(_state_directory(file, settings.home, env))})


def usable_home(home: Path) -> Path:
    """The state directory's absolute path; ConfigurationError where it is too long, or is no text."""
    remedy = "set TOMORROW_HOME, or home in mlflow.yaml, to another folder"
    try:
        place = home.resolve()
        length = len(str(place).encode())
    except ValueError:
        raise ConfigurationError(
            f"state directory {str(home)!r}", have="a path that is no text", need="a path in UTF-8", remedy=remedy
        ) from None
    if length > LONGEST_HOME:
        raise ConfigurationError(
            f"state directory {place}",
            have=f"a path of {length} bytes",
            need=f"{LONGEST_HOME} at most: file names are appended to it, and SQLite opens no longer paths",
            remedy=remedy,
        )
    return place


def webhook_address(environment: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The address that alarms are sent to; all of it is secret, so it is never in a file or in the settings."""
    address = environment.get("TOMORROW_WEBHOOK", "").strip()
    return SecretStr(address) if address else None


def mail_password(environment: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The password for the mail server: only in the environment, as the webhook's address."""
    password = environment.get("TOMORROW_SMTP_PASSWORD", "")
    return SecretStr(password) if password else None


def part_credentials(environment: MutableMapping[str, str] = os.environ) -> None:
    """Move user and password from PREFECT_API_URL, which Prefect's log and pages show, to PREFECT_API_AUTH_STRING."""
    address = Address(environment.get("PREFECT_API_URL", ""))
    if address.is_server and address.credentials:
        environment["PREFECT_API_URL"] = address.bare
        environment["PREFECT_API_AUTH_STRING"] = ":".join(address.credentials)


def _installed(name: str) -> Path:
    return project_folder() / "tasks" / "project" / name


def _state_directory(file: Path, home: Path, environment: Mapping[str, str]) -> Path:
    """`home`, relative to its file; for an installed wheel's own file, a folder for the user's state instead."""
    if home.is_absolute() or file != _installed(file.name):
        return file.parent / home
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tomorrow"


def _parse(file: Path) -> dict[str, Any]:
    try:
        raw = _loaded(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            str(file),
            have=error.strerror or str(error),
            need="a readable mlflow.yaml",
            remedy="set TOMORROW_CONFIG to the path of one, or restore it in the project's folder",
        ) from None
    # YAML raises ValueError for a day such as 2020-13-45, and for bytes that are not UTF-8.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            str(file), have=f"not YAML: {_problem(error)}", need="a YAML file", remedy="correct it there"
        ) from None
    if not isinstance(raw, dict | None):
        raise ConfigurationError(
            str(file), have=f"a {type(raw).__name__}", need="keys and values", remedy="see docs/configuration.md"
        )
    return raw or {}


@lru_cache(maxsize=1)
def _loaded(text: str) -> Any:
    """What a YAML text holds, which nobody may change: a command reads the same file several times."""
    return yaml.safe_load(text)


def _fault(file: Path, variables: Mapping[str, str], error: ValidationError) -> ConfigurationError:
    """The error for the first fault; for an unknown key, with those that are known there."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    subject = f"{key} in {' and '.join(variables_of(fault['loc'], variables)) or file}"
    if fault["type"] != "extra_forbidden":
        value = fault["input"]
        is_secret = bool({*SECRET_KEYS}.intersection(fault["loc"])) and not isinstance(value, str)
        have = f"a value of kind {type(value).__name__}" if is_secret else repr(value)
        need = fault["msg"].removeprefix("Value error, ")
        return ConfigurationError(subject, have=have, need=need, remedy="correct the value", key=key)
    return ConfigurationError(
        subject,
        have="an unknown key",
        need=f"one of {', '.join(known_keys(Settings, fault['loc']))}",
        remedy="correct the spelling, or remove the line",
        key=key,
    )


def _problem(error: Exception) -> str:
    """What is wrong and where, without quoting the value: it may be a password."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if mark is None or problem is None:
        return str(error)
    said = re.sub(r"'[^'\s<>]{3,}'", "something", problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}"
