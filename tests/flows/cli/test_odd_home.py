"""A state directory whose name holds what ends an address: everything is in it, and nothing beside it."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import SMALL
from tests.project import ROOT

pytestmark = pytest.mark.slow

SAMPLE = ("--source", "sample", "--as-of", "2013-06-28")


def test_a_home_of_any_name_holds_all_that_is_written_and_nothing_is_beside_it(tmp_path: Path) -> None:
    name = "a#b? 50%25 é"
    home = tmp_path / name / "var"
    kept = {variable: text for variable, text in os.environ.items() if not variable.startswith(("PREFECT_", "MLFLOW_"))}
    environment = kept | {"TOMORROW_HOME": str(home), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *arguments, "--json"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("train", *SAMPLE, *SMALL))["version"] == 1
    run("promote", "SAMPLE-Open", "1", "--force", "--reason", "the first")
    assert json.loads(run("predict", *SAMPLE))["version"] == 1
    status = json.loads(run("status"))
    assert (status["faults"], status["production"][0]["version"]) == ({}, 1)
    assert [place.name for place in tmp_path.iterdir()] == [name]
    assert [place.name for place in (tmp_path / name).iterdir()] == ["var"]
    for database, table in (
        ("mlflow.db", "model_versions"),
        ("ledger.db", "forecasts"),
        ("prefect/prefect.db", "flow_run"),
    ):
        with sqlite3.connect(home / database) as connection:
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names of ours
            assert rows > 0, database
