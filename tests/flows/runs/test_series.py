"""Other series as inputs, end to end: fetched beside the prices, kept with the run; without them, it is said so."""

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from flows.cli.main import main
from model.market.prices import COLUMNS, Prices
from model.market.synthetic import sample_prices
from tasks.ledger.forecasts import Ledger
from tasks.prices.parquet import read_price_file
from tasks.prices.snapshots import SnapshotStore
from tasks.settings import read_settings
from tests.conftest import process_as_it_was
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.flows.conftest import SMALL, Made, Run, copy_home
from tests.flows.runs.conftest import CALENDAR, yahoo_with
from tests.market import write_csv

if TYPE_CHECKING:
    from mlflow import MlflowClient

INDEX = {"instrumentType": "INDEX", "exchangeName": "CBOE", "symbol": "^VIX", "longName": "an index"}
WITH_VIX = ("--preset", "anchored", *SMALL, "--set", "series=[^VIX]", "--set", "training.members=1")


@pytest.fixture(scope="module")
def index(market: Prices) -> Prices:
    """An index on the same days, without volume."""
    other = sample_prices(market.last, 7, CALENDAR)
    values = other.values[-500:].copy() / 5
    values[:, COLUMNS.index("Volume")] = 0
    return replace(market, values=values)


@pytest.fixture
def yahoo(market: Prices, index: Prices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeYahoo]:
    with yahoo_with(market, tmp_path, monkeypatch) as server:
        server.serve("^VIX", index, **INDEX)
        yield server


@pytest.fixture(scope="module")
def with_series_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    market: Prices,
    index: Prices,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which a version with a series was trained and put into Production."""
    folder = tmp_path_factory.mktemp("with-series")
    home = Path(shutil.copytree(empty_home, folder / "var"))
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        process_as_it_was(),
        yahoo_with(market, folder, patch) as server,
        contextlib.redirect_stdout(said),
    ):
        server.serve("^VIX", index, **INDEX)
        patch.setenv("TOMORROW_HOME", str(home))
        assert main(("train", "--ticker", "META", *WITH_VIX, "--json")) == 0
        answer = json.loads(said.getvalue())
        assert main(("promote", "META-Open", "1", "--force", "--reason", "a test")) == 0
    return Made(home, (answer,))


@pytest.fixture
def with_series(home: Path, with_series_once: Made) -> Any:
    """META-Open version 1 is in Production: WITH_VIX, as if it had been trained here. Gives the training's answer."""
    copy_home(with_series_once.home, home)
    return with_series_once.answers[0]


def stored_prices(client: "MlflowClient", run_id: str, folder: Path) -> Prices:
    return read_price_file(Path(client.download_artifacts(run_id, "prices.parquet", str(folder))))


@pytest.mark.usefixtures("yahoo")
def test_a_series_is_fetched_kept_as_a_snapshot_logged_and_forecast_with(
    run: Run, home: Path, with_series: Any, client: "MlflowClient", tmp_path: Path, index: Prices
) -> None:
    store = SnapshotStore(read_settings({"TOMORROW_HOME": str(home)}))
    assert store.tickers() == ("META", "^VIX")
    snapshot = store.newest("^VIX")
    assert snapshot is not None
    run_id = with_series["run_id"]
    tags = client.get_run(run_id).data.tags
    assert json.loads(tags["x.prices.series"]) == {"^VIX": snapshot.fingerprint}
    assert tags["x.fingerprint"] != tags["x.prices.snapshot"]
    kept = stored_prices(client, run_id, tmp_path)
    assert kept.others is not None
    assert kept.others.columns == ("^VIX",)
    np.testing.assert_array_equal(kept.others.table()["^VIX"], index.column("Close"))
    forecast = run("predict", "--ticker", "META", "--json")
    assert forecast.code == 0, forecast.err
    assert forecast.json["without"] is None
    assert not any("without the series" in note for note in forecast.json["prices"]["notes"])


