"""The preset that comes of a study: a file that is nobody else's."""

from pathlib import Path

from model.config import ForecasterConfig
from model.errors import ConfigurationError, UsageError
from model.presets import base_of, differences, is_own_name
from tasks.settings import Settings
from tasks.settings.own_presets import FOLDER, as_yaml, read_preset
from tasks.settings.yaml_file import NotReadable, read_yaml
from tasks.system.durable_file import make_folder_durably, write_durably

LONGEST = 40


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
    name = f"{base[: LONGEST - len(words) - 1]}-{words}"[:LONGEST].rstrip("-")
    return settings.home / FOLDER / f"{name}.yaml"


def about_study(study: str, ticker: str, column: str, trials: int) -> str:
    """What the preset is, in its file."""
    return f"Tuned on {ticker} {column} in {trials} trials; study {study}."


def check_free(file: Path, study: str) -> None:
    """ConfigurationError where a file is there that another study, or a person, has written."""
    if not file.exists():
        return
    try:
        about = str(read_yaml(file).values.get("about"))
    except NotReadable:
        about = ""
    if not about.endswith(f"; study {study}."):
        raise ConfigurationError(
            f"preset {file}",
            have="it is there already, and this study has not written it",
            need="a file that nothing is lost with",
            remedy="give another one: --output FILE.yaml, or move it away",
        )


def write_tuned(file: Path, config: ForecasterConfig, about: str, study: str) -> ForecasterConfig:
    """Write the preset, and read it again: what a training will use."""
    check_free(file, study)
    changed = differences(config)
    changed.pop("column", None)
    text = as_yaml(str(base_of(config)), about, changed)
    if file.parent.name == FOLDER:
        make_folder_durably(file.parent)
    write_durably(file, lambda part: part.write_text(text, encoding="utf-8"))
    return read_preset(file).config
