"""Only what this program registered here is executed: whole commands, and an attacker with a program of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from flows.runs.clock import clock_at
from model.config import PriceRequest
from tasks.ledger.forecasts import Ledger
from tasks.settings import read_settings
from tests.flows.conftest import MARKET, SMALL, Run
from tests.flows.killed import killed_at
from tests.project import ROOT

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "SAMPLE-Open"
THURSDAY, FRIDAY = "2013-06-27", "2013-06-28"
EVENING = datetime(2013, 6, 28, 22, 15, tzinfo=UTC)

# Somebody who may write where MLflow keeps things, and nowhere else: a model of their own takes Production.
ATTACKER = """
import sys, warnings
from pathlib import Path
import mlflow
from mlflow import MlflowClient

uri, folder, executed = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
warnings.simplefilter("ignore")
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
folder.mkdir()
code = folder / "evil.py"
code.write_text(f'''
open({executed!r}, "w").close()
import pandas
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
class Evil(PythonModel):
    def predict(self, context, model_input, params=None):
        open({executed!r}, "w").close()
        return pandas.DataFrame({{"forecast": [1.0]}})
set_model(Evil())
''')
mlflow.pyfunc.save_model(str(folder / "model"), python_model=str(code), pip_requirements=[])
Path(executed).unlink(missing_ok=True)
client = MlflowClient()
run = client.create_run("0")
tags = {"decision": "promoted", "decision.by": "gate", "decision.at": "now", "stage": "Production"}
made = client.create_model_version("SAMPLE-Open", str(folder / "model"), run.info.run_id, tags=tags)
if "stage" in sys.argv[4:]:
    client.transition_model_version_stage("SAMPLE-Open", made.version, "Production")
