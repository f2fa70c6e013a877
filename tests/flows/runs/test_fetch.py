"""Yahoo's prices in training and prediction: retried, vintaged, stale where that is allowed, and on record."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.cli.main import main
from flows.runs.fetch import fetch
from model.config import PriceRequest
from model.errors import PricesUnavailable
from model.market.prices import COLUMNS, Prices
from tasks.ledger.forecasts import Ledger
from tasks.prices.request import resolve
from tasks.settings import Settings, read_settings
from tests.conftest import process_as_it_was
from tests.fakes.yahoo import FakeYahoo, Fault
from tests.flows.conftest import SMALL, Made, Run, copy_home
from tests.flows.runs.conftest import yahoo_with

if TYPE_CHECKING:
    from mlflow import MlflowClient

DOWN = Fault(status=502)


@pytest.fixture
def yahoo(market: Prices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeYahoo]:
    """Yahoo as this process sees it, through a proxy."""
    with yahoo_with(market, tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture(scope="module")
def fetched_once(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    market: Prices,
    prefect_server: None,  # noqa: ARG001 - the training needs it
) -> Made:
    """A state directory in which SMALL was trained on META's prices from Yahoo."""
    folder, said = tmp_path_factory.mktemp("fetched"), io.StringIO()
    home = Path(shutil.copytree(empty_home, folder / "var"))
    with (
        pytest.MonkeyPatch.context() as patch,
        process_as_it_was(),
        yahoo_with(market, folder, patch),
        contextlib.redirect_stdout(said),
    ):
        patch.setenv("TOMORROW_HOME", str(home))
        assert main(("train", *SMALL, "--json")) == 0
    return Made(home, (json.loads(said.getvalue()),))


@pytest.fixture
def fetched(home: Path, fetched_once: Made) -> Any:
    """META-Open version 1 waits in Staging: SMALL, as if it had been trained here. Gives the training's answer."""
    copy_home(fetched_once.home, home)
    return fetched_once.answers[0]


def without_newest(prices: Prices) -> Prices:
    return prices.until(prices.day(-2))


def restated(prices: Prices) -> Prices:
    values = prices.values.copy()
    values[100, COLUMNS.index("Close")] *= 1.001
    return replace(prices, values=values)


