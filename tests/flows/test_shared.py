"""`tomorrow train --shared`: one network for a list of securities, and for one that was not in it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flows.conftest import Run
from tests.market import make_prices, write_csv

if TYPE_CHECKING:
    from mlflow import MlflowClient

TICKERS = ("ONE", "TWO")
SMALL = (
    "--preset",
    "anchored",
    "--horizon",
    "1,5",
    "--epochs",
    "1",
    "--set",
    "training.members=1",
    "--set",
    "training.patience=null",
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Prices of three securities, of a year and a half each."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for seed, ticker in enumerate((*TICKERS, "NEW")):
        write_csv(make_prices(400, seed), folder / f"{ticker}.csv")
    return folder


def options(folder: Path, *tickers: str) -> tuple[str, ...]:
    files = (f"--prices={folder / ticker}.csv" for ticker in tickers)
    return ("--source", "csv", "--exchange", "observed", *files, *(f"--ticker={ticker}" for ticker in tickers))


def test_a_list_shares_one_network_and_another_security_is_forecast_by_it(
    run: Run,
    client: "MlflowClient",
    files: Path,
    small_proof: None,  # noqa: ARG001 - the gate asks for small proofs
) -> None:
    alone = run("train", *options(files, "NEW"), *SMALL, "--shared")
    assert alone.code == 2
    assert "none was fitted with this configuration" in alone.err

    several = run("train", *options(files, *TICKERS), *SMALL, "--shared", "--jobs", "1", "--json").json
    answers = several["securities"]
    (named,) = {answer["changed"]["training.shared_network"] for answer in answers}
    assert {answer["ticker"] for answer in answers} == set(TICKERS)
    for answer in answers:
        assert answer["proof"]["sessions"] >= 40
        assert answer["start"]["reason"] == "Needs no start: the shared network forecasts as it was fitted."
        (version,) = client.search_model_versions(f"name = '{answer['model']}'")
        assert version.tags["shared"] == f"{named}, fitted on sessions before 2020-01-01"

    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (kept,) = [each for each in runs if each.data.tags.get("kind") == "shared network"]
    before = {file.path[:17] for file in client.list_artifacts(kept.info.run_id, "shared")}
    assert before == {"shared/2020-01-01"}

    # All of them together: what is known at each horizon, in the answer and on the network's run, and no gate opens.
    proven = several["list_proof"]
    assert [(each["horizon"], each["securities"], each["tried"]) for each in proven] == [(1, 2, 1), (5, 2, 1)]
    assert [each["sessions"] for each in proven] == [answers[0]["proof"]["sessions"]] * 2
    assert {each["verdict"] for each in proven} <= {"undecided", "no skill"}, "these are random walks"
    metrics, tags = kept.data.metrics, kept.data.tags
    assert metrics["list_proof_sessions"] == metrics["in_5_list_proof_sessions"] == proven[0]["sessions"]
    assert metrics["in_5_list_proof_crps_skill"] == pytest.approx(proven[1]["crps_skill"])
    assert (tags["list"], tags["list.claim.5"]) == ("ONE, TWO", proven[1]["claim"])
    assert {answer["decision"]["promoted"] for answer in answers} == {False}

    unseen = run("train", *options(files, "NEW"), *SMALL, "--shared", "--json").json
    assert unseen["changed"]["training.shared_network"] == named
    assert unseen["proof"]["sessions"] >= 40

    # The same again fits nothing and trains nothing, and the list is no further try.
    again = run("train", *options(files, *TICKERS), *SMALL, "--shared", "--jobs", "1", "--json").json
    assert [answer["repeated"] for answer in again["securities"]] == [True, True]
    assert again["list_proof"] == proven
    assert len(client.list_artifacts(kept.info.run_id, "shared")) == 1


def test_a_network_is_not_fitted_where_many_securities_have_no_prices(run: Run, files: Path) -> None:
    (files / "TWO.csv").write_text("Date,Open\n")
    refused = run("train", *options(files, *TICKERS), *SMALL, "--shared", "--jobs", "1")
    assert refused.code == 3
    assert "1 of its 2 securities have no prices that can be used" in refused.err
