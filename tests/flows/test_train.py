"""`tomorrow train`, from prices to a registered version that the gate has looked at."""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from model.config import ForecasterConfig
from tasks.registry.registry import Registry
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tasks.tracking.experiment import SHOWN
from tasks.tracking.run_inputs import reload_test
from tests.flows.conftest import LEARNS, SMALL, Run
from tests.project import program

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAST_MARKET = ("--source", "sample", "--as-of", "2013-06-28")


def test_a_training_says_what_it_did_and_stays_in_staging_when_it_loses(
    run: Run, client: "MlflowClient", trained: Any
) -> None:
    answer = trained
    assert (answer["model"], answer["version"], answer["stage"]) == ("SAMPLE-Open", 1, "Staging")
    assert (answer["preset"], answer["ticker"], answer["source"]) == ("tutorial", "SAMPLE", "sample")
    assert answer["changed"] == {"lookback": "5", "network.units": "[4]", "training.epochs": "2"}
    assert (answer["prices"]["first"], answer["prices"]["last"]) == ("2012-01-03", "2013-06-28")
    windows = answer["prices"]["sessions"] - 21 - 5
    assert answer["train"] == {"inputs": [windows, 5, 1], "targets": [windows]}
    assert answer["test"]["inputs"] == [21, 5, 1]
    assert answer["fit"]["epochs"] == 2
    metrics = answer["metrics"]
    assert metrics["skill"] == pytest.approx(1 - metrics["rmse"] / metrics["naive_rmse"])
    assert metrics["crps_skill"] == pytest.approx(1 - metrics["crps"] / metrics["naive_crps"])
    assert answer["decision"]["promoted"] is False
    # These prices are too few for the proof that is usual.
    few = "FAIL evidence of skill: none: the prices are too few for any session of a proof; needed 20 to 1."
    assert answer["decision"]["reasons"][0] == few
    assert (answer["decision"]["verdict"], answer["decision"]["evidence"], answer["proof"]) == ("undecided", 1.0, None)

    run_ = client.get_run(answer["run_id"])
    assert run_.info.status == "FINISHED"
    assert run_.data.metrics["rmse"] == metrics["rmse"]
    # MLflow shows the few that decide; the answer and `results.json` have all.
    assert {name: metrics[name] for name in SHOWN} | {"loss": run_.data.metrics["loss"]} == run_.data.metrics
    assert len(metrics) > 2 * len(SHOWN)
    tags = run_.data.tags
    assert (tags["security"], tags["column"], tags["preset"], tags["source"]) == (
        "SAMPLE",
        "Open",
        "tutorial, changed: lookback=5, network.units=[4], training.epochs=2",
        "sample",
    )
    changed = "tutorial 2013-06-28, changed: lookback=5, network.units=[4]"
    assert tags["mlflow.runName"].startswith(f"SAMPLE Open {changed}")
    assert run_.data.params["forecaster.preset"] == tags["preset"]
    assert f"version 1 (undecided), preset {tags['preset']}, since" in run("history", "SAMPLE-Open").out
    assert tags["x.fingerprint"] == answer["prices"]["fingerprint"]
    assert tags["x.prefect.flow_run_id"]
    assert tags["x.code_version"]


def test_the_run_holds_everything_that_was_used(run: Run, client: "MlflowClient", tmp_path: Path) -> None:
    run_id = run("train", *FAST_MARKET, *SMALL, "--seed", "7", "--json").json["run_id"]
    config, split = reload_test(Tracking(client, read_settings()), run_id, "models:/SAMPLE-Open/1")
    assert config.forecaster == ForecasterConfig.model_validate(
        {"lookback": 5, "network": {"units": [4]}, "training": {"epochs": 2, "seed": 7}}
    )
    params = client.get_run(run_id).data.params
    assert params["forecaster.network.units"] == "[4]"
    assert params["forecaster.training.seed"] == "7"
    assert params["request.as_of"] == "2013-06-28"
    assert split.n_test == 21
    assert len(client.get_metric_history(run_id, "loss")) == 2
    inputs = client.get_run(run_id).inputs
    assert inputs is not None
    contexts = {item.tags[0].value: item.dataset.digest for item in inputs.dataset_inputs}
    assert contexts["training"] == split.train.fingerprint[:36]
    files = {file.path for file in client.list_artifacts(run_id)}
    assert {"config.json", "prices.parquet", "predictions.csv", "predictions.json"} <= files
    figures = {file.path for file in client.list_artifacts(run_id, "figures")}
    names = {"prices", "loss", "scaled", "forecast", "errors", "gradients", "scale", "crps", "pit", "reliability"}
    assert figures == {f"figures/{name}.png" for name in names}
    results = json.loads(Path(client.download_artifacts(run_id, "results.json", str(tmp_path))).read_text("utf-8"))
    assert results["gradients"].keys() == {"gradient_ratio", "gradient_ratio_start"}
    assert results["metrics"]["newest_Open_rmse"] > 0


