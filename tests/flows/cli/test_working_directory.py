"""A command is started in a folder that others can write, and does nothing of what stands there."""

import os
import subprocess
from pathlib import Path

import pytest

from flows.cli.options import path
from flows.cli.working_directory import leave_working_directory
from tests.project import ROOT
from tests.running_stack import PATIENCE, command

LOGGING = """
version: 1
formatters:
  evil: {(): subprocess.getoutput, cmd: touch MARKER}
"""
FILES = {
    ".env": "PREFECT_API_URL=http://127.0.0.1:9/api\n",
    "prefect.toml": '[api]\nurl = "http://127.0.0.1:9/api"\n',
    "pyproject.toml": '[tool.prefect.api]\nurl = "http://127.0.0.1:9/api"\n',
}


def run_in(folder: Path, home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    words, variables = command(home, *arguments, PYTHONPATH=str(ROOT), **more)
    # Only the test's way to start a command would have Python import from there.
    words.insert(1, "-P")
    return subprocess.run(
        words, env=variables, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize("name", FILES)
def test_prefect_reads_no_settings_there(name: str, tmp_path: Path) -> None:
    """It ends before a server is started, or the one is asked that the file names."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / name).write_text(FILES[name])
    forbidden = {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
    done = run_in(folder, tmp_path / "var", "train", "--source", "sample", **forbidden)
    assert done.returncode == 2
    assert "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE does not allow" in done.stderr


@pytest.mark.servers
def test_nothing_that_lies_there_is_run(tmp_path: Path) -> None:
    """By a command that starts a server, which is a program of another package."""
    folder, marker = tmp_path / "theirs", tmp_path / "ran"
    folder.mkdir()
    (tmp_path / "log.yml").write_text(LOGGING.replace("MARKER", str(marker)))
    (folder / ".env").write_text(f"PREFECT_LOGGING_SETTINGS_PATH={tmp_path / 'log.yml'}\n")
    for package in ("uvicorn", "prefect", "mlflow"):
        (folder / f"{package}.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n")
    done = run_in(folder, tmp_path / "var", "predict", "--source", "sample")
    assert done.returncode == 5, done.stderr
    assert not marker.exists()


def test_a_file_is_named_from_where_the_command_is_started(tmp_path: Path) -> None:
    """And a state directory, and the file of settings."""
    (tmp_path / "list.txt").write_text("AAPL\n")
    (tmp_path / "here.yaml").write_text("tracking: {experiment: mine}\n")
    done = run_in(tmp_path, Path("var"), "prices", "--tickers-file", "list.txt", TOMORROW_CONFIG="here.yaml")
    assert "AAPL" in done.stdout, done.stderr
    assert (tmp_path / "var" / "prefect").is_dir()


def test_variables_name_what_they_named_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = {
        "TOMORROW_HOME": "var",
        "PREFECT_HOME": "~/prefect",
        "SSL_CERT_FILE": "/etc/cert.pem",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",  # relative to the state directory, wherever a command is started
        "PREFECT_LOGGING_SETTINGS_PATH": "log.yml",
        "AWS_SHARED_CREDENTIALS_FILE": "keys",
        "AWS_PROFILE": "mine",
        "PYTHONPATH": f"lib{os.pathsep}{os.pathsep}/other",
        "TMPDIR": "",
    }
    after = dict(before)
    leave_working_directory(after)
    assert Path.cwd() == Path("/")
    assert after == before | {
        "TOMORROW_HOME": f"{tmp_path}/var",
        "PREFECT_LOGGING_SETTINGS_PATH": f"{tmp_path}/log.yml",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/keys",
        "PYTHONPATH": f"{tmp_path}/lib{os.pathsep}/other",
    }


def test_a_path_is_whole_and_an_empty_one_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path("a.csv") == f"{tmp_path}/a.csv"
    assert path("/b.csv") == "/b.csv"
    assert path("~/c.csv") == str(Path.home() / "c.csv")
    assert path("") == ""
