"""A wheel of the project, in an environment without the checkout, trains from any folder."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.project import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `make release` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def tomorrow(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment with the wheel, and with all that the tests have but the project itself."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    place = sysconfig.get_path("purelib", vars={"base": str(folder)})
    # Of a folder that a .pth file names, the .pth files are not read: so the checkout itself is not to be seen.
    Path(place, "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, wheel], check=True, env=environment({}))
    return folder / "bin" / "tomorrow"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of the tests, without what names the checkout or a state directory."""
    hidden = ("PYTHONPATH", "MLFLOW_", "PREFECT_", "TOMORROW_", "XDG_STATE_HOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)} | dict(variables)


def run(command: Path, *arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [command, *arguments], cwd=cwd, env=environment(variables), capture_output=True, text=True, check=False
    )


def test_it_holds_the_packages_and_both_files_of_settings(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"flows", "tasks", "model", "tomorrow.py"}
    assert {"tasks/project/mlflow.yaml", "tasks/project/prefect.yaml"} <= set(names)


def test_whatever_the_packages_hold_is_in_it(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "flows", "tasks", "model"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("no checkout")
    there = {name for name in listed.stdout.split() if (ROOT / name).exists()}
    assert there <= set(zipfile.ZipFile(wheel).namelist())


def test_it_trains_on_the_sample_market_from_an_empty_folder(tomorrow: Path, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    train = ["train", "--source", "sample", "--preset", "tutorial", "--epochs", "1", "--json"]
    done = run(tomorrow, *train, cwd=elsewhere, HOME=str(home))
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["fit"]["epochs"] == 1
    assert (home / ".local" / "state" / "tomorrow" / "mlflow.db").is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("stranger", ["model.py", "tasks/__init__.py", "flows/__init__.py"])
def test_a_package_of_the_same_name_that_comes_first_is_named(tomorrow: Path, tmp_path: Path, stranger: str) -> None:
    file = tmp_path / stranger
    file.parent.mkdir(exist_ok=True)
    file.write_text("", encoding="utf-8")
    told = run(tomorrow, "status", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert told.returncode == 2
    assert told.stderr.startswith(f"tomorrow: the Python package `{stranger.partition('/')[0].removesuffix('.py')}`")
    assert len(told.stderr.splitlines()) == 3
    as_json = run(tomorrow, "status", "--json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    error = json.loads(as_json.stdout)["error"]
    assert error["kind"] == "ConfigurationError"
    assert str(tmp_path) in error["have"]


def test_the_folder_in_which_it_is_called_is_not_in_the_way(tomorrow: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("raise RuntimeError('this is another model')", encoding="utf-8")
    assert run(tomorrow, "--help", cwd=tmp_path).returncode == 0