@pytest.mark.parametrize("way", ["gone", "stale"])
@pytest.mark.usefixtures("with_series")
def test_without_the_series_the_same_version_forecasts_and_says_so(
    run: Run, home: Path, yahoo: FakeYahoo, index: Prices, way: str
) -> None:
    if way == "gone":
        yahoo._listings.pop("^VIX")
    else:
        store = SnapshotStore(read_settings({"TOMORROW_HOME": str(home)}))
        for name in store.fetches("^VIX"):
            store.remove(str(name.file))
        yahoo.serve("^VIX", index.rows(0, len(index) - 7), **INDEX)
    made = run("predict", "--ticker", "META", "--json")
    assert made.code == 0, made.err
    assert made.json["without"] == "^VIX"
    assert made.json["version"] == 1
    assert any("without the series ^VIX" in note for note in made.json["prices"]["notes"])
    (row,) = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri).rows()
    assert row.without == "^VIX"
    if way == "gone":
        yahoo.serve("^VIX", index, **INDEX)
        again = run("predict", "--ticker", "META", "--json").json
        assert (again["recorded"], again["without"]) == (False, "^VIX")
        assert again["prices"]["notes"][-1] == "the forecast on record was made without ^VIX"
    said = run("predict", "--ticker", "META")
    assert "without ^VIX: not known when it was made, so the mean of the training part stood in." in said.out
    listed = run("forecasts", "META-Open", "--json").json["forecasts"]
    assert [one["without"] for one in listed] == ["^VIX"]


def test_a_training_whose_series_cannot_be_had_ends_with_the_reason(run: Run, yahoo: FakeYahoo) -> None:
    yahoo._listings.pop("^VIX")
    made = run("train", "--ticker", "META", *WITH_VIX)
    assert made.code == 3
    assert "^VIX" in made.err + made.out


@pytest.mark.usefixtures("with_series")
def test_a_short_outage_is_bridged_by_the_last_snapshot(run: Run, yahoo: FakeYahoo) -> None:
    assert run("predict", "--ticker", "META", "--json").json["without"] is None
    yahoo.misbehave(Fault(status=502))
    assert run("train", "--ticker", "META", *WITH_VIX, "--set", "training.seed=4").code == 0


def test_a_series_comes_from_a_file_that_says_when_each_value_was_known(
    run: Run, market: Prices, tmp_path: Path, client: "MlflowClient"
) -> None:
    prices, file = write_csv(market, tmp_path / "ACME.csv"), tmp_path / "mood.csv"
    days = market.sessions.astype(str)
    rng = np.random.default_rng(3)
    values = np.round(10 + rng.uniform(0, 1, len(days)), 3)
    lines = [f"{day},{value},{day}T23:59" for day, value in zip(days, values, strict=True)]
    file.write_text("\n".join(["Date,mood,known_at", *lines]))
    options = ("--source", "csv", "--ticker", "ACME", "--prices", str(prices), "--inputs", str(file))
    series = ("--preset", "anchored", *SMALL, "--set", "training.members=1", "--set", "series=[mood]")
    made = run("train", *options, *series, "--json")
    assert made.code == 0, made.err
    kept = stored_prices(client, made.json["run_id"], tmp_path)
    assert kept.others is not None
    # Known at midnight, after the close: it counts for the next session.
    np.testing.assert_array_equal(kept.others.table()["mood"][1:], values[:-1])
    assert np.isnan(kept.others.table()["mood"][0])
    assert run("promote", "ACME-Open", "1", "--force", "--reason", "a test").code == 0
    assert run("predict", *options, "--json").json["without"] is None
    lost = run("predict", *options[:-2], "--json")
    assert lost.code == 0, lost.err
    notes = lost.json["prices"]["notes"]
    (note,) = [note for note in notes if "without the series mood" in note]
    # The name stands once: it had been said twice in a row.
    assert note == "without the series mood: the version was trained with one from a file, and no file with it"
    # The session had been forecast with the series; that forecast stays, and it is said that it lacks nothing.
    assert (lost.json["recorded"], lost.json["without"]) == (False, None)
    assert "the forecast on record was made with every series that its version takes" in notes
    # Where it is not known any more that it was from a file, it is not asked for elsewhere either.
    client.set_tag(made.json["run_id"], "x.prices.series", "[1]")
    spoilt = run("predict", *options[:-2], "--json")
    assert spoilt.code == 0, spoilt.err
    assert note in spoilt.json["prices"]["notes"]


def name_in_configuration(tmp_path: Path, *, where_proven: bool, preset: str = "anchored") -> None:
    """Have mlflow.yaml give the index to every training with a preset."""
    file = tmp_path / "mlflow.yaml"
    rule = {"inputs": ["^VIX"], "presets": [preset], "exchanges": ["XNAS"], "where_proven": where_proven}
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "series": [rule]}))


@pytest.mark.usefixtures("small_proof")
def test_the_configuration_gives_a_series_only_where_it_is_proven_better(
    run: Run, yahoo: FakeYahoo, tmp_path: Path, client: "MlflowClient"
) -> None:
    name_in_configuration(tmp_path, where_proven=True)
    made = run("train", "--ticker", "META", "--preset", "anchored", *SMALL, "--set", "training.members=1", "--json")
    assert made.code == 0, made.err
    run_of = client.get_run(made.json["run_id"])
    # The index has nothing to do with the security: nothing can be proven, and nothing is used.
    assert "prices.series" not in run_of.data.tags
    assert "forecaster.series" not in run_of.data.params
    assert "^VIX" in yahoo.charts_asked() or "%5EVIX" in yahoo.charts_asked()


