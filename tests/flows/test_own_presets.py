"""A preset of one's own, from its file to a registered version that the file can no longer change."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tasks.tracking.run_inputs import reload_test
from tests.flows.conftest import MARKET, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

SMALL = "about: Small and quick.\npreset: tutorial\nlookback: 5\nnetwork: {units: [4]}\ntraining: {epochs: 2}\n"
LABEL = "mine (tutorial, changed: lookback=5, network.units=[4], training.epochs=2)"


@pytest.fixture
def mine(home: Path) -> Path:
    """The file of a preset in the state directory."""
    folder = home / "presets"
    folder.mkdir(mode=0o700)
    file = folder / "mine.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def test_what_is_trained_keeps_the_whole_configuration_and_not_the_files_name(
    run: Run, mine: Path, client: "MlflowClient"
) -> None:
    first = run("train", *MARKET, "--preset", "mine", "--json").json
    assert (first["preset"], first["base"], first["version"]) == ("mine", "tutorial", 1)
    assert first["changed"] == {"lookback": "5", "network.units": "[4]", "training.epochs": "2"}
    tags = client.get_run(first["run_id"]).data.tags
    assert tags["preset"] == LABEL
    assert tags["mlflow.runName"] == f"SAMPLE Open mine 2013-06-28 {LABEL.removeprefix('mine ')}"
    assert client.get_run(first["run_id"]).data.params["forecaster.network.units"] == "[4]"

    mine.write_text(SMALL.replace("[4]", "[3]"), encoding="utf-8")
    second = run("train", *MARKET, "--preset", "mine", "--json").json
    assert (second["repeated"], second["changed"]["network.units"]) == (False, "[3]")
    mine.unlink()
    tracking = Tracking(client, read_settings())
    for answer, units in ((first, (4,)), (second, (3,))):
        config, _ = reload_test(tracking, answer["run_id"], f"models:/SAMPLE-Open/{answer['version']}")
        assert (config.forecaster.preset, config.forecaster.network.units) == ("mine", units)


def test_a_file_elsewhere_is_a_preset_too_and_options_change_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.yaml").write_text(SMALL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    answer = run("train", *MARKET, "--preset", "other.yaml", "--set", "network.units=[2]", "--json").json
    assert (answer["preset"], answer["changed"]["network.units"]) == ("other", "[2]")


@pytest.mark.usefixtures("mine", "trained")
def test_the_list_says_what_each_preset_is_and_what_it_took(run: Run, home: Path) -> None:
    (home / "presets" / "wrong.yaml").write_text("preset: anchored\nlookback: 0\n", encoding="utf-8")
    answer = run("presets", "--json").json
    found = {preset["name"]: preset for preset in answer["presets"]}
    assert list(found) == ["tutorial", "anchored", "daily", "mine"]
    assert (found["mine"]["about"], found["mine"]["base"]) == ("Small and quick.", "tutorial")
    assert found["mine"]["file"] == str(home / "presets" / "mine.yaml")
    # One unit-by-unit count: four blocks of 4 units, which see 1 number and each other, and a bias; then one output.
    assert (found["mine"]["networks"], found["mine"]["weights"]) == (1, 4 * 4 * (1 + 4 + 1) + 5)
    # What was trained here has these values under the name tutorial.
    assert {name: preset["taken"] for name, preset in found.items()} == dict.fromkeys(found)
    (fault,) = answer["faults"]
    assert "wrong.yaml: line 2: lookback: 0" in fault
    assert run("train", *MARKET, "--preset", "mine").code == 0
    (again,) = run("presets", "mine", "--json").json["presets"]
    assert again["taken"]["trainings"] == 1
    assert 0 < again["taken"]["seconds"] < 600
    shown = run("presets", "mine").out
    assert "A training here took" in shown
    assert "network.units                      [4]" in shown
    assert run("presets", "wrong").code == 2


def test_a_backtest_has_presets_of_ones_own_beside_the_built_in_ones(run: Run, mine: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL, encoding="utf-8")
    twice = run("backtest", "--source", "sample", "--presets", f"mine,{tmp_path / 'mine.yaml'}")
    assert (twice.code, "two presets of one name" in twice.err) == (2, True)
    options = ("--from", "2013-05", "--to", "2013-06", "--refit", "never", "--epochs", "1")
    answer = run("backtest", *MARKET, *options, "--presets", "tutorial,mine", "--json").json
    assert list(answer["presets"]) == ["tutorial", "mine"]
    assert mine.exists()
