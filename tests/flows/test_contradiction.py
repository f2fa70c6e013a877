"""The wrong company: prices that contradict those that a model was trained on train and forecast nothing unasked."""

from typing import TYPE_CHECKING

import pytest

from tasks.ledger.forecasts import Ledger
from tasks.settings import read_settings
from tests.flows.conftest import MARKET, SMALL, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

OTHER = (*MARKET, "--market-seed", "1")


@pytest.mark.usefixtures("trained")
def test_contradicting_prices_train_and_forecast_nothing_until_somebody_accepts_them_on_record(
    run: Run, client: "MlflowClient"
) -> None:
    refused = run("train", *OTHER, *SMALL, "--json")
    assert (refused.code, refused.json["error"]["kind"]) == (3, "RestatedPrices")
    assert len(refused.json["error"]["days"]) == 374 - 2
    assert "2012-01-03: Open 40.0300 became 40.0900 (+0.15%)" in refused.json["error"]["message"]
    assert [int(version.version) for version in client.search_model_versions()] == [1]
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert len(runs) == 1, "nothing was fitted"

    run("promote", "SAMPLE-Open", "1", "--force", "--reason", "to forecast with")
    ledger = Ledger(read_settings().ledger_uri)
    forecast = run("predict", *OTHER)
    assert (forecast.code, ledger.rows()) == (3, ())
    assert "version 1 of SAMPLE-Open was trained on" in forecast.err
    noted = run("predict", *OTHER, "--accept-restatement", "--json").json["prices"]["notes"]
    said = "contradict the prices that version 1 of SAMPLE-Open was trained on; accepted by "
    assert any(note.startswith(said) for note in noted)

    accepted = run("train", *OTHER, *SMALL, "--accept-restatement", "--json").json
    assert accepted["version"] == 2
    assert client.get_run(accepted["run_id"]).data.tags["prices.accepted"].startswith(said)
    history = run("history", "SAMPLE-Open", "--json").json["changes"]
    assert any(said in reason for change in history for reason in change["reasons"])
