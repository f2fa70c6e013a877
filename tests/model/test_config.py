"""The presets, and which configurations are refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from model.config import PRESETS, ForecasterConfig
from tasks.settings.written_config import WrittenConfig

written = TypeAdapter(WrittenConfig)


def test_the_daily_preset_is_the_anchored_one_started_from_production() -> None:
    daily, anchored = PRESETS["daily"], PRESETS["anchored"]
    assert daily.training == anchored.training.model_copy(update={"warm_start": True})
    assert daily == anchored.model_copy(update={"preset": "daily", "training": daily.training})
    assert not anchored.training.warm_start


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_configuration_that_would_be_accepted(name: str) -> None:
    assert ForecasterConfig.model_validate(PRESETS[name].model_dump()) == PRESETS[name]


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error", "huber"])
def test_changes_are_fitted_by_the_pinball_loss_alone(loss: str) -> None:
    with pytest.raises(ValidationError, match=f"inputs changes need training.loss pinball, not {loss}"):
        written.validate_python({"preset": "anchored", "training": {"loss": loss}})
    assert written.validate_python({"training": {"loss": loss}}).inputs == "level"


def test_prices_are_fitted_by_any_other_loss() -> None:
    message = "inputs level need training.loss mean_squared_error, mean_absolute_error or huber, not pinball"
    with pytest.raises(ValidationError, match=message):
        written.validate_python({"preset": "tutorial", "training": {"loss": "pinball"}})


@pytest.mark.parametrize("gone", ["recentre", "intervals"])
def test_a_key_that_is_gone_is_refused(gone: str) -> None:
    with pytest.raises(ValidationError, match=f"training.{gone}"):
        written.validate_python({"preset": "anchored", "training": {gone: 5}})


ANCHORED = PRESETS["anchored"].model_dump()


def test_a_configuration_without_series_is_described_as_before_there_were_any() -> None:
    assert "series" not in ANCHORED
    assert "series" not in ForecasterConfig().model_dump(mode="json")


def test_a_series_is_named_alone_or_with_its_transformations() -> None:
    given = [{"name": "QQQ", "transformations": ["range"]}, "^VIX"]
    config = ForecasterConfig.model_validate({**ANCHORED, "series": given})
    assert [(each.name, each.transformations) for each in config.series] == [
        *(("QQQ", ("range",)), ("^VIX", ("level", "change")))
    ]
    assert ForecasterConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("preset", "series", "fault"),
    [
        ("anchored", ["^VIX", "^vix"], "each of them once"),
        ("anchored", ["Close"], "a name that no column of prices has, unlike Close"),
        ("anchored", [{"name": "^VIX", "transformations": ["log"]}], "'level', 'change' or 'range'"),
        ("anchored", [{"name": "^VIX", "weight": 2}], "weight"),
        ("tutorial", ["^VIX"], "series need inputs: changes"),
    ],
)
def test_what_no_series_can_be_is_refused(preset: str, series: list[object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ForecasterConfig.model_validate({**PRESETS[preset].model_dump(), "series": series})


def test_a_configuration_of_the_next_session_alone_is_described_as_before_there_were_horizons() -> None:
    assert "horizon" not in ANCHORED
    assert "horizon" not in ForecasterConfig(horizon=(1,)).model_dump(mode="json")
    config = ForecasterConfig.model_validate({**ANCHORED, "horizon": [1, 5]})
    assert config.horizon == (1, 5)
    assert config.model_dump(mode="json") == PRESETS["anchored"].model_dump(mode="json") | {"horizon": [1, 5]}
    assert ForecasterConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("preset", "horizon", "fault"),
    [
        ("anchored", [], "1 among them"),
        ("anchored", [5], "1 among them"),
        ("anchored", [1, 22], "at most 21"),
        ("anchored", [1, 5, 5], "ascending"),
        ("anchored", [1, 10, 5], "ascending"),
        ("anchored", [1, 2.5], "integer"),
        ("tutorial", [1, 5], "horizons beyond 1 need inputs: changes"),
    ],
)
def test_what_no_horizons_can_be_is_refused(preset: str, horizon: list[float], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ForecasterConfig.model_validate({**PRESETS[preset].model_dump(), "horizon": horizon})
