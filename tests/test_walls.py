"""Each wall of [tool.importlinter] in pyproject.toml fails when it is broken, by an import within a function too."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
# What would break each of them: a module, and what it must not import.
BREACHES = {
    "flows -> tasks -> model, never back": ("model/config.py", "tasks.settings"),
    "model: a folder knows those below it": ("model/market/prices.py", "model.figures.style"),
    "tasks: a folder knows those below it": ("tasks/system/lock.py", "tasks.prices.fetch"),
    "flows: every run's parts, the flows, the command line": ("flows/runs/clock.py", "flows.train"),
    "what is registered travels alone": ("model/artifact/cells.py", "model.market.prices"),
    "model computes: no orchestrator, no tracking, no network, no files": ("model/config.py", "os"),
    "flows compute nothing and reach nothing themselves": ("flows/train.py", "numpy"),
    "mlflow only where runs and versions are kept": ("tasks/system/lock.py", "mlflow"),
    "yfinance only where Yahoo is asked": ("tasks/ledger/schema.py", "yfinance"),
    "sqlalchemy only in the ledger, the history, MLflow's database and locks": (
        "tasks/prices/fetch.py",
        "sqlalchemy",
    ),
    "prefect only in flows, the list of its tasks, what starts its server, and what workers report to it": (
        "tasks/prices/fetch.py",
        "prefect",
    ),
    "fastapi, uvicorn and prometheus only where the board is served": ("tasks/prices/fetch.py", "fastapi"),
    "dask only where processes are started, and where flows give them work": ("flows/train.py", "distributed"),
    "optuna only where a preset is tuned": ("tasks/training/run.py", "optuna"),
    "s3 only where prices are kept": ("tasks/prices/snapshots.py", "s3fs"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts, which may be damaged."""
    house = tmp_path_factory.mktemp("house")
    for package in ("flows", "tasks", "model"):
        shutil.copytree(ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", house)
    return house


def lint(house: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program], cwd=house, capture_output=True, text=True, check=False)


def test_the_walls_stand(house: Path) -> None:
    done = lint(house)
    assert done.returncode == 0, done.stdout


def test_each_wall_is_tried() -> None:
    assert [contract["name"] for contract in CONTRACTS] == list(BREACHES)


@pytest.mark.parametrize("contract", BREACHES)
def test_a_wall_that_is_broken_is_named(house: Path, contract: str) -> None:
    module, forbidden = BREACHES[contract]
    file = house / module
    intact = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{intact}\n\ndef breach() -> None:\n    import {forbidden}\n", encoding="utf-8")
        done = lint(house)
    finally:
        file.write_text(intact, encoding="utf-8")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert f"{contract} BROKEN" in said
    assert f"{module.removesuffix('.py').replace('/', '.')} -> {forbidden} (l." in said
