"""What is advised after a refusal: what could pass, on the same prices, and only last the way past the gate."""

import pytest

from tasks.registry.errors import after_refusal, what_could_pass
from tasks.registry.version import RegisteredVersion


def version(**tags: str) -> RegisteredVersion:
    return RegisteredVersion(
        model="KO-Close", version=3, stage="Staging", run_id="a run", source="models:/m-1", tags=tags
    )


@pytest.mark.parametrize(
    ("tags", "options"),
    [
        ({"source": "sample", "security": "SAMPLE"}, "--source sample --preset anchored"),
        ({"source": "yahoo", "security": "KO", "column": "Open"}, "--ticker KO --preset anchored"),
        (
            {"source": "csv", "security": "KO", "column": "Close"},
            "--source csv --ticker KO --prices FILE --column Close --preset anchored",
        ),
        ({}, "--preset anchored"),
    ],
)
def test_another_preset_is_advised_on_the_same_prices(tags: dict[str, str], options: str) -> None:
    first, second = what_could_pass(version(preset="tutorial", **tags))
    assert first == f"train the preset that is proven most often: tomorrow train {options}"
    assert second.endswith("--presets tutorial,anchored")


@pytest.mark.parametrize("preset", ["anchored", "daily"])
def test_the_preset_that_is_proven_most_often_is_not_advised_in_place_of_itself(preset: str) -> None:
    first, second = what_could_pass(version(preset=preset, source="yahoo", security="KO"))
    assert first.startswith("train it on more history if there is any, or later")
    assert first.endswith(f": tomorrow train --ticker KO --preset {preset}")
    assert second.endswith(f"tomorrow backtest --ticker KO --presets {preset}")


def test_where_a_shared_network_is_not_proven_a_network_of_its_own_is_advised() -> None:
    tags = {"source": "yahoo", "security": "KO", "shared": "n1a2b3c4d5e6, fitted on sessions before 2020-01-01"}
    first, second = what_could_pass(version(preset="anchored, changed: training.shared=shared", **tags))
    assert first == "train it again later, as it was, since each session adds to the evidence"
    assert second == "train it with networks of its own: tomorrow train --ticker KO --preset anchored"


def test_a_proven_version_is_to_wait_for_what_its_reasons_say() -> None:
    (only,) = what_could_pass(version(preset="anchored", verdict="proven"))
    assert only == "train again later: its configuration is proven; the reasons say what else the version lacks"


def test_the_way_past_the_gate_comes_last() -> None:
    advice = after_refusal(version(preset="tutorial")).splitlines()
    assert advice[-2] == "          or read why it was refused: tomorrow history KO-Close, and docs/gate.md;"
    assert advice[-1].startswith("          or last, move it past the gate, on record: tomorrow promote KO-Close 3 ")
    assert not any("--force" in line for line in advice[:-1])
