"""One artefact: what was fitted is what is served, with its distribution, from raw prices and nothing else."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import StringIO
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.artifact import inference
from model.artifact.distribution import PROBABILITIES, quantile_column
from model.artifact.recipes import ChangeRecipe, Recipe
from model.artifact.scale import PRICES
from model.artifact.series_input import SeriesInput
from model.config import PRESETS, ForecasterConfig, NetworkConfig
from model.errors import TooFewPrices, UsageError
from model.forecaster.forecaster import Forecaster
from model.market.prices import OtherSeries, Prices
from model.training.fit import train_forecaster
from model.training.fit_shared import SharedFit
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.tracking.client import Tracking
from tasks.tracking.model_artifact import PackagedForecaster, load_forecaster, log_forecaster, yaml_in_c
from tasks.tracking.run import TrackedRun, start_run
from tasks.training.stored_network import load_parts, load_weights
from tests.market import make_prices

CONFIGS = {
    **PRESETS,
    "coupled": PRESETS["tutorial"].model_copy(update={"network": NetworkConfig(cell="coupled")}),
}
KNOWN, LATER = make_prices(500), make_prices(530)
CODE = Path(inference.__file__).parent
BOUNDS = ["lower_80", "upper_80", "lower_95", "upper_95"]
QUANTILES = [quantile_column(probability) for probability in PROBABILITIES]
Both = tuple[Forecaster, PackagedForecaster]
Log = Callable[[Forecaster], str]
Load = Callable[[Forecaster], PackagedForecaster]


def small(preset: str) -> ForecasterConfig:
    given = CONFIGS[preset]
    training = given.training.model_copy(update={"epochs": 1, "patience": None})
    network = NetworkConfig(units=(3,), cell=given.network.cell)
    return given.model_copy(update={"network": network, "training": training, "lookback": 5})


def trained_by(run: TrackedRun) -> Trained:
    return Trained(model="TEST-Open", run_id=run.run_id, key="a key", as_of=KNOWN.last)


@pytest.fixture
def log(tracking: Tracking) -> Log:
    """Store a forecaster with a run of its own, and give its address."""

    def logged(fitted: Forecaster) -> str:
        with start_run(tracking.client, tracking.experiment_id(), "a training", {}) as run:
            return log_forecaster(tracking.settings, trained_by(run), fitted, with_index(KNOWN))

    return logged


@pytest.fixture
def load(tracking: Tracking, log: Log) -> Load:
    """Store a forecaster, register it as a version, and load it."""
    numbers = count(1)

    def loaded(fitted: Forecaster) -> PackagedForecaster:
        source, version = log(fitted), f"models:/TEST-Open/{next(numbers)}"
        run_id = tracking.client.get_logged_model(source.removeprefix("models:/")).source_run_id
        assert KeptFiles(tracking.settings.ledger_uri).register(version, source, str(run_id), "a key")
        return load_forecaster(tracking.settings, version, source)

    return loaded


@pytest.fixture(params=sorted(CONFIGS))
def both(request: pytest.FixtureRequest, load: Load) -> Both:
    fitted = train_forecaster(KNOWN, small(request.param))
    return fitted, load(fitted)


def source_of(served: PackagedForecaster) -> str:
    return f"models:/{served.model.metadata.model_id}"


def stored_at(served: PackagedForecaster) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=source_of(served)))


def test_it_serves_what_was_fitted_and_says_what_it_needs(both: Both) -> None:
    fitted, served = both
    for prices in (KNOWN, LATER, replace(LATER, following=date(2021, 1, 20))):
        here, there = fitted.predict(prices, 7), served.predict(prices, 7)
        np.testing.assert_array_equal(here.values, there.values)
        np.testing.assert_array_equal(here.quantiles, there.quantiles)
        assert np.isfinite(here.quantiles).all()
        assert set(here.intervals()) == {80, 95}

    # What it takes, its example shows: MLflow's own checks of inputs would refuse what people's files give.
    assert served.model.metadata.get_input_schema() is None
    assert served.model.metadata.get_output_schema().input_names() == ["forecast", *BOUNDS, *QUANTILES]
    example = served.model.input_example
    assert set(example) == {"Date", *fitted.recipe.columns, *PRICES}
    answer = served.model.predict(example)
    assert list(answer) == ["forecast", *BOUNDS, *QUANTILES]
    assert len(answer) == 1
    assert np.isfinite(answer.to_numpy()).all()

    short = KNOWN.until(KNOWN.day(fitted.recipe.rows - 2))
    with pytest.raises(TooFewPrices, match=f"at least {fitted.recipe.rows} sessions are needed"):
        served.predict(short)


def test_it_explains_its_newest_forecast_where_the_width_is_a_product(both: Both) -> None:
    fitted, served = both
    here, there = fitted.predict(LATER, 3, explain=True), served.predict(LATER, 3)
    assert here.explanation == there.explanation
    assert served.predict(LATER).explanation == there.explanation
    assert (there.explanation is None) == (fitted.config.inputs == "level")
    assert fitted.predict(LATER).explanation is None  # it was not asked for


def test_a_network_of_ones_own_averaged_with_a_shared_one_is_explained(load: Load) -> None:
    config = small("anchored")
    config = config.model_copy(update={"training": config.training.model_copy(update={"shared": "both"})})
    own = train_forecaster(KNOWN, small("anchored"))
    assert isinstance(own.recipe, ChangeRecipe)
    assert own.recipe.branch is not None
    shared = SharedFit(
        before=date(2020, 1, 1),
        branch=replace(own.recipe.branch, constant=0.25),
        weights=own.weights[::-1],
        courses=own.courses,
        windows=100,
    )
    fitted = train_forecaster(KNOWN, config, shared=shared)
    found = load(fitted).predict(LATER).explanation
    assert found is not None
    assert found == fitted.predict(LATER, explain=True).explanation
    assert isinstance(fitted.recipe, ChangeRecipe)
    assert found.usual == pytest.approx(fitted.recipe.ordinary * math.exp(0.25), rel=1e-15)
    assert len(fitted.weights) == 2 * len(own.weights)


@pytest.mark.parametrize("both", ["anchored", "daily"], indirect=True)
def test_a_version_from_before_explanations_is_explained_if_todays_code_makes_the_same_forecast(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.types import ParamSchema

    _, served = both
    expected = served.predict(LATER).explanation
    known = served.model.metadata.signature
    known.params = ParamSchema([spec for spec in known.params if spec.name != "explain"])
    assert list(served.model.predict(LATER.frame())) == ["forecast", *BOUNDS, *QUANTILES]
    assert expected is not None
    assert list(expected.factors) == ["moves", "direction", "echo", "volume", "network"]
    for origins in (1, 3):
        by_today = served.predict(LATER, origins).explanation
        assert by_today == expected
        assert list(by_today.factors) == list(expected.factors)

    forecast = inference.forecast

    def another(*given: Any, **more: Any) -> dict[str, np.ndarray]:
        made = forecast(*given, **more)
        return made | {QUANTILES[3]: made[QUANTILES[3]] * (1 + 1e-6)}

    with monkeypatch.context() as patched:
        patched.setattr(inference, "forecast", another)
        assert served.predict(LATER).explanation is None
    with monkeypatch.context() as patched:
        patched.setattr(Recipe, "from_json", lambda text: {}[text])
        assert served.predict(LATER).explanation is None


@pytest.mark.parametrize("both", ["anchored", "tutorial"], indirect=True)
def test_sessions_are_read_from_the_index_or_a_column_and_may_be_missing(both: Both) -> None:
    fitted, served = both
    frame = LATER.frame()
    expected = fitted.predict(LATER, 3)

    def quantiles(given: pd.DataFrame, **params: object) -> np.ndarray:
        answer = served.model.predict(given, params={"origins": 3, **params})
        return np.asarray(answer[QUANTILES].to_numpy())

    at_midnight_in_new_york = frame.set_index(pd.DatetimeIndex(frame.index).tz_localize("America/New_York"))
    at_midnight_in_tokyo = frame.set_index(pd.DatetimeIndex(frame.index).tz_localize("Asia/Tokyo"))
    for given in (frame, frame.reset_index(), at_midnight_in_new_york, at_midnight_in_tokyo):
        np.testing.assert_array_equal(quantiles(given), expected.quantiles)
    undated = quantiles(frame.reset_index(drop=True))
    assert np.isfinite(undated).all()
    assert (undated[-1] != expected.quantiles[-1]).any()
    # The fewest columns are those that the network sees.
    least = served.model.predict(frame[list(fitted.recipe.columns)].reset_index(drop=True))
    assert np.isfinite(least["forecast"]).all()

    read = pd.read_csv(
        StringIO(frame.astype({"Volume": int}).to_csv(float_format="%.17g")), float_precision="round_trip"
    )
    assert read["Volume"].dtype == np.int64
    assert isinstance(read["Date"].iloc[0], str)
    for given in (
        read,
        read[::-1],
        frame.iloc[::-1],
        read.set_index("Date")[::-1],
        read.rename(columns=str.lower),
        read.rename(columns=str.lower).set_index("date"),
        read.assign(Ticker="KO"),
    ):
        np.testing.assert_array_equal(quantiles(given), expected.quantiles)
    twice = frame.set_index(pd.DatetimeIndex([*frame.index[:-1], frame.index[-2] + pd.Timedelta(hours=3)]))
    for given, said in (
        (twice, "2021-01-08 occurs in more than one row"),
        (read.assign(Date="soon"), "Date holds something that is no day"),
        (read.assign(Open="dear"), "Open holds something that is no number"),
        (read.drop(columns="Open"), "no column Open: forecasts are made from"),
        (read.tail(3), "sessions are needed, "),
    ):
        with pytest.raises(ValueError, match=said):
            quantiles(given)


@pytest.mark.parametrize("both", ["anchored"], indirect=True)
def test_over_http_a_bad_frame_is_a_400_with_one_sentence_and_every_answer_is_json(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient
    from mlflow.pyfunc.scoring_server import init

    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
    _, served = both
    frame = LATER.frame().reset_index().astype({"Date": str})
    client = TestClient(init(served.model))

    def answer(given: pd.DataFrame) -> tuple[int, dict[str, Any]]:
        split = {"columns": list(given), "data": given.to_numpy().tolist()}
        response = client.post("/invocations", json={"dataframe_split": split})
        return response.status_code, json.loads(response.text, parse_constant=pytest.fail)

    code, good = answer(frame)
    assert (code, len(good["predictions"])) == (200, 1)
    assert answer(frame[::-1]) == (code, good)
    csv = client.post("/invocations", content=frame.to_csv(index=False), headers={"Content-Type": "text/csv"})
    assert csv.status_code == 200
    assert csv.json()["predictions"][0] == pytest.approx(good["predictions"][0])
    code, bad = answer(frame.drop(columns="High"))
    sentence = "no column High: forecasts are made from Open, High, Low, Close, Volume"
    assert (code, bad["message"]) == (400, sentence)
    code, few = answer(frame.tail(3))
    assert code == 400
    assert "sessions are needed, " in few["message"]
    assert "\n" not in few["message"]


@pytest.mark.parametrize("both", ["anchored"], indirect=True)
def test_the_next_session_may_be_named_and_else_is_the_next_weekday(both: Both) -> None:
    fitted, served = both
    frame = LATER.frame()
    newest = LATER.last
    weekday = replace(LATER, following=date(2021, 1, 12))
    holiday = replace(LATER, following=date(2021, 1, 20))
    assert newest == date(2021, 1, 11)
    for prices, params in ((LATER, {}), (weekday, {}), (holiday, {"next_session": "2021-01-20"})):
        answer = served.model.predict(frame, params=params)
        np.testing.assert_array_equal(answer[QUANTILES].to_numpy(), fitted.predict(prices).quantiles)
    assert (fitted.predict(LATER).quantiles == fitted.predict(weekday).quantiles).all()
    assert (fitted.predict(LATER).quantiles != fitted.predict(holiday).quantiles).any()
    with pytest.raises(ValueError, match="next_session is 2021-01-11, and the newest row is of 2021-01-11"):
        served.model.predict(frame, params={"next_session": "2021-01-11"})


ALONE = """
import json, sys
import numpy as np
import pandas as pd
import mlflow.pyfunc

