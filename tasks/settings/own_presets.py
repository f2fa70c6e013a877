"""Presets of one's own: YAML files in `presets` of the state directory, or anywhere else if they are named by path.

A file names the built-in preset that it starts from, and what differs. The preset is called as its file is.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model.config import PRESETS, ForecasterConfig
from model.errors import ConfigurationError, UsageError, did_you_mean
from model.presets import TAKEN, fill_in, is_own_name
from tasks.settings.faults import SHOWN, contradiction, have_and_need, shown
from tasks.settings.read import read_settings
from tasks.settings.schema import Settings
from tasks.settings.yaml_file import NotReadable, Written, read_yaml

FOLDER = "presets"
ENDINGS = (".yaml", ".yml")
ABOUT, BASE = "about", "preset"
LONGEST_ABOUT = 300
PAGE = "see docs/presets.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPreset:
    """A preset of one's own.

    about: what it is, in its author's words; empty where they say nothing
    """

    name: str
    file: Path
    about: str
    config: ForecasterConfig


def is_file_name(text: str) -> bool:
    """Whether a preset is named by its file, not by its name."""
    return text.casefold().endswith(ENDINGS) or os.sep in text


def preset_named(text: str, settings: Settings | None = None) -> OwnPreset:
    """A preset of one's own, by its name or its file.

    UsageError where there is none of that name; ConfigurationError where it cannot be used.
    """
    if is_file_name(text):
        return read_preset(Path(text))
    folder = folder_of(settings or read_settings())
    if files := _files(folder, text):
        return _only(files)
    names = (*PRESETS, *sorted({file.stem for file in _files(folder) if is_own_name(file.stem)}))
    raise UsageError(
        f"preset {text!r}",
        have=f"no preset of that name{did_you_mean(text, names)}",
        need=f"one of {', '.join(names)}, or a file: FILE.yaml",
        remedy="name one of them with --preset; `tomorrow presets` says what each is",
    )


def own_presets(settings: Settings) -> tuple[tuple[OwnPreset, ...], tuple[ConfigurationError, ...]]:
    """The presets in the state directory, by name, and why the others there cannot be used."""
    found: list[OwnPreset] = []
    errors: list[ConfigurationError] = []
    try:
        files = _files(folder_of(settings))
    except ConfigurationError as error:
        return (), (error,)
    for name in sorted({file.stem for file in files}):
        try:
            found.append(_only([file for file in files if file.stem == name]))
        except ConfigurationError as error:
            errors.append(error)
    return tuple(found), tuple(errors)


def check_rules(settings: Settings, trained: str) -> None:
    """ConfigurationError where a rule of `series` in mlflow.yaml names a preset that there is not.

    trained: the preset that is trained now, whose file may be elsewhere
    """
    named = [(number, name) for number, rule in enumerate(settings.series) for name in rule.presets]
    if all(name in (*PRESETS, trained) for _, name in named):
        return
    folder = folder_of(settings)
    own = sorted({file.stem for file in _files(folder) if is_own_name(file.stem)})
    known = list(dict.fromkeys((*PRESETS, *own, trained)))
    for number, name in named:
        if name not in known:
            raise ConfigurationError(
                f"series.{number}.presets in mlflow.yaml",
                have=f"{shown(name)}, which no preset is called{did_you_mean(name, known)}",
                need=f"presets that there are: {', '.join(known)}",
                remedy=f"correct the spelling there, remove the name, or put its file into {folder}",
                key=f"series.{number}.presets",
            )


def folder_of(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.home / FOLDER


def read_preset(file: Path) -> OwnPreset:
    """The preset in a file; ConfigurationError says what is wrong with it, and on which line."""
    if not is_own_name(file.stem):
        _refuse_name(file)
    if file.suffix.casefold() not in ENDINGS:
        raise _wrong(file, f"the ending {file.suffix!r}", f"the ending {' or '.join(ENDINGS)}", "rename the file")
    try:
        written = read_yaml(file)
    except NotReadable as fault:
        raise _wrong(file, str(fault), "a preset as a YAML file: preset: anchored, and what differs", PAGE) from None
    raw = dict(written.values)
    about = raw.pop(ABOUT, None) or ""
    if not isinstance(about, str) or len(about) > LONGEST_ABOUT:
        need = f"a sentence of {LONGEST_ABOUT} characters at most, in quotes if it has a colon"
        raise _wrong(file, _at(written, (ABOUT,), "about: no sentence, or a long one"), need, "correct it", ABOUT)
    base = raw.get(BASE)
    if not isinstance(base, str) or base not in PRESETS:
        have = "no key `preset`" if base is None else f"preset: {shown(base)}, which is no built-in one"
        need = f"the built-in preset that it starts from: {', '.join(PRESETS)}"
        raise _wrong(file, _at(written, (BASE,), have), need, "write it, such as preset: anchored", BASE)
    if "column" in raw:
        have = _at(written, ("column",), f"column: {shown(raw['column'])}")
        raise _wrong(file, have, "a preset for every column", "remove the line; --column chooses the column", "column")
    try:
        # A form's empty list is an empty field, which is left out; in a file it says that there are none.
        none = {"series": ()} if raw.get("series") == [] else {}
        config = ForecasterConfig.model_validate(fill_in(raw) | none | {"preset": file.stem})
    except ValidationError as error:
        raise _invalid(file, written, error) from None
    return OwnPreset(name=file.stem, file=file, about=" ".join(about.split()), config=config)


def as_yaml(base: str, about: str, changed: Mapping[str, Any]) -> str:
    """The text of a preset's file."""
    return yaml.safe_dump({ABOUT: about, BASE: base, **changed}, sort_keys=False, allow_unicode=True, width=110)


