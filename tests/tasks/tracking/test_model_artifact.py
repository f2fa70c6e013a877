"""One artefact: what was fitted is what is served, with its intervals, from raw prices and nothing else."""

import numpy as np
import pytest

from model.artifact.scale import PRICES
from model.config import PRESETS, ForecasterConfig, NetworkConfig, TrainingConfig
from model.errors import TooFewPrices
from model.forecaster.forecaster import Forecaster
from model.training.fit import train_forecaster
from tasks.tracking.client import Tracking
from tasks.tracking.model_artifact import PackagedForecaster, load_forecaster, load_network, log_forecaster
from tasks.tracking.run import start_run
from tests.market import make_prices

CONFIGS = {
    **PRESETS,
    "coupled": PRESETS["tutorial"].model_copy(update={"network": NetworkConfig(cell="coupled")}),
}
KNOWN = make_prices(120)
BOUNDS = ["lower_80", "upper_80", "lower_95", "upper_95"]


def small(preset: str) -> ForecasterConfig:
    given = CONFIGS[preset]
    training = TrainingConfig(epochs=1, members=given.training.members, loss=given.training.loss)
    network = NetworkConfig(units=(3,), cell=given.network.cell)
    return given.model_copy(update={"network": network, "training": training, "lookback": 5})


@pytest.fixture(params=sorted(CONFIGS))
def both(request: pytest.FixtureRequest, tracking: Tracking) -> tuple[Forecaster, PackagedForecaster]:
    fitted = train_forecaster(KNOWN, small(request.param))
    with start_run(tracking.client, tracking.experiment_id(), "a training", {}) as run:
        uri = log_forecaster(run.run_id, fitted, KNOWN)
    return fitted, load_forecaster(uri)


def test_it_serves_what_was_fitted_and_says_what_it_needs(both: tuple[Forecaster, PackagedForecaster]) -> None:
    fitted, served = both
    here, there = fitted.predict(KNOWN, 7), served.predict(KNOWN, 7)
    np.testing.assert_array_equal(here.values, there.values)
    assert [here.intervals(row) for row in range(7)] == [there.intervals(row) for row in range(7)]
    assert set(here.intervals()) == {80, 95}

    schema = served.model.metadata.get_input_schema()
    assert tuple(schema.required_input_names()) == fitted.recipe.columns
    assert set(schema.input_names()) == {*fitted.recipe.columns, *PRICES}
    assert served.model.metadata.get_output_schema().input_names() == ["forecast", *BOUNDS]
    example = served.model.input_example
    answer = served.model.predict(example)
    assert list(answer) == ["forecast", *BOUNDS]
    assert len(answer) == 1
    assert np.isfinite(answer.to_numpy()).all()

    needed = KNOWN.frame()[list(fitted.recipe.columns)]
    assert served.model.predict(needed)["forecast"].to_list() == here.values[-1:].tolist()

    short = KNOWN.until(KNOWN.day(fitted.recipe.rows - 2))
    with pytest.raises(TooFewPrices, match=f"needed are at least {fitted.recipe.rows} sessions"):
        served.predict(short)


@pytest.mark.parametrize("both", ["coupled"], indirect=True)
def test_a_version_brings_its_own_cells_and_leaves_ours_alone(both: tuple[Forecaster, PackagedForecaster]) -> None:
    from model.artifact.cells import CoupledLSTMCell

    fitted, served = both
    theirs = type(served.model.unwrap_python_model()._network.layers[0].cell)
    assert theirs.__name__ == "CoupledLSTMCell"
    assert theirs is not CoupledLSTMCell
    assert type(load_network(served.model_uri).layers[0].cell) is CoupledLSTMCell
    assert type(fitted.network.layers[0].cell) is CoupledLSTMCell