sys.modules["keras"] = sys.modules["tensorflow"] = None  # to import them fails
frame = pd.read_csv(sys.argv[1], index_col="Date", parse_dates=True).astype(float)
answer = mlflow.pyfunc.load_model(sys.argv[2]).predict(frame, params={"origins": 4})
ours = [name for name in sys.modules if name.split(".")[0] in ("model", "tasks", "flows", "tests")]
print(json.dumps([ours, answer.to_numpy().tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("both", ["anchored"], indirect=True)
def test_elsewhere_numpy_alone_gives_the_same_digits_without_this_project(both: Both, tmp_path: Path) -> None:
    fitted, served = both
    frame = LATER.frame()
    frame.to_csv(tmp_path / "prices.csv", float_format="%.17g")
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALONE, "prices.csv", str(stored_at(served))],
        cwd=tmp_path,
        env={**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours, answer = json.loads(done.stdout.splitlines()[-1])
    assert ours == []
    np.testing.assert_array_equal(np.array(answer)[:, 5:], fitted.predict(LATER, 4).quantiles)


@pytest.mark.parametrize("both", ["anchored"], indirect=True)
def test_what_is_stored_is_the_network_the_recipe_and_the_code_and_is_small(both: Both) -> None:
    fitted, served = both
    stored = stored_at(served)
    code = {file.name for file in (stored / "artifacts" / "code").iterdir() if file.suffix == ".py"}
    assert code == {file.name for file in CODE.glob("*.py")}
    recipe = stored / "artifacts" / "recipe.json"
    assert Recipe.from_json(recipe.read_text(encoding="utf-8")) == fitted.recipe
    assert recipe.stat().st_size < 30_000
    assert not list(stored.rglob("*.pkl"))
    requirements = (stored / "requirements.txt").read_text(encoding="utf-8")
    assert "keras" not in requirements


def test_two_threads_that_read_yaml_in_c_leave_it_as_they_found_it() -> None:
    import yaml

    before, first_is_in, second_waits = yaml.SafeLoader, Event(), Event()

    def second() -> None:
        first_is_in.wait(60)
        second_waits.set()
        with yaml_in_c():
            pass

    other = Thread(target=second)
    other.start()
    with yaml_in_c():
        first_is_in.set()
        second_waits.wait(60)
        other.join(0.2)
        assert other.is_alive()
    other.join(60)
    assert yaml.SafeLoader is before


def test_a_fit_goes_on_from_the_very_weights_that_were_fitted(both: Both, tracking: Tracking) -> None:
    fitted, served = both
    found = load_weights(tracking.settings, served.model_uri, source_of(served))
    assert len(found) == len(fitted.weights)
    for ours, theirs in zip(found, fitted.weights, strict=True):
        for stored, given in zip(ours, theirs, strict=True):
            assert stored.dtype == given.dtype
            np.testing.assert_array_equal(stored, given)


def test_two_versions_with_other_code_stand_side_by_side(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second one's code is a tenth wider: a change of the code leaves an old version as it was."""
    fitted = train_forecaster(KNOWN, small("anchored"))
    old = load(fitted)
    changed = tmp_path / "artifact"
    shutil.copytree(CODE, changed)
    scale = changed / "scale.py"
    text = scale.read_text(encoding="utf-8")
    assert text.count("LEAST_SCALE), np.nan)") == 1
    scale.write_text(text.replace("LEAST_SCALE), np.nan)", "LEAST_SCALE), np.nan) * 1.1"), encoding="utf-8")
    monkeypatch.setattr(inference, "__file__", str(changed / "inference.py"))
    new = load(fitted)
    for _ in range(2):
        np.testing.assert_array_equal(old.predict(LATER, 5).quantiles, fitted.predict(LATER, 5).quantiles)
        assert (new.predict(LATER, 5).quantiles != old.predict(LATER, 5).quantiles).any(axis=1).all()


@pytest.mark.parametrize("gives", [["forecast"], ["forecast", *BOUNDS], ["forecast", *BOUNDS, *QUANTILES[1:]]])
def test_a_version_that_gives_no_distribution_is_refused_and_what_to_do_is_said(gives: list[str]) -> None:
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    class Old:
        metadata = Model(
            signature=ModelSignature(
                inputs=Schema([ColSpec("double", "Open")]), outputs=Schema([ColSpec("double", name) for name in gives])
            )
        )

    with pytest.raises(UsageError, match="from before forecasts were distributions") as refused:
        PackagedForecaster(model_uri="models:/TEST-Open/1", model=Old()).predict(KNOWN)
    assert "train again: tomorrow train" in str(refused.value)
    assert "models:/TEST-Open/1" in str(refused.value)


@pytest.mark.parametrize("both", ["coupled"], indirect=True)
def test_a_version_brings_its_own_cells_and_leaves_ours_alone(both: Both, tracking: Tracking) -> None:
    from model.artifact.cells import CoupledLSTMCell

    fitted, served = both
    theirs = type(served.model.unwrap_python_model()._network.layers[0].cell)
    assert theirs.__name__ == "CoupledLSTMCell"
    assert theirs is not CoupledLSTMCell
    network, _ = load_parts(tracking.settings, served.model_uri, source_of(served))
    assert type(network.layers[0].cell) is CoupledLSTMCell
    assert type(fitted.network.layers[0].cell) is CoupledLSTMCell


def with_index(prices: Prices) -> Prices:
    """The prices with an index beside."""
    values = 20 * np.exp(np.cumsum(np.random.default_rng(9).normal(0, 0.05, (len(LATER), 1)), axis=0))[: len(prices)]
    return replace(prices, others=OtherSeries(columns=("^VIX",), values=values, sources={}))


def test_a_version_takes_other_series_as_columns_and_forecasts_without_them_where_they_lack(load: Load) -> None:
    config = small("anchored").model_copy(update={"series": (SeriesInput(name="^VIX"),)})
    fitted = train_forecaster(with_index(KNOWN), config)
    served, prices = load(fitted), with_index(LATER)
    assert served.series == config.series
    np.testing.assert_array_equal(served.predict(prices, 7).quantiles, fitted.predict(prices, 7).quantiles)
    assert served.without(prices) == ()
    lacking = replace(prices, others=replace(with_index(LATER).others, values=np.full((len(LATER), 1), np.nan)))  # type: ignore[type-var] # it has one
    assert served.without(lacking) == served.without(LATER) == ("^VIX",)
    without = served.predict(LATER).quantiles
    np.testing.assert_array_equal(without, served.predict(lacking).quantiles)
    assert (without != served.predict(prices).quantiles).any()
    frame = prices.frame().reset_index().rename(columns=str.lower)
    answer = served.model.predict(frame, params={"origins": 1, "next_session": ""})
    np.testing.assert_allclose(answer["quantile_0.5"], served.predict(prices).quantiles[:, 12])


def test_the_input_example_of_such_a_version_has_the_series_for_as_long_as_it_looks_back(
    tracking: Tracking,
) -> None:
    config = small("anchored").model_copy(update={"series": (SeriesInput(name="^VIX"),)})
    prices = with_index(KNOWN)
    with start_run(tracking.client, tracking.experiment_id(), "a training", {}) as run:
        address = log_forecaster(tracking.settings, trained_by(run), train_forecaster(prices, config), prices)
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(address)
    example = model.input_example
    assert list(example.columns) == ["Date", "Open", "High", "Low", "Close", "Volume", "^VIX"]
    assert len(example) == 290
    assert np.isfinite(example["^VIX"].to_numpy()).all()


def test_a_version_brings_its_further_horizons_and_forecasts_the_next_session_as_without_them(load: Load) -> None:
    config = small("anchored").model_copy(update={"horizon": (1, 5, 21)})
    fitted, alone = train_forecaster(KNOWN, config), train_forecaster(KNOWN, small("anchored"))
    served = load(fitted)
    for prices in (KNOWN, LATER, replace(LATER, following=date(2021, 1, 20))):
        here, there = fitted.predict(prices, 7), served.predict(prices, 7)
        assert list(there.further) == [5, 21]
        for ahead, quantiles in there.further.items():
            np.testing.assert_array_equal(here.further[ahead], quantiles)
            assert np.isfinite(quantiles).all()
        np.testing.assert_array_equal(alone.predict(prices, 7).quantiles, there.quantiles)
        # A price further ahead is less certain; the median stays where prices are.
        widths = [made[:, -1] - made[:, 0] for made in (there.quantiles, *there.further.values())]
        assert (widths[0] < widths[1]).all()
        assert (widths[1] < widths[2]).all()

    expected = [f"{ahead}{name}" for ahead in ("", "in_5_", "in_21_") for name in ("forecast", *BOUNDS, *QUANTILES)]
    assert served.model.metadata.get_output_schema().input_names() == expected
    answer = served.model.predict(served.model.input_example)
    assert list(answer) == expected
    assert np.isfinite(answer.to_numpy()).all()
    written = (stored_at(served) / "artifacts" / "recipe.json").read_text(encoding="utf-8")
    assert Recipe.from_json(written) == fitted.recipe


def test_where_prices_are_too_few_for_a_further_horizon_the_next_session_is_forecast_all_the_same(load: Load) -> None:
    fitted = train_forecaster(KNOWN, small("anchored").model_copy(update={"horizon": (1, 5)}))
    served = load(fitted)
    # Half a year is needed for the mean movement of a year; a window and its scale take less.
    few = LATER.rows(len(LATER) - 124, len(LATER))
    made = served.predict(few)
    assert np.isfinite(made.quantiles).all()
    assert np.isnan(made.further[5]).all()
    assert np.isfinite(served.predict(LATER.rows(len(LATER) - 127, len(LATER))).further[5]).all()
