"""A run says which code made it, also where there is no git."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tasks.tracking.provenance import code_digest, code_version, library_versions


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_checkout_is_named_by_its_commit_and_changes_are_said(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD")
    assert code_version(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert code_version(tmp_path) == f"{commit}-dirty"


def test_outside_a_checkout_the_version_is_named_even_within_somebody_elses(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    assert code_version(installed) == version("tomorrow")


def test_a_repository_without_a_commit_counts_as_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert code_version(tmp_path) == version("tomorrow")


def test_the_libraries_are_named_as_installed() -> None:
    versions = library_versions()
    assert versions["mlflow"] == version("mlflow")
    assert versions["keras"] == version("keras")
    assert versions["python"].startswith("3.")


@pytest.mark.parametrize("name", ["TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "OMP_NUM_THREADS"])
def test_a_switch_of_the_libraries_that_changes_what_they_compute_is_part_of_the_digest(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)
    before = code_digest("model.training.fit")
    monkeypatch.setenv(name, "0")
    switched = code_digest("model.training.fit")
    monkeypatch.setenv(name, "")
    assert (switched != before, code_digest("model.training.fit")) == (True, before)
