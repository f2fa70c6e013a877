"""Configurations as they are written by hand, the form for them, and what they are called."""

from typing import Any

import pytest

from model.config import PRESETS, ForecasterConfig
from model.presets import ForecasterForm, base_of, changes, fill_in, is_own_name, preset_label

FORM = ForecasterForm.model_json_schema()


def written(raw: dict[str, Any]) -> ForecasterConfig:
    """A configuration as it is written by hand."""
    return ForecasterConfig.model_validate(fill_in(raw))


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
    changed = written(
        {"preset": "anchored", "network": {"units": [32, 32]}, "training": {"epochs": 2, "seed": 1, "warm_start": True}}
    )
    assert changes(changed) == {
        "network.units": "[32,32]",
        "training.epochs": "2",
        "training.warm_start": "true",
        "training.seed": "1",
    }
    assert preset_label(changed, 1) == "anchored, changed: network.units=[32,32] and 3 more"
    series = ["^VIX", {"name": "QQQ", "transformations": ["change", "range"]}]
    assert preset_label(written({"preset": "anchored", "series": series})) == (
        "anchored, changed: series=[^VIX, {name: QQQ, transformations: [change, range]}]"
    )
    only = written({"preset": "anchored", "training": {"epochs": 2}})
    assert preset_label(only) == "anchored, changed: training.epochs=2"


def test_the_column_is_no_change_and_the_name_of_a_proof_or_a_shared_network_has_none() -> None:
    assert preset_label(PRESETS["daily"].model_copy(update={"column": "Close"})) == "daily"
    for name in ("proof", "shared"):
        assert preset_label(ForecasterConfig(preset=name, lookback=7)) == name


def test_a_preset_of_ones_own_is_told_from_the_built_in_one_that_is_nearest() -> None:
    mine = written({"preset": "anchored", "training": {"epochs": 2, "warm_start": True}}).model_copy(
        update={"preset": "mine"}
    )
    assert base_of(mine) == "daily"
    assert changes(mine) == {"training.epochs": "2"}
    assert preset_label(mine) == "mine (daily, changed: training.epochs=2)"
    assert preset_label(ForecasterConfig(preset="mine")) == "mine (tutorial)"
    two = mine.model_copy(update={"lookback": 7})
    assert preset_label(two, 1) == "mine (daily, changed: lookback=7 and 1 more)"


@pytest.mark.parametrize("name", ["mine", "a", "wide-2", "x" * 40])
def test_a_plain_word_may_be_a_name(name: str) -> None:
    assert is_own_name(name)


@pytest.mark.parametrize(
    "name", ["anchored", "proof", "shared", "drift", "Mine", "my_preset", "2wide", "-a", "", "x" * 41, "ein würfel"]
)
def test_another_name_may_not(name: str) -> None:
    assert not is_own_name(name)