def test_the_configuration_gives_a_series_and_a_training_goes_on_without_one_that_cannot_be_had(
    run: Run, yahoo: FakeYahoo, tmp_path: Path, client: "MlflowClient"
) -> None:
    name_in_configuration(tmp_path, where_proven=False)
    train = ("train", "--ticker", "META", "--preset", "anchored", *SMALL, "--set", "training.members=1", "--json")
    made = run(*train)
    assert made.code == 0, made.err
    trained = client.get_run(made.json["run_id"]).data
    assert trained.tags["prices.series"] == "^VIX"
    assert "^VIX" in trained.params["forecaster.series"]
    without = run(*train, "--set", "series=[]")
    assert without.code == 0, without.err
    assert "prices.series" not in client.get_run(without.json["run_id"]).data.tags
    yahoo._listings.pop("^VIX")
    again = run(*train)
    assert again.code == 0, again.err
    # The very configuration that was asked for before, so it is not trained again.
    assert again.json["run_id"] == without.json["run_id"]


def test_a_rule_for_a_preset_that_there_is_not_ends_a_training_before_prices_are_fetched(
    run: Run, yahoo: FakeYahoo, tmp_path: Path
) -> None:
    name_in_configuration(tmp_path, where_proven=False, preset="anchord")
    made = run("train", "--ticker", "META", "--preset", "anchored", *SMALL, "--json")
    assert made.code == 2
    assert made.json["error"]["have"] == "'anchord', which no preset is called. Did you mean 'anchored'?"
    assert yahoo.charts_asked() == []


def write_mood(market: Prices, file: Path) -> Path:
    """A series in a file, of a name that Yahoo has, too."""
    values = 10 + np.random.default_rng(3).uniform(0, 1, len(market))
    rows = (f"{day},{value:.3f}" for day, value in zip(market.sessions.astype(str), values, strict=True))
    file.write_text("\n".join(["Date,mood", *rows]))
    return file


def test_a_series_from_a_file_is_never_replaced_by_what_yahoo_has_under_its_name(
    run: Run, yahoo: FakeYahoo, market: Prices, index: Prices, tmp_path: Path
) -> None:
    yahoo.serve("MOOD", index)
    file = write_mood(market, tmp_path / "given.csv")
    series = ("--preset", "anchored", *SMALL, "--set", "training.members=1", "--set", "series=[mood]")
    made = run("train", "--ticker", "META", *series, "--inputs", str(file))
    assert made.code == 0, made.err
    assert run("promote", "META-Open", "1", "--force", "--reason", "a test").code == 0
    lost = run("predict", "--ticker", "META", "--json")
    assert lost.code == 0, lost.err
    assert lost.json["without"] == "mood"
    assert not any("mood" in asked.lower() for asked in yahoo.charts_asked())


@pytest.mark.usefixtures("yahoo")
def test_a_name_that_is_no_ticker_is_said_to_be_that_of_a_series(run: Run) -> None:
    named = (*WITH_VIX[:-4], "--set", "series=[../mood]")
    made = run("train", "--ticker", "META", *named, "--json")
    assert made.code == 2
    error = made.json["error"]
    assert error["subject"] == "the series ../mood"
    assert "--inputs" in error["remedy"]
    assert "--ticker" not in error["remedy"]


@pytest.mark.usefixtures("yahoo")
def test_a_file_of_series_that_is_not_there_is_looked_for_under_inputs(run: Run, tmp_path: Path) -> None:
    made = run("train", "--ticker", "META", *WITH_VIX, "--inputs", str(tmp_path / "none.csv"), "--json")
    assert made.code == 3
    assert made.json["error"]["remedy"] == "correct the path given with --inputs"


@pytest.mark.usefixtures("yahoo")
def test_a_tuning_tries_with_the_series(run: Run, monkeypatch: pytest.MonkeyPatch, client: "MlflowClient") -> None:
    monkeypatch.setenv("TOMORROW_PROOF__SESSIONS", "100")
    monkeypatch.setenv("TOMORROW_PROOF__HISTORY", "200")
    tuned = run("tune", "--ticker", "META", *WITH_VIX, "--jobs", "1", "--trials", "2", "--json")
    assert tuned.code == 0, tuned.err
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    (study,) = (each for each in runs if each.data.tags.get("kind") == "tuning")
    assert study.data.tags["prices.series"] == "^VIX"
