"""Presets of one's own: what a file may say, and how a wrong one is told."""

import os
from pathlib import Path

import pytest

from model.config import PRESETS, ForecasterConfig
from model.errors import ConfigurationError, UsageError
from model.presets import changes, fill_in, says_series
from tasks.settings import Settings
from tasks.settings.own_presets import as_yaml, check_rules, own_presets, preset_named, read_preset
from tasks.settings.series import SeriesRule
from tasks.settings.yaml_file import LARGEST


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a state directory with an empty folder of presets."""
    (tmp_path / "presets").mkdir()
    return Settings(home=tmp_path)


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    """A preset's file."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_names_the_preset_that_it_starts_from_and_what_differs(tmp_path: Path) -> None:
    text = "about: Wider, and slower.\npreset: anchored\nlookback: 30\ntraining:\n  learning_rate: 1e-4\n"
    mine = read_preset(write(tmp_path, text))
    assert (mine.name, mine.about) == ("mine", "Wider, and slower.")
    assert changes(mine.config) == {"lookback": "30", "training.learning_rate": "0.0001"}
    assert mine.config.preset == "mine"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    changed = {"lookback": 30, "training": {"learning_rate": 0.00012, "patience": None}}
    mine = read_preset(write(tmp_path, as_yaml("anchored", "Tuned: on META, Open.", changed)))
    assert mine.about == "Tuned: on META, Open."
    assert changes(mine.config) == {
        "lookback": "30",
        "training.learning_rate": "0.00012",
        "training.patience": "null",
    }


