"""Configurations as they are written by hand, the form for them, and what they are called."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from model.config import PRESETS, ForecasterConfig
from model.presets import ForecasterForm, WrittenConfig, changes, preset_label

written = TypeAdapter(WrittenConfig)
FORM = ForecasterForm.model_json_schema()


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_name_alone_means_the_whole_preset(name: str) -> None:
    assert written.validate_python({"preset": name}) == PRESETS[name]


def test_what_stands_beside_the_name_changes_that_and_nothing_else() -> None:
    changed = written.validate_python({"preset": "anchored", "column": "Close", "training": {"seed": 3}})
    anchored = PRESETS["anchored"]
    assert changed.training == anchored.training.model_copy(update={"seed": 3})
    assert changed == anchored.model_copy(update={"column": "Close", "training": changed.training})


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
    with pytest.raises(ValidationError, match="it is one of tutorial, anchored, daily"):
        written.validate_python({"preset": name, "lookback": 7})


def test_in_the_form_the_preset_is_a_choice_and_nothing_else_is_filled_in() -> None:
    preset = FORM["properties"]["preset"]
    assert (preset["enum"], preset["default"]) == (["tutorial", "anchored", "daily"], "tutorial")
    parts = FORM["$defs"]
    fields = FORM["properties"] | parts["NetworkForm"]["properties"] | parts["TrainingForm"]["properties"]
    assert {name for name, field in fields.items() if "default" in field} == {"preset"}
    assert all(field["description"] for field in fields.values())
    # Prefect's form sends a switch that nobody touched as false.
    assert fields["warm_start"]["enum"] == [True, False]
    assert "type" not in fields["warm_start"]


def test_a_field_of_the_form_says_what_each_preset_has() -> None:
    epochs = FORM["$defs"]["TrainingForm"]["properties"]["epochs"]
    assert epochs["description"] == (
        "Passes over the training part. Empty: as in the preset (tutorial 100, anchored and daily 16)."
    )
    assert epochs["minimum"] == 1


def test_a_configuration_that_differs_from_its_preset_says_so() -> None:
    assert preset_label(PRESETS["anchored"]) == "anchored"
    changed = written.validate_python(
        {"preset": "anchored", "network": {"units": [32, 32]}, "training": {"epochs": 2, "seed": 1, "warm_start": True}}
    )
    assert changes(changed) == {
        "network.units": "[32,32]",
        "training.epochs": "2",
        "training.warm_start": "true",
        "training.seed": "1",
    }
    assert preset_label(changed, 1) == "anchored, changed: network.units=[32,32] and 3 more"
    only = written.validate_python({"preset": "anchored", "training": {"epochs": 2}})
    assert preset_label(only) == "anchored, changed: training.epochs=2"


def test_the_column_is_no_change_and_a_name_of_ones_own_has_none() -> None:
    assert preset_label(PRESETS["daily"].model_copy(update={"column": "Close"})) == "daily"
    assert preset_label(ForecasterConfig(preset="mine", lookback=7)) == "mine"