def _only(files: Sequence[Path]) -> OwnPreset:
    """The preset of one name; ConfigurationError where there are two files of it."""
    if len(files) == 1:
        return read_preset(files[0])
    raise ConfigurationError(
        f"preset {files[0].stem!r}",
        have=f"two files: {' and '.join(sorted(file.name for file in files))} in {files[0].parent}",
        need="one file for a name",
        remedy="remove or rename one of them",
    )


def _files(folder: Path, name: str | None = None) -> list[Path]:
    """The files of the folder that are presets, or those with one name; a hidden file is none.

    ConfigurationError where the folder cannot be read.
    """
    if name is not None:
        plain = re.fullmatch(r"[\w.-]+", name) is not None
        return [file for ending in ENDINGS if plain and os.path.lexists(file := folder / f"{name}{ending}")]
    if not os.path.lexists(folder):
        return []
    try:
        return [file for file in folder.iterdir() if file.suffix in ENDINGS and not file.name.startswith(".")]
    except OSError as error:
        have = error.strerror or str(error)
        raise _wrong(folder, have, "a folder that can be read", "make it readable, or remove it") from None


def _refuse_name(file: Path) -> None:
    if file.stem in TAKEN:
        what = "a built-in preset" if file.stem in PRESETS else "something else"
        raise _wrong(file, f"the name of {what}", "a name of its own", "rename the file")
    raise _wrong(
        file,
        f"the name {file.stem!r}",
        "a plain word: small letters, digits and hyphens, 40 at most, a letter first",
        "rename the file, such as my-preset.yaml",
    )


def _invalid(file: Path, written: Written, error: ValidationError) -> ConfigurationError:
    """The error for the first fault of the values."""
    fault = error.errors()[0]
    key = ".".join(map(str, fault["loc"]))
    if said := contradiction(fault):
        return _wrong(file, said, "values that fit together", f"change one of them; {PAGE}", key)
    have, need = have_and_need(ForecasterConfig, fault)
    part, dot, rest = str(fault["loc"][0]).partition(".") if fault["loc"] else ("", "", "")
    if dot and part in ("network", "training"):  # as --set and the documentation write it
        have, need = "no such key: in a file the parts of a key stand below each other", f"{part}: {{{rest}: VALUE}}"
    named = f"{key[:SHOWN]}: {have}" if key else have
    return _wrong(file, _at(written, fault["loc"], named), need, "correct it; docs/configuration.md has every key", key)


def _at(written: Written, place: tuple[str | int, ...], said: str) -> str:
    """What is said of a key, with its line where it is in the file."""
    line = written.line(place)
    return said if line is None else f"line {line}: {said}"


def _wrong(file: Path, have: str, need: str, remedy: str, key: str = "") -> ConfigurationError:
    return ConfigurationError(f"preset {file}", have=have, need=need, remedy=remedy, **({"key": key} if key else {}))
