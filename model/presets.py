"""Presets as people use them: what a form or a deployment gives to a flow, and what a configuration is called."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from model.artifact.series_input import written_series
from model.config import PRESETS, ForecasterConfig, Frozen

DEFAULT = "tutorial"
# What the built-in presets are.
ABOUT = {
    "tutorial": "The well-known tutorial's network, to the letter.",
    "anchored": "Forecasts how far the price may lie from the newest Close.",
    "daily": "anchored, started from the weights of the version in Production.",
}
# More changes than this would hide the rest of a name in a list of runs.
SHORT = 3
# What a preset of one's own may be called. Names of naive and statistical forecasts, which stand beside it in the
# tables of a backtest, have an underscore, or are among those that are taken.
OWN_NAME = r"[a-z][a-z0-9-]{0,39}"
# The configurations of proofs and of shared networks have these names, which say nothing of their values.
_UNNAMED = ("proof", "shared")
TAKEN = (*PRESETS, *_UNNAMED, "drift")


def is_own_name(name: str) -> bool:
    """Whether a preset of one's own may be called that."""
    return re.fullmatch(OWN_NAME, name) is not None and name not in TAKEN


def fill_in(raw: Any, known: Mapping[str, ForecasterConfig] = PRESETS) -> Any:
    """A configuration written by hand, completed from the preset that it names; ValueError for an unknown preset.

    known: the presets that there are
    """
    if not isinstance(raw, Mapping):
        return raw
    written = _without_empty(ForecasterConfig, raw)
    name = written.get("preset", DEFAULT)
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"no preset is called {name!r}: it is one of {', '.join(known)}")
    return merged(as_written(known[name]), written)


def says_series(config: ForecasterConfig) -> bool:
    """Whether a configuration says which series it takes, if only that it takes none; else mlflow.yaml may."""
    return bool(config.series) or "series" in config.model_fields_set


def as_written(config: ForecasterConfig) -> dict[str, Any]:
    """The values of a configuration that others start from: that it takes no series stays, where it says so."""
    values = config.model_dump()
    return {**values, "series": config.series} if says_series(config) and not config.series else values


def base_of(config: ForecasterConfig) -> str | None:
    """The built-in preset that a configuration is described by: its own name, else the one that it differs least from.

    So what a preset of one's own came to is told from the values alone, whatever has become of its file. None for the
    configuration of a proof or a shared network, whose name stands for nothing.
    """
    if config.preset in PRESETS:
        return config.preset
    if config.preset in _UNNAMED:
        return None
    return min(PRESETS, key=lambda name: len(list(flat(_from(name, config)))))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both configurations as one, key by key; where both have a value, the one `above` counts."""
    return {**below, **above} | {
        key: merged(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }


def differences(config: ForecasterConfig) -> dict[str, Any]:
    """How a configuration differs from the built-in preset that it is described by, part by part."""
    base = base_of(config)
    return {} if base is None else _from(base, config)


def changes(config: ForecasterConfig) -> dict[str, str]:
    """The same by dotted key, each value as `--set` takes it; without the column, which a model's name says."""
    return {key: as_text(value) for key, value in flat(differences(config)) if key != "column"}


def preset_label(config: ForecasterConfig, most: int | None = None) -> str:
    """What a configuration is called wherever people see it: `anchored`, or `anchored, changed: training.epochs=2`.

    A preset of one's own, mine, is `mine (anchored, changed: training.epochs=2)`.

    most: how many changes to write out; the others are only counted
    """
    base = base_of(config)
    written = changes(config) | ({"series": written_series(config.series)} if config.series else {})
    changed = [f"{key}={written[key]}" for key in changes(config)]
    left = 0 if most is None else max(0, len(changed) - most)
    shown = ", ".join(changed[: len(changed) - left])
    more = f" and {left} more" if left else ""
    said = f"{base}, changed: {shown}{more}" if changed else base or config.preset
    return said if base in (None, config.preset) else f"{config.preset} ({said})"


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


def _from(base: str, config: ForecasterConfig) -> dict[str, Any]:
    """How a configuration differs from a built-in preset; the name is no difference."""
    known = PRESETS[base].model_copy(update={"preset": config.preset})
    return _differences(known.model_dump(mode="json"), config.model_dump(mode="json"))


def _differences(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            if inner := _differences(known[key], value):
                found[key] = inner
        elif value != known.get(key):
            found[key] = value
    return found


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a configuration, each with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def as_text(value: Any) -> str:
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
        fields["preset"] = form_of_names(PRESETS)
    return create_model(name, __base__=Frozen, __doc__=kind.__doc__, **fields)


def form_of_names(names: Iterable[str]) -> Any:
    """The form's field for the preset: a choice among these names."""
    choice = Annotated[str, WithJsonSchema({"enum": list(names), "type": "string"})]
    return choice, Field(DEFAULT, description=_PRESET)


def _in_the_presets(path: tuple[str, ...]) -> str:
    """A field's value in each preset: `tutorial 100, anchored and daily 16`."""
    names: dict[str, list[str]] = {}
    for name, config in PRESETS.items():
        value: Any = config
        for part in path:
            value = getattr(value, part)
        text = as_text(list(value) if isinstance(value, tuple) else value)
        names.setdefault("None" if value is None else text, []).append(name)
    if len(names) == 1:
        return f"{next(iter(names))} in each"
    return ", ".join(f"{' and '.join(those)} {text}" for text, those in names.items())


_PRESET = (
    "The training configuration. tutorial: the well-known tutorial's network, to the letter. anchored: forecasts how "
    "far the price may lie from the newest Close. daily: anchored, started from the weights of the version in "
    "Production. Another name is a preset of your own."
)

ForecasterForm = _form(ForecasterConfig, "ForecasterForm")