def test_the_same_seed_gives_the_same_figures_to_the_last_digit(run: Run, trained: Any) -> None:
    one, two = trained, run("train", *FAST_MARKET, *SMALL, "--again", "--json").json
    assert one["metrics"] == two["metrics"]
    assert one["fit"]["last_loss"] == two["fit"]["last_loss"]
    assert (one["version"], two["version"]) == (1, 2)


def test_a_proven_version_goes_to_production_and_its_equal_only_when_it_is_old(
    run: Run, client: "MlflowClient", proven: Any, alternating: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = proven
    assert (first["stage"], first["decision"]["promoted"], first["decision"]["verdict"]) == (
        "Production",
        True,
        "proven",
    )
    proof = first["proof"]
    assert (proof["sessions"], proof["tried"], proof["last"]) == (40, 1, "2019-10-09")
    assert proof["crps_skill"] > 0.5
    assert proof["evidence"] == first["decision"]["evidence"] > 20
    equal = run("train", *alternating, *LEARNS, "--as-of", "2019-10-09", "--seed", "1", "--json").json
    assert (equal["stage"], equal["decision"]["promoted"], equal["decision"]["verdict"]) == ("Staging", False, "proven")
    assert equal["decision"]["reasons"][0] == (
        "FAIL version 1 in Production: has the same configuration, 0 sessions older; needed 250 sessions older."
    )
    assert equal["proof"] == proof, "a seed is no configuration of its own"
    monkeypatch.setenv("TOMORROW_GATE__REFRESH_AFTER", "5")
    later = run("train", *alternating, *LEARNS, "--as-of", "2019-10-15", "--json").json
    assert (later["stage"], later["proof"]["sessions"], later["proof"]["run_id"]) == ("Staging", 44, proof["run_id"])
    assert later["decision"]["reasons"][0].endswith(", 4 sessions older; needed 5 sessions older.")
    newest = run("train", *alternating, *LEARNS, "--as-of", "2019-10-16", "--json").json
    assert (newest["stage"], newest["version"], newest["proof"]["sessions"]) == ("Production", 4, 45)
    (beside,) = [check for check in newest["decision"]["checks"] if check["name"] == "version 1 in Production"]
    assert (beside["result"], beside["needed"]) == ("PASS", "below 1.0025")
    assert beside["measured"].endswith(" sessions), 5 sessions older")
    # What knows less does not come back.
    monkeypatch.setenv("TOMORROW_GATE__REFRESH_AFTER", "1")
    before = run("train", *alternating, *LEARNS, "--as-of", "2019-10-11", "--json").json
    assert before["stage"] == "Staging"
    assert before["decision"]["reasons"][0] == (
        "FAIL version 4 in Production: knows 3 more sessions than this one; needed none more: the newer one stays."
    )
    assert Registry(Tracking(client, read_settings())).production("ZIG-Open", datetime.now(UTC)).version == 4


def test_what_is_known_of_a_versions_skill_stands_with_its_run_and_its_version(
    client: "MlflowClient", proven: Any
) -> None:
    answer = proven
    tags = client.get_model_version("ZIG-Open", "1").tags
    assert (tags["verdict"], tags["decision"]) == ("proven", "promoted")
    assert float(tags["evidence"]) == pytest.approx(answer["proof"]["evidence"], rel=1e-5)
    for run_id in (answer["run_id"], answer["proof"]["run_id"]):
        kept = client.get_run(run_id).data
        assert kept.tags["verdict"] == "proven"
        assert kept.tags["x.proof.run"] == answer["proof"]["run_id"]
        assert kept.tags["proof.claim"].startswith("proven on 40 sessions (evidence ")
        assert 10 ** kept.metrics["proof_evidence"] == pytest.approx(answer["proof"]["evidence"], rel=1e-5)
        assert kept.metrics["proof_sessions"] == 40
        assert ("proof_crps" in kept.metrics) == (run_id == answer["proof"]["run_id"])
        assert "figures/evidence.png" in {file.path for file in client.list_artifacts(run_id, "figures")}
    assert client.get_run(answer["proof"]["run_id"]).data.tags["kind"] == "proof"


def test_each_configuration_that_is_tried_on_a_model_makes_the_next_need_more(
    run: Run, unskilled: Any, alternating: tuple[str, ...]
) -> None:
    one, two = unskilled, run("train", *alternating, *SMALL, "--lookback", "6", "--json").json
    assert (one["proof"]["tried"], two["proof"]["tried"]) == (1, 2)
    assert [answer["decision"]["checks"][0]["needed"] for answer in (one, two)] == [
        "20 to 1",
        "40 to 1 (configuration 2)",
    ]
    again = run("train", *alternating, *SMALL, "--seed", "3", "--json").json
    assert again["proof"] == one["proof"]


def test_a_daily_training_starts_from_what_is_in_production_and_says_so(
    run: Run, client: "MlflowClient", daily_in_production: Any
) -> None:
    def daily(as_of: str) -> Any:
        return run("train", "--source", "sample", "--as-of", as_of, "--preset", "daily", *SMALL, "--json").json

    first = daily_in_production
    assert first["start"] == {
        "generation": 0,
        "version": None,
        "run_id": None,
        "reason": "Starts afresh: no version is in Production to start from.",
    }

    second = daily("2013-06-28")
    assert (second["start"]["generation"], second["start"]["version"]) == (1, 1)
    assert second["start"]["reason"] == "Starts from the weights of SAMPLE-Open version 1."
    kept = client.get_run(second["run_id"])
    version = client.get_model_version("SAMPLE-Open", "2")
    for tags in (kept.data.tags, version.tags):
        assert (tags["generation"], tags["started_from"], tags["x.started_from.run_id"]) == (
            "1",
            "SAMPLE-Open/1",
            first["run_id"],
        )
    assert kept.inputs is not None
    (given,) = kept.inputs.model_inputs
    assert f"models:/{given.model_id}" == client.get_model_version("SAMPLE-Open", "1").source

    earlier = daily("2013-06-26")
    assert earlier["start"]["generation"] == 0
    assert "which reach into the test period" in earlier["start"]["reason"]


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 no more"])
@pytest.mark.usefixtures("daily_in_production")
def test_a_damaged_network_in_production_is_not_started_from_and_stops_no_training(
    run: Run, client: "MlflowClient", left: bytes
) -> None:
    source = client.get_model_version("SAMPLE-Open", "1").source
    model = client.get_logged_model(str(source).removeprefix("models:/"))
    (network,) = Path(urlsplit(model.artifact_location).path).rglob("network.keras")
    network.write_bytes(left)
    second = run("train", *FAST_MARKET, "--preset", "daily", *SMALL, "--json")
    assert (second.code, second.json["version"]) == (0, 2)
    assert second.json["start"]["reason"] == "Starts afresh: the network of SAMPLE-Open version 1 cannot be loaded."


def test_a_gate_that_only_watches_moves_nothing(watched: Any, client: "MlflowClient") -> None:
    assert (watched["stage"], watched["decision"]["promoted"]) == ("Staging", False)
    assert any("would be promoted" in reason for reason in watched["decision"]["reasons"])
    assert client.get_model_version("ZIG-Open", "1").current_stage == "Staging"


def test_the_tutorials_known_answers(run: Run, real_prices: Path) -> None:
    files = [f"--prices={real_prices / name}" for name in ("FB_training_data.csv", "FB_test_data.csv")]
    small = ("--set", "network.units=[2]", "--epochs", "1")
    answer = run("train", "--source", "csv", *files, "--test-month", "2020-01", *small, "--json").json
    assert answer["model"] == "META-Open"
    assert answer["prices"]["sessions"] == 1279
    assert answer["train"] == {"inputs": [1218, 40, 1], "targets": [1218]}
    assert answer["test"]["series"] == 61
    assert answer["test"]["inputs"] == [21, 40, 1]
    assert answer["metrics"]["newest_Open_rmse"] == pytest.approx(4.382, abs=5e-4)
    assert answer["metrics"]["newest_Open_mae"] == pytest.approx(2.708, abs=5e-4)
    assert answer["metrics"]["newest_Close_rmse"] == pytest.approx(4.062, abs=5e-4)
    assert answer["metrics"]["naive_mae"] == pytest.approx(2.127, abs=5e-4)


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_training_leaves_a_killed_run_and_no_version(
    home: Path, client: "MlflowClient", tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "flows.cli.main", "train", *FAST_MARKET, *SMALL[:-2], "--epochs", "100000"]
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    with (tmp_path / "err").open("wb") as err, program(command, environment, err) as process:
        for _ in range(600):
            time.sleep(0.5)
            runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
            if (runs and "loss" in runs[0].data.metrics) or process.poll() is not None:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130, (tmp_path / "err").read_text()
    (killed,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert killed.info.status == "KILLED"
    assert "loss" in killed.data.metrics
    assert client.search_model_versions() == []
    assert "Traceback" not in (tmp_path / "err").read_text()
