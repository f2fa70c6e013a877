"""Presets as people use them: what a form or a deployment gives to a flow, and what a configuration is called."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from model.config import PRESETS, ForecasterConfig, Frozen

DEFAULT = "tutorial"
# More changes than this would hide the rest of a name in a list of runs.
SHORT = 3


def fill_in(raw: Any) -> Any:
    """A configuration written by hand, completed from the preset that it names; ValueError for an unknown preset."""
    if not isinstance(raw, Mapping):
        return raw
    written = _without_empty(ForecasterConfig, raw)
    name = written.get("preset", DEFAULT)
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"no preset is called {name!r}: it is one of {', '.join(PRESETS)}")
    return merged(PRESETS[name].model_dump(), written)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both configurations as one, key by key; where both have a value, the one `above` counts."""
    return {**below, **above} | {
        key: merged(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }


def differences(config: ForecasterConfig) -> dict[str, Any]:
    """How a configuration differs from the preset that it is named after, part by part; empty for an unknown name."""
    known = PRESETS.get(config.preset)
    return {} if known is None else _differences(known.model_dump(mode="json"), config.model_dump(mode="json"))


def changes(config: ForecasterConfig) -> dict[str, str]:
    """The same by dotted key, each value as `--set` takes it; without the column, which a model's name says."""
    return {key: _text(value) for key, value in _flat(differences(config)) if key != "column"}


def preset_label(config: ForecasterConfig, most: int | None = None) -> str:
    """What a configuration is called wherever people see it: `anchored`, or `anchored, changed: training.epochs=2`.

    most: how many changes to write out; the others are only counted
    """
    changed = [f"{key}={value}" for key, value in changes(config).items()]
    left = 0 if most is None else max(0, len(changed) - most)
    shown = ", ".join(changed[: len(changed) - left])
    more = f" and {left} more" if left else ""
    return f"{config.preset}, changed: {shown}{more}" if changed else config.preset


def _without_empty(kind: type[BaseModel], raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """The written values without those left empty; None stays where it is a value, such as no patience."""
    found: dict[Any, Any] = {}
    for key, value in raw.items():
        field = kind.model_fields.get(str(key))
        inner = field.annotation if field else None
        if field is None or (value is None and type(None) in get_args(inner)):
            found[key] = value
        elif isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, BaseModel):
            found[key] = _without_empty(inner, value)
        elif value is not None and value not in ("", [], ()):
            found[key] = value
    return found


def _differences(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            if inner := _differences(known[key], value):
                found[key] = inner
        elif value != known.get(key):
            found[key] = value
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    """A value as YAML has it on one line, without a space."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _form(kind: type[BaseModel], name: str, path: tuple[str, ...] = ()) -> type[BaseModel]:
    """A configuration whose every field may be left empty.

    Prefect's form fills in every default, and sends a switch that nobody touched as false. So no field has a default
    here, and a field of yes or no is a list to choose from.
    """
    fields: dict[str, Any] = {}
    for key, field in kind.model_fields.items():
        inner: Any = field.annotation
        about = (field.description or key.replace("_", " ")).rstrip(".")
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            part: Any = _form(inner, inner.__name__.replace("Config", "Form"), (*path, key))
            about = f"{(inner.__doc__ or '').splitlines()[0]} Each part that is left empty is as in the preset."
        elif inner is bool:
            part = Annotated[bool, WithJsonSchema({"enum": [True, False]})]
        else:
            bounds = [bound for bound in field.metadata if not hasattr(bound, "min_length")]
            part = Annotated[inner, *bounds] if bounds else inner
        if not (isinstance(part, type) and issubclass(part, BaseModel)):
            none = " None: not set." if type(None) in get_args(inner) else ""
            about = f"{about[0].upper()}{about[1:]}.{none} Empty: as in the preset ({_in_the_presets((*path, key))})."
        fields[key] = (
            part,
            Field(default_factory=lambda: None, title=key.replace("_", " ").title(), description=about),
        )
    if not path:
        choice = Annotated[str, WithJsonSchema({"enum": list(PRESETS), "type": "string"})]
        fields["preset"] = (choice, Field(DEFAULT, description=_PRESET))
    return create_model(name, __base__=Frozen, __doc__=kind.__doc__, **fields)


def _in_the_presets(path: tuple[str, ...]) -> str:
    """A field's value in each preset: `tutorial 100, anchored and daily 16`."""
    names: dict[str, list[str]] = {}
    for name, config in PRESETS.items():
        value: Any = config
        for part in path:
            value = getattr(value, part)
        text = _text(list(value) if isinstance(value, tuple) else value)
        names.setdefault("None" if value is None else text, []).append(name)
    if len(names) == 1:
        return f"{next(iter(names))} in each"
    return ", ".join(f"{' and '.join(those)} {text}" for text, those in names.items())


_PRESET = (
    "The training configuration. tutorial: the well-known tutorial's network, to the letter. anchored: forecasts how "
    "far the price may lie from the newest Close. daily: anchored, started from the weights of the version in "
    "Production."
)

ForecasterForm = _form(ForecasterConfig, "ForecasterForm")

# What a deployment or a form gives to a flow: `{"preset": "daily"}` is the whole preset of that name. A form begins
# with the name alone, not with the whole default configuration.
WrittenConfig = Annotated[
    ForecasterConfig,
    BeforeValidator(fill_in, json_schema_input_type=ForecasterForm),
    Field(json_schema_extra={"default": {"preset": DEFAULT}}),
]
WrittenConfigs = Annotated[tuple[WrittenConfig, ...], Field(json_schema_extra={"default": [{"preset": DEFAULT}]})]
