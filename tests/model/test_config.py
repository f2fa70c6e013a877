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
