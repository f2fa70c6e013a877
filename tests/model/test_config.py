"""Configurations as they are written by hand."""

import pytest
from pydantic import TypeAdapter

from model.config import PRESETS, ForecasterConfig, WrittenConfig

written = TypeAdapter(WrittenConfig)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_name_alone_means_the_whole_preset(name: str) -> None:
    assert written.validate_python({"preset": name}) == PRESETS[name]


def test_what_stands_beside_the_name_changes_that_and_nothing_else() -> None:
    changed = written.validate_python({"preset": "anchored", "column": "Close", "training": {"seed": 3}})
    anchored = PRESETS["anchored"]
    assert changed.training == anchored.training.model_copy(update={"seed": 3})
    assert changed == anchored.model_copy(update={"column": "Close", "training": changed.training})


def test_a_configuration_without_a_name_or_with_one_of_its_own_is_as_it_says() -> None:
    assert written.validate_python({}) == ForecasterConfig()
    assert written.validate_python({"preset": "mine", "lookback": 7}) == ForecasterConfig(preset="mine", lookback=7)
    assert written.validate_python(PRESETS["anchored"]) is PRESETS["anchored"]


def test_the_daily_preset_is_the_tutorials_network() -> None:
    daily, tutorial = PRESETS["daily"], PRESETS["tutorial"]
    assert (daily.network, daily.lookback, daily.inputs) == (tutorial.network, tutorial.lookback, tutorial.inputs)
    assert daily.training.warm_start
    assert daily.training.patience is not None
    assert daily.training.epochs <= 30