def artifacts(key: str = "prices-meta") -> list[str]:
    """The texts of Prefect's artifacts of a key, oldest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC
        )
    return [str(artifact.data) for artifact in reversed(found)]


def test_what_had_changed_is_on_the_run_in_the_answer_and_in_an_artifact(
    run: Run, client: "MlflowClient", yahoo: FakeYahoo, market: Prices
) -> None:
    yahoo.serve("META", without_newest(market))
    assert run("train", "--ticker", "FB", *SMALL).code == 3
    yahoo.serve("META", market)
    trained = run("train", "--ticker", "FB", *SMALL, "--json").json
    assert (trained["ticker"], trained["stale"], trained["prices"]["verdict"]) == ("META", False, "grown")
    tags = client.get_run(trained["run_id"]).data.tags
    assert (tags["prices.verdict"], tags["prices.stale"]) == ("grown", "false")
    assert tags["x.prices.snapshot"] == trained["prices"]["snapshot"] == trained["prices"]["fingerprint"]
    assert tags["prices.changes"] == f"1 session added: {market.last}"
    assert artifacts()[-1].startswith("**META: grown**")


def test_a_fault_that_passes_is_tried_again_within_the_run(run: Run, yahoo: FakeYahoo) -> None:
    yahoo.misbehave(Fault(body=""), times=2)
    assert run("train", *SMALL).code == 0
    assert len(yahoo.charts_asked()) == 3


def test_a_fault_that_stays_ends_with_exit_3_and_no_trace(run: Run, yahoo: FakeYahoo) -> None:
    yahoo.misbehave(DOWN)
    failed = run("train", *SMALL)
    assert failed.code == 3
    assert "HTTP 502" in failed.err
    assert "Traceback" not in failed.err


def test_predict_goes_on_with_stale_prices_where_train_does_not(run: Run, yahoo: FakeYahoo, market: Prices) -> None:
    yahoo.serve("META", without_newest(market))
    known = str(market.day(-2))
    assert run("train", "--as-of", known, *SMALL).code == 0
    assert run("promote", "META-Open", "1", "--force", "--reason", "a test").code == 0
    refused = run("train", *SMALL, "--json")
    assert (refused.code, refused.json["error"]["missing"]) == (3, [str(market.last)])
    made = run("predict", "--json").json
    assert (made["stale"], made["as_of"], made["prices"]["missing"]) == (True, known, [str(market.last)])
    (row,) = Ledger(read_settings().ledger_uri).rows("META-Open")
    assert (row.stale, row.as_of) == (True, date.fromisoformat(known))
    assert "prices: stale: Yahoo was not available" in run("predict").out


@pytest.mark.usefixtures("fetched")
def test_a_run_on_stale_prices_says_so(run: Run, client: "MlflowClient", yahoo: FakeYahoo) -> None:
    yahoo.misbehave(DOWN)
    stale = run("train", *SMALL, "--again", "--json").json
    assert (stale["stale"], stale["prices"]["missing"]) == (True, [])
    assert client.get_run(stale["run_id"]).data.tags["prices.stale"] == "true"
    assert "**stale**" in artifacts()[-1]


def test_a_vintage_trains_on_exactly_those_prices_again(
    run: Run, fetched: Any, yahoo: FakeYahoo, market: Prices
) -> None:
    first = fetched
    values = market.values.copy()
    values[-1, :4] *= 1.01
    yahoo.serve("META", replace(market, values=values))
    assert run("train", *SMALL, "--json").json["prices"]["verdict"] == "settled"
    again = run("train", *SMALL, "--again", "--vintage", first["prices"]["snapshot"][:10], "--json").json
    assert again["prices"]["fingerprint"] == first["prices"]["fingerprint"]
    assert again["metrics"] == first["metrics"]


@pytest.mark.usefixtures("fetched")
def test_a_restatement_stops_the_run_until_it_is_accepted(
    run: Run, client: "MlflowClient", yahoo: FakeYahoo, market: Prices
) -> None:
    yahoo.serve("META", restated(market))
    stopped = run("train", *SMALL, "--json")
    assert stopped.code == 3
    assert stopped.json["error"]["days"] == [str(market.sessions[100])]
    assert "restated irregularly, and not used" in artifacts()[-1]
    accepted = run("train", *SMALL, "--accept-restatement", "--json").json
    assert client.get_run(accepted["run_id"]).data.tags["prices.verdict"] == "restated"


def test_several_securities_are_trained_and_come_to_the_same_side_by_side(
    run: Run, yahoo: FakeYahoo, market: Prices
) -> None:
    yahoo.serve("AAPL", market)
    options = (*SMALL, *("--ticker", "FB", "--ticker", "NIX", "--ticker", "META", "--ticker", "AAPL"), "--json")
    one_by_one, side_by_side = (run("train", *options, "--again", "--jobs", jobs) for jobs in ("1", "2"))
    for several in (one_by_one, side_by_side):
        assert several.code == 3
        models = [one.get("model") or one["error"]["kind"] for one in several.json["securities"]]
        assert models == ["META-Open", "UnknownSymbol", "AAPL-Open"]
        assert several.json["failed"] == 1
    for there, here in zip(one_by_one.json["securities"], side_by_side.json["securities"], strict=True):
        assert there.get("metrics") == here.get("metrics")
    assert [one.get("version") for one in side_by_side.json["securities"]] == [2, None, 2]
    assert "3 of 3 securities done" in side_by_side.err


@pytest.mark.parametrize(("deployment", "tries"), [("", 3), ("a-deployment", 4)])
def test_a_deployments_run_is_more_patient(
    yahoo: FakeYahoo,
    home: Path,
    prefect_server: None,  # noqa: ARG001 - the flow runs against it
    monkeypatch: pytest.MonkeyPatch,
    deployment: str,
    tries: int,
) -> None:
    from prefect import flow

    from tasks.prefect_tasks import start_timing

    if deployment:
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", deployment)
    settings: Settings = read_settings({**os.environ, "TOMORROW_HOME": str(home)})

    @flow
    def only_fetch() -> Any:
        start_timing()
        now = datetime.now(UTC)
        return fetch(resolve(PriceRequest(), settings, now), settings, now, "train")

    yahoo.misbehave(Fault(body=""))
    with pytest.raises(PricesUnavailable):
        only_fetch()
    assert len(yahoo.charts_asked()) == tries
