"""The preset that comes of a study: a file that is nobody else's."""

import os
from pathlib import Path
from typing import NoReturn

from model.config import ForecasterConfig
from model.errors import ConfigurationError, UsageError
from model.presets import base_of, differences, is_own_name
from tasks.settings import Settings
from tasks.settings.own_presets import FOLDER, as_yaml, read_preset
from tasks.settings.yaml_file import NotReadable, read_yaml
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import make_folder_durably, write_durably

LONGEST = 40
OTHER = "give another one: --output FILE.yaml"


def place_of(settings: Settings, base: str, ticker: str, column: str, output: str | None) -> Path:
    """Where the preset is written: `output`, else a file in the state directory; UsageError for an impossible name."""
    if output is not None:
        file = Path(output)
        if not is_own_name(file.stem) or file.suffix not in (".yaml", ".yml"):
            raise UsageError(
                f"--output {output}",
                have=f"the name {file.name!r}",
                need="a plain word of small letters, digits and hyphens, which is no built-in preset's, and .yaml",
                remedy="for example --output tuned.yaml",
            )
        if not file.parent.is_dir():
            raise UsageError(f"--output {output}", have="no such folder", need="a folder", remedy="make it")
        return file
    words = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in f"{ticker}-{column}".lower())
    # Of a long name the column at its end is kept, and some of the preset's.
    of_preset = base[: max(LONGEST // 4, LONGEST - len(words) - 1)]
    of_ticker = words.removesuffix(f"-{column.lower()}")[: LONGEST - len(of_preset) - len(column) - 2]
    name = f"{of_preset}-{of_ticker}-{column.lower()}"
    return settings.home / FOLDER / f"{name}.yaml"


def about_study(study: str, ticker: str, column: str, trials: int) -> str:
    """What the preset is, in its file."""
    return f"Tuned on {ticker} {column} in {trials} trials; study {study}."


def check_free(file: Path, study: str) -> None:
    """ConfigurationError where a file is there that another study, or a person, has written, or none can be made.

    Among the presets a file of the same name with the other ending counts, since neither could then be used by name.
    """
    other = file.with_suffix(".yml" if file.suffix == ".yaml" else ".yaml")
    if file.parent.name == FOLDER and os.path.lexists(other):
        _refuse(other)
    folder = next(place for place in (file.parent, *file.parent.parents) if os.path.lexists(place))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise folder_fault(
            f"preset {file}", NotADirectoryError(0, f"{folder} is no folder that can be written to"), OTHER
        )
    if not os.path.lexists(file):
        return
    try:
        about = str(read_yaml(file).values.get("about"))
    except NotReadable:
        about = ""
    if not about.endswith(f"; study {study}."):
        _refuse(file)


def _refuse(file: Path) -> NoReturn:
    raise ConfigurationError(
        f"preset {file}",
        have="it is there already, and this study has not written it",
        need="a file that nothing is lost with",
        remedy=f"{OTHER}, or move it away",
    )


def write_tuned(file: Path, config: ForecasterConfig, about: str, study: str) -> ForecasterConfig:
    """Write the preset, and read it again: what a training will use."""
    check_free(file, study)
    changed = differences(config)
    changed.pop("column", None)
    text = as_yaml(str(base_of(config)), about, changed)
    if file.parent.name == FOLDER:
        make_folder_durably(file.parent)
    try:
        write_durably(file, lambda part: part.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise folder_fault(f"preset {file}", error, f"{OTHER}: the same command goes on with the study") from None
    return read_preset(file).config
