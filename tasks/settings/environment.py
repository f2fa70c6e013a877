"""The environment variables that override keys of mlflow.yaml, read by pydantic-settings.

TOMORROW_GATE__MODE overrides `gate.mode`; lists and tables are written as JSON, and `null` as in the file. An empty
variable counts as not set.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from model.config import known_keys
from model.errors import ConfigurationError
from tasks.settings.schema import Settings

PREFIX = "TOMORROW_"
NULL = "null"
# Variable -> the one that it takes precedence over.
OTHER_NAMES = {"MLFLOW_TRACKING_URI": "TOMORROW_TRACKING__URI", "TOMORROW_LEDGER_URI": "TOMORROW_LEDGER__URI"}


def key_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that override keys; ConfigurationError where one looks like a key and there is no such key."""
    found = {name.upper(): text for name, text in environment.items() if text and _looks_like_a_key(name)}
    for name in found:
        _check_known(name)
    if "TOMORROW_HOME" in found:
        # Relative to the working directory; in the file, `home` is relative to the file.
        found["TOMORROW_HOME"] = str(_home(found["TOMORROW_HOME"]))
    return found | {name: environment[other] for other, name in OTHER_NAMES.items() if environment.get(other)}


def _home(text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (ValueError, RuntimeError) as error:
        raise ConfigurationError(
            "environment variable TOMORROW_HOME",
            have=f"{text!r}: {error}",
            need="the path of a folder",
            remedy="correct it, or unset it",
        ) from None


def variables_of(key: Sequence[str | int], variables: Iterable[str]) -> list[str]:
    """The variables that gave the value of a key: its own, that of a section around it, or those of keys within it."""
    names = [_name(key[:length]) for length in range(len(key), 0, -1)]
    own = [name for name in names if name in variables]
    return own[:1] or [name for name in variables if name.startswith(f"{names[0]}__")]


class Variables(EnvSettingsSource):
    """The values of the variables, nested as in mlflow.yaml."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        # Only the class's fields are read, so any model will do.
        kind = cast("type[BaseSettings]", Settings)
        super().__init__(kind, env_prefix=PREFIX, env_nested_delimiter="__", env_parse_none_str=NULL)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._variables, parse_none_str=NULL)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or table from its JSON; ConfigurationError where it is not JSON."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError as error:
            name = next(name for name, text in self._variables.items() if text == value)
            raise ConfigurationError(
                name, have=f"not JSON: {error}", need="a list or table as JSON", remedy="correct the value"
            ) from None


def _looks_like_a_key(name: str) -> bool:
    if not name.startswith(PREFIX) or name in OTHER_NAMES:
        return False
    begins = name.removeprefix(PREFIX).lower()
    return "__" in begins or any(begins == key or begins.startswith(f"{key}_") for key in Settings.model_fields)


def _check_known(name: str) -> None:
    path = name.removeprefix(PREFIX).lower().split("__")
    kind: Any = Settings
    for length, part in enumerate(path, start=1):
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise _unknown(name, [path[: length - 1]])
        if part not in kind.model_fields:
            raise _unknown(name, [[*path[: length - 1], key] for key in known_keys(Settings, path[:length])])
        kind = kind.model_fields[part].annotation


def _unknown(name: str, known: Sequence[Sequence[str]]) -> ConfigurationError:
    return ConfigurationError(
        f"environment variable {name}",
        have="no key of mlflow.yaml has this name",
        need=f"one of {', '.join(map(_name, known))}",
        remedy="correct the spelling (two underscores separate a section and a key), or unset it",
    )


def _name(key: Sequence[str | int]) -> str:
    return PREFIX + "__".join(str(part) for part in key).upper()
