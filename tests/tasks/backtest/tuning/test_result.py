"""The preset that comes of a study is read as it was tried, and overwrites nobody's file."""

from pathlib import Path

import pytest

from model.config import PRESETS
from model.errors import ConfigurationError, UsageError
from model.tuning.space import LEARNING_RATE, values_of, with_values
from tasks.backtest.tuning.result import about_study, check_free, place_of, write_tuned
from tasks.settings import Settings
from tasks.settings.own_presets import preset_named

TUNED = with_values(PRESETS["anchored"], {"lookback": 30, LEARNING_RATE: 0.00123, "network.units": 8})
KEY = "0123456789"


def test_what_is_written_is_a_preset_of_ones_own_with_the_values_that_were_tried(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    file = place_of(settings, "anchored", "BRK-B", "Open", None)
    assert file == tmp_path / "presets" / "anchored-brk-b-open.yaml"
    config = write_tuned(file, TUNED.model_copy(update={"column": "Close"}), about_study(KEY, "BRK-B", "Open", 50), KEY)
    found = preset_named("anchored-brk-b-open", settings)
    assert found.config == config
    assert (values_of(config), config.column) == (values_of(TUNED), "Open")
    assert found.about == f"Tuned on BRK-B Open in 50 trials; study {KEY}."


def test_a_study_may_write_its_own_file_again_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    check_free(file, KEY)
    write_tuned(file, TUNED, about_study(KEY, "KO", "Open", 50), KEY)
    check_free(file, KEY)
    for text in ("preset: anchored\n", "nonsense", f"preset: anchored\nabout: study {KEY[:-1]}.\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match="it is there already"):
            write_tuned(file, TUNED, about_study(KEY, "KO", "Open", 50), KEY)
        assert file.read_text(encoding="utf-8") == text


def test_a_long_or_odd_ticker_still_gives_a_plain_word(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for ticker in ("T" * 60, "^GSPC", "A.VERY-LONG=TICKER_WITH.MANY-PARTS-IN-IT", "005930.KS"):
        for base in ("anchored", "mine", "a-" * 20):
            file = place_of(settings, base, ticker, "Close", None)
            assert preset_of(file).replace("-", "a").isalnum()
            assert file.stem.endswith("-close")


def preset_of(file: Path) -> str:
    """The name of the preset, if it is one."""
    write_tuned(file, TUNED, about_study(KEY, "X", "Open", 2), KEY)
    return file.stem


@pytest.mark.parametrize(
    ("output", "need"), [("Mine.yaml", "a plain word"), ("mine.txt", "plain"), ("anchored.yaml", "no built-in")]
)
def test_a_file_that_could_be_no_preset_is_refused(tmp_path: Path, output: str, need: str) -> None:
    with pytest.raises(UsageError, match=need):
        place_of(Settings(home=tmp_path), "anchored", "KO", "Open", str(tmp_path / output))
    with pytest.raises(UsageError, match="no such folder"):
        place_of(Settings(home=tmp_path), "anchored", "KO", "Open", str(tmp_path / "gone" / "mine.yaml"))


def test_a_file_of_the_same_name_that_could_not_be_told_from_it_and_a_link_are_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "mine.yml").write_text("preset: anchored\n", encoding="utf-8")
    (folder / "link.yaml").symlink_to(tmp_path / "gone")
    for name in ("mine.yaml", "link.yaml"):
        with pytest.raises(ConfigurationError, match="it is there already"):
            write_tuned(folder / name, TUNED, about_study(KEY, "KO", "Open", 2), KEY)
    assert sorted(file.name for file in folder.iterdir()) == ["link.yaml", "mine.yml"]


def test_where_no_file_can_be_made_it_is_told_before_any_trial(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no folder that can be written to") as wrong:
        check_free(tmp_path / "presets" / "mine.yaml", KEY)
    assert "--output" in wrong.value.remedy


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no file, even of root")
def test_a_file_that_cannot_be_written_is_no_fault_of_ours() -> None:
    with pytest.raises(ConfigurationError, match="No such file") as wrong:
        write_tuned(Path("/proc/mine.yaml"), TUNED, about_study(KEY, "KO", "Open", 2), KEY)
    assert "goes on with the study" in wrong.value.remedy