@pytest.mark.parametrize(
    ("text", "said", "needed"),
    [
        ("", "nothing in it", "preset: anchored"),
        ("- anchored\n", "line 1: no keys with values", "preset: anchored"),
        ("preset: [\n", "not YAML: line 2, column 1: ", "a YAML file"),
        ("preset: anchored\n---\npreset: daily\n", "not YAML: line 2", "a YAML file"),
        ("lookback: 7\n", "no key `preset`", "tutorial, anchored, daily"),
        ("preset: other\n", "line 1: preset: 'other', which is no built-in one", "tutorial, anchored, daily"),
        ("preset: anchored\n\nlokback: 7\n", "line 3: lokback: no such key. Did you mean 'lookback'?", "one of "),
        ("preset: anchored\nlookback: 0\n", "line 2: lookback: 0", "1 or more"),
        ("preset: anchored\nlookback: many\n", "line 2: lookback: 'many'", "a whole number"),
        (
            "preset: anchored\nnetwork:\n  units: [8]\n  cell: gruu\n",
            "line 4: network.cell: 'gruu'. Did you mean 'gru'?",
            "one of 'simple_rnn'",
        ),
        ("preset: anchored\nnetwork:\n  units:\n    - 0\n", "line 3: network.units.0: 0", "1 or more"),
        ("preset: anchored\nnetwork: small\n", "line 2: network: 'small'", "one of its keys"),
        ("preset: anchored\nlookback: 7\nlookback: 8\n", "line 3: 'lookback' stands there again, after line 2", ""),
        ("preset: anchored\non: 7\n", "line 2: a key that is no word", ""),
        ("preset: anchored\nlookback: 2020-13-45\n", "not YAML: line 2, column 11: no value of its kind", ""),
        ("preset: anchored\nabout: [a]\n", "line 2: about: no sentence", "a sentence of 300 characters"),
        ("preset: anchored\ncolumn: Close\n", "line 2: column: 'Close'", "a preset for every column"),
        (
            "preset: tutorial\ninputs: changes\n",
            "inputs changes need training.loss pinball",
            "values that fit together",
        ),
        ("preset: &it anchored\nabout: *it\n", "not YAML: line 2, column 8: the alias *it", ""),
        ("preset: !!python/name:os.system x\n", "not YAML: line 1", ""),
        (f"preset: anchored\nlookback: {'[' * 5000}\n", "not YAML: ", ""),
        ("preset: anchored\n# \0\n", "not YAML: unacceptable character #x0000", ""),
        ('preset: anchored\nlookback: !!int ""\n', "not YAML: line 2, column 11: no value of its kind", ""),
        ("preset: anchored\nlookback: !!bool maybe\n", "not YAML: line 2, column 11: no value of its kind", ""),
        ("preset: anchored\nlookback: !!timestamp now\n", "not YAML: line 2, column 11: no value of its kind", ""),
        (f"preset: anchored\nlookback: {':'.join(['59'] * 300)}.5\n", "not YAML: line 2, column 11: no value", ""),
        (f"preset: 0x{'f' * 5000}\n", "not YAML: line 1, column 9: a number with too many digits", ""),
        ("!!set {preset: anchored}\n", "line 1: no keys with values", ""),
        (
            "preset: anchored\ntraining.epochs: 3\n",
            "line 2: training.epochs: no such key: in a file the parts of a key stand below each other",
            "training: {epochs: VALUE}",
        ),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_on_which_line(tmp_path: Path, text: str, said: str, needed: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as wrong:
        read_preset(file)
    assert wrong.value.subject == f"preset {file}"
    assert wrong.value.have.startswith(said)
    assert needed in wrong.value.need
    assert wrong.value.exit_code == 2


def test_of_a_long_mistake_a_part_is_shown(tmp_path: Path) -> None:
    for text in (f"lookback: {'x' * 5000}\n", f"{'x' * 500}: 7\n", f"column: {'x' * 5000}\n"):
        with pytest.raises(ConfigurationError) as wrong:
            read_preset(write(tmp_path, f"preset: anchored\n{text}"))
        assert len(wrong.value.have) < 300


@pytest.mark.parametrize("name", ["anchored.yaml", "Mine.yaml", "my_preset.yaml", "drift.yaml", "mine.txt"])
def test_a_file_may_not_have_any_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="rename the file"):
        read_preset(write(tmp_path, "preset: anchored\n", name))


def test_what_is_no_small_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"preset: \xff\xfe\n")
    write(tmp_path, f"preset: anchored\n#{'x' * LARGEST}\n", "large.yaml")
    found = {}
    for name in ("folder", "pipe", "bytes", "large", "gone"):
        with pytest.raises(ConfigurationError) as wrong:
            read_preset(tmp_path / f"{name}.yaml")
        found[name] = wrong.value.have
    assert found == {
        "folder": "a folder",
        "pipe": "no file with text in it",
        "bytes": "no text in UTF-8",
        "large": "more than 65,536 bytes",
        "gone": "no such file",
    }


def test_a_wrong_preset_in_the_folder_is_told_and_leaves_the_others(settings: Settings) -> None:
    folder = settings.home / "presets"
    write(folder, "preset: anchored\nlookback: 7\n")
    write(folder, "preset: anchored\nlookback: 0\n", "wrong.yaml")
    write(folder, "preset: anchored\n", "two.yaml")
    write(folder, "preset: anchored\n", "two.yml")
    write(folder, "preset: anchored\n", ".hidden.yaml")
    write(folder, "notes", "README.md")
    write(folder, "preset: anchored\n", "my copy.yaml")
    found, errors = own_presets(settings)
    assert [own.name for own in found] == ["mine"]
    assert [error.have for error in errors] == [
        "the name 'my copy'",
        f"two files: two.yaml and two.yml in {folder}",
        "line 2: lookback: 0",
    ]
    assert preset_named("mine", settings).config.lookback == 7


def test_a_name_is_looked_for_in_the_folder_and_a_path_where_it_leads(settings: Settings, tmp_path: Path) -> None:
    elsewhere = write(tmp_path, "preset: daily\n")
    write(settings.home / "presets", "preset: anchored\n")
    assert preset_named("mine", settings).config.training == PRESETS["anchored"].training
    assert preset_named(str(elsewhere), settings).config.training == PRESETS["daily"].training


@pytest.mark.parametrize("name", ["min", "", "..", "a\0b", "mine*"])
def test_an_unknown_name_is_refused_with_those_that_there_are(settings: Settings, name: str) -> None:
    write(settings.home / "presets", "preset: anchored\n")
    with pytest.raises(UsageError, match=r"one of tutorial, anchored, daily, mine, or a file: FILE\.yaml"):
        preset_named(name, settings)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("", encoding="utf-8")
    found, (error,) = own_presets(Settings(home=tmp_path))
    assert (found, error.have) == ((), "Not a directory")
    with pytest.raises(ConfigurationError, match="Not a directory"):
        preset_named("mine", Settings(home=tmp_path))


def test_a_file_may_say_that_there_are_no_series_and_what_starts_from_it_has_none_either(tmp_path: Path) -> None:
    none = read_preset(write(tmp_path, "preset: anchored\nseries: []\n")).config
    assert (says_series(none), none.series) == (True, ())
    changed = ForecasterConfig.model_validate(fill_in({"preset": "mine", "lookback": 7}, {"mine": none}))
    assert (says_series(changed), changed.lookback) == (True, 7)
    # It is the same configuration as one that says nothing: nothing that is kept under its digest is lost.
    silent = read_preset(write(tmp_path, "preset: anchored\n")).config
    assert not says_series(silent)
    assert none == silent
    assert none.model_dump_json() == silent.model_dump_json()


def test_a_rule_for_series_names_presets_that_there_are(settings: Settings) -> None:
    write(settings.home / "presets", "preset: anchored\n")

    def of(*presets: str) -> Settings:
        rule = SeriesRule(inputs=("^VIX",), presets=presets)
        return settings.model_copy(update={"series": (SeriesRule(inputs=("^VIX",)), rule)})

    check_rules(of("tutorial", "mine"), "anchored")
    # A preset that is named by its file may be anywhere.
    check_rules(of("elsewhere"), "elsewhere")
    with pytest.raises(ConfigurationError, match="anchord") as error:
        check_rules(of("mine", "anchord"), "anchored")
    assert error.value.subject == "series.1.presets in mlflow.yaml"
    assert error.value.have == "'anchord', which no preset is called. Did you mean 'anchored'?"
    assert error.value.need == "presets that there are: tutorial, anchored, daily, mine"
