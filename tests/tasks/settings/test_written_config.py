"""What a deployment or a form gives to a flow."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from model.config import PRESETS, ForecasterConfig
from model.presets import preset_label, says_series
from tasks.settings.written_config import WrittenConfig

written = TypeAdapter(WrittenConfig)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own presets, in a state directory of the test's own."""
    monkeypatch.setenv("TOMORROW_HOME", str(tmp_path))
    made = tmp_path / "presets"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_name_alone_means_the_whole_preset(name: str) -> None:
    assert written.validate_python({"preset": name}) == PRESETS[name]


def test_what_stands_beside_the_name_changes_that_and_nothing_else() -> None:
    changed = written.validate_python({"preset": "anchored", "column": "Close", "training": {"seed": 3}})
    anchored = PRESETS["anchored"]
    assert changed.training == anchored.training.model_copy(update={"seed": 3})
    assert changed == anchored.model_copy(update={"column": "Close", "training": changed.training})


def test_a_schedule_trains_the_horizons_that_stand_beside_its_preset_or_in_one_of_ones_own(folder: Path) -> None:
    daily = written.validate_python({"preset": "daily", "horizon": [1, 5]})
    assert daily == PRESETS["daily"].model_copy(update={"horizon": (1, 5)})
    (folder / "weekly.yaml").write_text("preset: daily\nhorizon: [1, 5]\n", encoding="utf-8")
    assert written.validate_python({"preset": "weekly"}) == daily.model_copy(update={"preset": "weekly"})


def test_one_of_ones_own_that_has_no_series_has_none_in_a_deployment_either(folder: Path) -> None:
    (folder / "plain.yaml").write_text("preset: daily\nseries: []\n", encoding="utf-8")
    assert says_series(written.validate_python({"preset": "plain", "column": "Close"}))
    # A form sends an empty list for a field that nobody touched.
    assert not says_series(written.validate_python({"preset": "daily", "series": []}))


def test_what_is_empty_is_as_in_the_preset() -> None:
    empty: dict[str, Any] = {"column": "", "lookback": None, "network": {"units": [], "cell": None}, "training": None}
    assert written.validate_python({"preset": "daily", **empty}) == PRESETS["daily"]


def test_none_is_a_value_where_it_means_without() -> None:
    without = written.validate_python({"preset": "anchored", "training": {"patience": None}})
    assert (without.training.patience, PRESETS["anchored"].training.patience) == (None, 6)
    assert preset_label(without) == "anchored, changed: training.patience=null"


def test_a_configuration_without_a_name_is_the_tutorials() -> None:
    assert written.validate_python({}) == ForecasterConfig()
    assert written.validate_python({"lookback": 7}) == ForecasterConfig(lookback=7)
    assert written.validate_python(PRESETS["anchored"]) is PRESETS["anchored"]


@pytest.mark.parametrize("name", ["tutorail", 3, ["daily"]])
def test_another_name_is_refused(name: object) -> None:
    with pytest.raises(ValidationError, match="one of tutorial, anchored, daily"):
        written.validate_python({"preset": name, "lookback": 7})


def test_the_name_of_a_preset_of_ones_own_means_what_its_file_says(folder: Path) -> None:
    (folder / "mine.yaml").write_text("preset: anchored\nlookback: 7\n", encoding="utf-8")
    mine = written.validate_python({"preset": "mine", "training": {"seed": 3}})
    assert (mine.preset, mine.lookback, mine.training.seed) == ("mine", 7, 3)
    assert mine.training.members == PRESETS["anchored"].training.members


def test_a_run_cannot_name_a_file_that_the_worker_is_to_read(folder: Path) -> None:
    (folder / "mine.yaml").write_text("preset: anchored\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="needed: the name of a preset"):
        written.validate_python({"preset": str(folder / "mine.yaml")})


def test_a_wrong_file_is_told_to_the_run_that_names_it_and_to_no_other(folder: Path) -> None:
    (folder / "mine.yaml").write_text("preset: anchored\nlookback: 0\n", encoding="utf-8")
    with pytest.raises(ValidationError, match=r"mine\.yaml: line 2: lookback: 0; needed: 1 or more"):
        written.validate_python({"preset": "mine"})
    assert written.validate_python({"preset": "anchored"}) == PRESETS["anchored"]


def test_the_form_offers_ones_own_presets_that_can_be_used(folder: Path) -> None:
    (folder / "mine.yaml").write_text("preset: anchored\n", encoding="utf-8")
    (folder / "wrong.yaml").write_text("preset: mine\n", encoding="utf-8")
    (form,) = (part for name, part in written.json_schema()["$defs"].items() if name == "ForecasterForm")
    assert form["properties"]["preset"]["enum"] == ["tutorial", "anchored", "daily", "mine"]
    assert form["properties"]["preset"]["default"] == "tutorial"


def test_without_a_folder_there_are_the_built_in_ones(folder: Path) -> None:
    folder.rmdir()
    assert written.json_schema()["$defs"]["ForecasterForm"]["properties"]["preset"]["enum"] == list(PRESETS)
    with pytest.raises(ValidationError, match="Did you mean 'anchored'"):
        written.validate_python({"preset": "anchord"})