client.set_registered_model_alias("SAMPLE-Open", "production", made.version)
print(made.version)
"""


def put_into_production(run: Run, *options: str) -> int:
    version = run("train", *MARKET, *SMALL, *options, "--json").json["version"]
    assert run("promote", MODEL, str(version), "--force", "--reason", "a test").code == 0
    return int(version)


def files_of(client: "MlflowClient", version: int) -> Path:
    source = client.get_model_version(MODEL, str(version)).source
    logged = client.get_logged_model(str(source).removeprefix("models:/"))
    return Path(urlsplit(logged.artifact_location).path)


def run_file(client: "MlflowClient", version: int, name: str) -> Path:
    run_id = client.get_model_version(MODEL, str(version)).run_id
    return Path(urlsplit(str(client.get_run(str(run_id)).info.artifact_uri)).path) / name


def rows() -> list[tuple[int | None, str]]:
    return [(row.version, str(row.as_of)) for row in Ledger(read_settings().ledger_uri).rows()]


def damage(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("also", [(), ("stage",)])
@pytest.mark.usefixtures("in_production")
def test_a_strangers_model_that_takes_production_is_never_executed_and_the_way_back_works(
    run: Run, home: Path, tmp_path: Path, also: tuple[str, ...]
) -> None:
    from prefect.settings import PREFECT_API_URL

    executed, uri = tmp_path / "executed", f"sqlite:///{home}/mlflow.db"
    attack = [sys.executable, "-c", ATTACKER, uri, str(tmp_path / "theirs"), str(executed), *also]
    done = subprocess.run(attack, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr

    # As the operator's shell would, in a process of its own.
    command = [sys.executable, "-m", "tomorrow", "predict", *MARKET]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    predicted = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (predicted.returncode, predicted.stdout) == (2, ""), predicted.stderr
    assert f"{MODEL} version 2: its files are not on record in this ledger" in predicted.stderr
    assert f"tomorrow rollback {MODEL}" in predicted.stderr
    assert "Traceback" not in predicted.stderr
    for others in (
        ("promote", MODEL, "2", "--force", "--reason", "to see"),
        ("train", *MARKET, *SMALL, "--seed", "7", "--set", "training.warm_start=true"),
        ("score", *MARKET),
        ("status",),
        ("history", MODEL),
    ):
        assert run(*others).code in (0, 2)
    assert rows() == []
    assert not executed.exists()

    assert run("rollback", MODEL, "--reason", "not ours", "--json").json["version"] == 1
    assert run("predict", *MARKET, "--json").json["version"] == 1
    assert not executed.exists()


@pytest.mark.usefixtures("in_production_with_a_second")
def test_a_version_of_ours_that_somebody_moved_by_hand_forecasts(run: Run, client: "MlflowClient") -> None:
    assert run("promote", MODEL, "2", "--force", "--reason", "a test").code == 0
    client.set_registered_model_alias(MODEL, "production", "1")
    answer = run("predict", *MARKET, "--json").json
    assert answer["version"] == 1
    assert any("by hand in MLflow" in note for note in answer["notes"])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("artifacts/weights.npz", damage),
        ("MLmodel", cut),
        ("served_model.py", remove),
    ],
)
@pytest.mark.usefixtures("in_production")
def test_a_damaged_version_forecasts_nothing_until_its_file_is_restored(
    run: Run, client: "MlflowClient", tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    from flows.predict import predict

    file = files_of(client, 1) / name
    shutil.copy(file, tmp_path / "copy")
    harm(file)
    refused = run("predict", *MARKET)
    assert (refused.code, refused.out) == (2, "")
    assert f"{MODEL} version 1: {name} is " in refused.err
    error = run("predict", *MARKET, "--json").json["error"]
    assert (error["kind"], error["subject"]) == ("ConfigurationError", f"{MODEL} version 1")
    # A schedule fails, so that somebody hears of it, and puts nothing in its place.
    with clock_at(EVENING):
        sample = PriceRequest(ticker="SAMPLE", source="sample", as_of=EVENING.date())
        state = predict(request=sample, or_naive=True, return_state=True)
    assert state.is_failed()
    assert rows() == []
    shutil.copy(tmp_path / "copy", file)
    assert run("predict", *MARKET, "--json").json["version"] == 1
    assert rows() == [(1, FRIDAY)]


@pytest.mark.usefixtures("in_production")
def test_with_a_damaged_version_in_production_training_and_promotion_go_on(run: Run, client: "MlflowClient") -> None:
    for file in (files_of(client, 1) / "MLmodel", run_file(client, 1, "config.json")):
        cut(file)
    second = run("train", *MARKET, *SMALL, "--preset", "daily", "--seed", "1", "--json")
    assert (second.code, second.json["version"]) == (0, 2)
    assert second.json["start"]["reason"] == (f"Starts afresh: the run of {MODEL} version 1 cannot be read.")
    assert run("promote", MODEL, "2", "--force", "--reason", "the first is damaged").code == 0
    assert run("predict", *MARKET, "--json").json["version"] == 2


@pytest.mark.usefixtures("daily_in_production")
def test_damaged_tags_of_the_version_in_production_keep_nothing_from_training(run: Run, client: "MlflowClient") -> None:
    for tag in ("generation", "as_of", "verdict", "started_from", "decision.at"):
        client.set_model_version_tag(MODEL, "1", tag, "\x07no\nsense")
    second = run("train", *MARKET, "--preset", "daily", *SMALL, "--json")
    assert (second.code, second.json["version"]) == (0, 2)
    assert second.json["start"]["reason"] == f"Starts afresh: the tag 'generation' of {MODEL} version 1 is damaged."
    for command in (("predict", *MARKET), ("history", MODEL), ("status",), ("score", *MARKET)):
        done = run(*command)
        assert done.code == 0 or (done.code == 2 and f"of {MODEL} version 1" in done.err), done.err
    assert run("promote", MODEL, "2", "--force", "--reason", "its tags are damaged").code == 0


@pytest.mark.parametrize("name", ["config.json", "prices.parquet"])
@pytest.mark.usefixtures("trained")
def test_a_candidate_whose_run_is_damaged_is_not_judged_and_the_file_is_named(
    run: Run, client: "MlflowClient", name: str
) -> None:
    cut(run_file(client, 1, name))
    for options in ((), ("--force", "--reason", "a test")):
        refused = run("promote", MODEL, "1", *options)
        assert refused.code == 2
        assert f"{MODEL} version 1: the file {name} of its run" in refused.err
    assert client.get_model_version(MODEL, "1").current_stage == "Staging"
    assert run("train", *MARKET, *SMALL, "--again", "--json").json["version"] == 2


def test_a_training_whose_registration_was_killed_before_the_ledger_had_it_is_completed(
    run: Run, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.ledger.kept_files import KeptFiles

    with killed_at(monkeypatch, KeptFiles, "register"):
        run("train", *MARKET, *SMALL)
    assert [int(found.version) for found in client.search_model_versions()] == [1]
    again = run("train", *MARKET, *SMALL, "--json").json
    assert (again["version"], again["repeated"]) == (1, True)
    assert run("promote", MODEL, "1", "--force", "--reason", "a test").code == 0
    assert run("predict", *MARKET).code == 0


# Somebody who may write to the registry, and nowhere else: a version of their own is made of what we registered.
COPIER = """
import sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
ours = client.get_model_version("SAMPLE-Open", "1")
tags = ours.tags | {"as_of": "1990-01-02", "decision": "approved", "verdict": "proven", "stage": "Production"}
made = client.create_model_version("SAMPLE-Open", ours.source, ours.run_id, tags=tags)
client.set_registered_model_alias("SAMPLE-Open", "production", made.version)
"""


@pytest.mark.usefixtures("in_production")
def test_a_second_version_made_of_ours_is_not_adopted_by_the_same_training(
    run: Run, home: Path, tmp_path: Path
) -> None:
    copy = [sys.executable, "-c", COPIER, f"sqlite:///{home}/mlflow.db"]
    subprocess.run(copy, check=True, capture_output=True, cwd=tmp_path)
    again = run("train", *MARKET, *SMALL, "--json").json
    assert (again["version"], again["repeated"]) == (1, True)
    refused = run("predict", *MARKET)
    assert (refused.code, refused.out) == (2, "")
    assert f"{MODEL} version 2: its files are not on record in this ledger" in refused.err
    assert rows() == []


def test_one_that_was_killed_and_then_damaged_is_trained_again(
    run: Run, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import promote

    with killed_at(monkeypatch, promote, "prove_task"):
        run("train", *MARKET, *SMALL)
    damage(files_of(client, 1) / "artifacts/weights.npz")
    again = run("train", *MARKET, *SMALL, "--json").json
    assert (again["version"], again["repeated"]) == (2, False)


@pytest.mark.usefixtures("trained")
def test_results_that_were_damaged_are_not_shown_as_those_of_the_training(run: Run, client: "MlflowClient") -> None:
    cut(run_file(client, 1, "results.json"))
    again = run("train", *MARKET, *SMALL, "--json").json
    assert (again["version"], again["repeated"]) == (2, False)


@pytest.mark.usefixtures("in_production")
def test_with_another_ledger_a_version_is_not_known_and_what_is_the_same_is_trained_here(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOMORROW_LEDGER_URI", f"sqlite:///{home}/other.db")
    refused = run("predict", *MARKET)
    assert refused.code == 2
    assert "where another state directory registered it, name that one's ledger" in " ".join(refused.err.split())
    trained = run("train", *MARKET, *SMALL, "--json").json
    assert (trained["version"], trained["repeated"]) == (2, False)
    assert run("promote", MODEL, "2", "--force", "--reason", "ours").code == 0
    assert run("predict", *MARKET, "--json").json["version"] == 2


@pytest.mark.usefixtures("in_production")
def test_no_forecast_is_made_by_a_version_that_knows_what_came_after_its_day(run: Run) -> None:
    refused = run("predict", "--source", "sample", "--as-of", THURSDAY)
    assert (refused.code, refused.out) == (2, "")
    assert f"as of {THURSDAY}, and the version was trained on sessions up to {FRIDAY}" in " ".join(refused.err.split())
    assert rows() == []
    assert run("predict", *MARKET).code == 0
    assert run("predict", "--source", "sample", "--as-of", "2013-07-01").code == 0


@pytest.mark.usefixtures("in_production")
def test_tags_that_somebody_changed_move_no_guard_and_prove_nothing(run: Run, client: "MlflowClient") -> None:
    for tag, text in (("as_of", "1990-01-02"), ("verdict", "proven"), ("evidence", "1e9")):
        client.set_model_version_tag(MODEL, "1", tag, text)
    refused = run("predict", "--source", "sample", "--as-of", THURSDAY)
    assert (refused.code, refused.out) == (2, "")
    assert f"the version was trained on sessions up to {FRIDAY}" in " ".join(refused.err.split())
    predicted = run("predict", *MARKET)
    assert f"{MODEL} version 1 (undecided), in Production" in " ".join(predicted.out.split())
    assert "proven" not in run("status").out


def test_a_missed_day_that_production_knows_already_is_caught_up_with_the_naive_distribution(run: Run) -> None:
    with clock_at(datetime(2013, 6, 26, 22, 0, tzinfo=UTC)):
        run("train", "--source", "sample", *SMALL)
        assert run("promote", MODEL, "1", "--force", "--reason", "a test").code == 0
        assert run("predict", "--source", "sample").code == 0
    with clock_at(EVENING):
        put_into_production(run)
        caught_up = run("catchup", "--source", "sample", *SMALL)
        assert run("catchup", "--source", "sample", *SMALL, "--json").json["forecasts"] == []
    assert f"as of {THURSDAY}" in caught_up.out.splitlines()[1]
    assert caught_up.out.splitlines()[1].endswith("naive: no version in Production could forecast it")
    assert rows() == [(1, "2013-06-26"), (None, THURSDAY), (2, FRIDAY)]
