"""`tomorrow tune`, from prices to a preset; killed, and continued."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flows.cli.main import main
from model.tuning.space import values_of
from tasks.ledger.trials import Trials
from tasks.settings import read_settings
from tasks.settings.own_presets import preset_named
from tasks.tracking.client import open_tracking
from tests.conftest import process_as_it_was
from tests.flows.conftest import Run

# Proofs of a hundred sessions, with two hundred and more before them.
PROOF = {"TOMORROW_PROOF__SESSIONS": "100", "TOMORROW_PROOF__HISTORY": "200"}
TUNE = (
    *("tune", "--source", "sample", "--as-of", "2013-12-31", "--preset", "anchored", "--jobs", "1"),
    *("--epochs", "2", "--set", "training.members=1"),
)


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    prefect_server: None,  # noqa: ARG001 - the trials need it
) -> tuple[Path, Any]:
    """A state directory in which nobody disturbed a study of four trials, and what it answered."""
    folder = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("study") / "var"))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, process_as_it_was(), contextlib.redirect_stdout(said):
        for name, value in {**PROOF, "TOMORROW_HOME": str(folder)}.items():
            patch.setenv(name, value)
        assert main((*TUNE, "--trials", "4", "--json")) == 0
    return folder, json.loads(said.getvalue())


def test_the_best_trial_becomes_a_preset_and_no_trial_is_on_record_for_the_gate(
    run: Run, study: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, answer = study
    for name, value in {**PROOF, "TOMORROW_HOME": str(folder)}.items():
        monkeypatch.setenv(name, value)
    client = open_tracking(read_settings()).client
    scores = [trial["crps"] for trial in answer["trials"]]
    assert len(scores) == 4
    assert answer["best"]["crps"] == min(scores)
    assert answer["base_crps"] == scores[0]
    # 501 sessions of the sample market, of which the newest 100 are the proof's.
    assert answer["judged"]["last"] < "2013-08-10"
    settings = read_settings()
    if answer["best"]["number"]:
        tuned = preset_named("anchored-sample-open", settings).config
        assert values_of(tuned) == answer["best"]["values"]
        assert answer["preset"] == str(settings.home / "presets" / "anchored-sample-open.yaml")
    assert Trials(settings.ledger_uri).of("SAMPLE-Open", "any") is None
    (experiment,) = (found for found in client.search_experiments() if found.name == settings.tracking.experiment)
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (each for each in runs if each.data.tags["kind"] == "tuning")
    children = [each for each in runs if each.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {each.info.run_name: each.data.metrics["crps"] for each in children} == {
        f"trial {number}": score for number, score in enumerate(scores)
    }
    assert all(each.info.status == "FINISHED" for each in runs)

    again = run(*TUNE, "--trials", "4", "--json").json
    assert again["resumed"] == 4
    assert again["trials"] == answer["trials"]
    assert len(client.search_runs([experiment.experiment_id])) == len(runs)


def test_a_killed_tuning_goes_on_with_the_trials_that_were_done(
    run: Run, home: Path, study: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PROOF.items():
        monkeypatch.setenv(name, value)
    program = "import sys; from flows.cli.main import main; sys.exit(main())"
    started = subprocess.Popen(
        [sys.executable, "-c", program, *TUNE, "--trials", "4"], env=dict(os.environ), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    kept = 0
    while kept < 2 and time.monotonic() < deadline and started.poll() is None:
        time.sleep(0.2)
        kept = sum('"result"' in line for file in home.glob("tuning/*.jsonl") for line in file.read_text().splitlines())
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert kept >= 2
    answer = run(*TUNE, "--trials", "4", "--json").json
    assert kept <= answer["resumed"] < 4
    _, whole = study
    assert [(trial["values"], trial["crps"]) for trial in whole["trials"]] == [
        (trial["values"], trial["crps"]) for trial in answer["trials"]
    ]
