"""What MLflow keeps is read again only where it is what was written: each damage to each file is noticed."""

import errno
import json
import os
import py_compile
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import pytest
import requests

from model.config import EvaluationConfig, PriceRequest
from model.errors import ConfigurationError
from model.training.fit import train_forecaster
from tasks.ledger.kept_files import KeptFiles
from tasks.prices.parquet import write_price_file
from tasks.settings import Settings
from tasks.tracking.checked_files import digests_of, version_files
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.model_artifact import load_forecaster, log_forecaster
from tasks.tracking.run import TrackedRun, start_run
from tasks.tracking.run_inputs import RunConfig, load_prices, log_inputs, reload_test, run_config
from tasks.training.stored_network import load_weights
from tests.market import make_prices
from tests.tasks.tracking.given import CONFIG
from tests.tasks.tracking.test_model_artifact import KNOWN, LATER, small, trained_by

Made = tuple[Tracking, str, Path]
VERSION = "models:/TEST-Open/1"
INPUTS = RunConfig(request=PriceRequest(), forecaster=CONFIG, evaluation=EvaluationConfig())
FILES = (
    *("MLmodel", "conda.yaml", "input_example.json", "python_env.yaml", "requirements.txt", "served_model.py"),
    *("serving_input_example.json", "artifacts/network.keras", "artifacts/recipe.json", "artifacts/weights.npz"),
    *(f"artifacts/code/{name}.py" for name in ("__init__", "cells", "distribution", "explained", "horizon")),
    *(
        f"artifacts/code/{name}.py"
        for name in ("inference", "market_state", "numpy_network", "other_series", "recipes", "scale")
    ),
    *(f"artifacts/code/{name}.py" for name in ("series_input", "sessions_ahead")),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Made:
    """A registered version: the store, what it was made of, and the folder of its files."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(template_database, home / "mlflow.db")
    tracking = open_tracking(Settings(home=home))
    fitted = train_forecaster(KNOWN, small("anchored"))
    with start_run(tracking.client, tracking.experiment_id(), "a training", {}) as run:
        source = log_forecaster(tracking.settings, trained_by(run), fitted, KNOWN)
    assert KeptFiles(tracking.settings.ledger_uri).register(VERSION, source, run.run_id, "a key")
    logged = tracking.client.get_logged_model(source.removeprefix("models:/"))
    return tracking, source, Path(urlparse(logged.artifact_location).path)


@pytest.fixture
def stored(made: Made) -> Iterator[Path]:
    """The folder of its files, which are as they were when the test is over."""
    tracking, _, folder = made
    open_tracking(tracking.settings)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)


def test_after_a_move_of_the_state_directory_both_places_and_the_way_on_are_named(made: Made, tmp_path: Path) -> None:
    tracking, source, _ = made
    home, moved = tracking.settings.home, tmp_path / "moved"
    there, now = home / "mlartifacts", moved / "mlartifacts"
    shutil.copytree(home, moved)
    there.rename(home / "elsewhere")
    settings = tracking.settings.model_copy(update={"home": moved})
    try:
        with pytest.raises(ConfigurationError) as told, version_files(settings, VERSION, source):
            pass
        assert f"its files should lie in {there}" in told.value.have
        assert f"mkdir -p {home} && ln -s {now} {there}" in told.value.remedy
        there.symlink_to(now)
        with version_files(settings, VERSION, source) as files:
            assert (files / "MLmodel").exists()
    finally:
        there.unlink(missing_ok=True)
        (home / "elsewhere").rename(there)


def _flip(file: Path) -> None:
    """One bit of the last byte."""
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


def _remove(file: Path) -> None:
    file.unlink()


def _exchange_for_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "within").write_text("x")


def _exchange_for_link(file: Path) -> None:
    file.unlink()
    file.symlink_to(Path(__file__))


def _exchange_for_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES = (_flip, _cut, _empty, _lengthen, _remove, _exchange_for_folder, _exchange_for_link, _exchange_for_pipe)


def refused(made: Made) -> ConfigurationError:
    """The error by which the version is not loaded: the same, whoever wants it."""
    tracking, source, _ = made
    errors = []
    for load in (load_forecaster, load_weights):
        with pytest.raises(ConfigurationError) as caught:
            load(tracking.settings, VERSION, source)
        errors.append(caught.value)
    # How much room there is on the disk may change in between.
    assert len({(error.subject, error.need, error.remedy) for error in errors}) == 1
    return errors[0]


def test_the_files_of_a_version_are_these(made: Made, stored: Path) -> None:
    tracking, source, _ = made
    assert set(digests_of(stored)) - {"registered_model_meta"} == set(FILES)
    with version_files(tracking.settings, VERSION, source) as copy:
        assert set(digests_of(copy)) == set(FILES)
        assert copy.stat().st_mode & 0o077 == 0, "a folder for its owner alone"
    assert not copy.exists()
    assert len(load_forecaster(tracking.settings, VERSION, source).predict(LATER).values) == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_each_damage_to_each_file_is_noticed_before_anything_is_loaded(
    made: Made, stored: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(stored / name)
    error = refused(made)
    assert (error.subject, error.exit_code) == ("TEST-Open version 1", 2)
    assert name in error.have or damage is _exchange_for_pipe, "what cannot be copied at all may go without a name"
    assert "tomorrow rollback TEST-Open" in error.remedy
    assert "tomorrow train --again" in error.remedy


def test_a_file_that_was_added_is_noticed_and_what_readers_leave_is_not_copied(made: Made, stored: Path) -> None:
    tracking, source, _ = made
    load_forecaster(tracking.settings, VERSION, source)
    (stored / "artifacts" / "code" / "extra.py").write_text("")
    assert "artifacts/code/extra.py was added" in refused(made).have
    (stored / "artifacts" / "code" / "extra.py").unlink()
    # Another reader's Python compiles the code beside it, and MLflow notes what was asked for.
    compiled = stored / "artifacts" / "code" / "__pycache__"
    compiled.mkdir()
    (compiled / "inference.cpython-311.pyc").write_bytes(b"not what Python would have written")
    (stored / "registered_model_meta").write_text("model_name: Other\nmodel_version: '7'\n")
    with version_files(tracking.settings, VERSION, source) as copy:
        assert set(digests_of(copy)) == set(FILES)


def test_nothing_of_a_forged_file_is_executed(made: Made, stored: Path, tmp_path: Path) -> None:
    tracking, source, _ = made
    executed = tmp_path / "executed"
    attack = f"open({str(executed)!r}, 'w').close()\n"
    for name in ("served_model.py", "artifacts/code/__init__.py", "artifacts/code/inference.py"):
        file = stored / name
        before = file.read_text()
        file.write_text(attack + before)
        refused(made)
        file.write_text(before)
    code = stored / "artifacts" / "code"
    # Compiled from other code, and of the time and size that Python looks at.
    (tmp_path / "inference.py").write_text(attack)
    forged = Path(str(py_compile.compile(str(tmp_path / "inference.py"), doraise=True))).read_bytes()
    seen = (code / "inference.py").stat()
    header = forged[:8] + int(seen.st_mtime).to_bytes(4, "little") + seen.st_size.to_bytes(4, "little")
    (code / "__pycache__").mkdir(exist_ok=True)
    (code / "__pycache__" / f"inference.{sys.implementation.cache_tag}.pyc").write_bytes(header + forged[16:])
    load_forecaster(tracking.settings, VERSION, source)
    assert not executed.exists()


@pytest.mark.parametrize("damage", [_flip, _remove])
def test_several_damaged_files_are_named_up_to_three(made: Made, stored: Path, damage: Callable[[Path], None]) -> None:
    for name in ("MLmodel", "served_model.py", "requirements.txt", "conda.yaml", "artifacts/weights.npz"):
        damage(stored / name)
    assert refused(made).have.endswith(", and 2 more")


def test_files_that_are_all_gone_are_an_error_of_the_same_kind(made: Made, stored: Path) -> None:
    shutil.rmtree(stored)
    stored.mkdir()
    error = refused(made)
    assert (error.subject, error.exit_code) == ("TEST-Open version 1", 2)


def test_a_version_that_this_ledger_does_not_know_is_not_loaded(made: Made, tmp_path: Path) -> None:
    tracking, source, _ = made
    settings = tracking.settings

    def refused_as(settings: Settings, version: str, source: str) -> ConfigurationError:
        with pytest.raises(ConfigurationError, match="its files are not on record in this ledger") as caught:
            load_forecaster(settings, version, source)
        return caught.value

    # Somebody else's number, of our own files; our number, of somebody else's files.
    error = refused_as(settings, "models:/TEST-Open/2", source)
    assert (error.subject, error.exit_code) == ("TEST-Open version 2", 2)
    assert "tomorrow rollback TEST-Open" in error.remedy
    refused_as(settings, VERSION, "models:/m-0123")
    refused_as(settings, VERSION, str(tmp_path))
    other = Settings(home=tmp_path / "other", tracking=settings.tracking)
    assert "name that one's ledger (ledger.uri, TOMORROW_LEDGER_URI)" in refused_as(other, VERSION, source).remedy


def run_file(tracking: Tracking, run: TrackedRun, name: str) -> Path:
    return Path(urlparse(tracking.client.get_run(run.run_id).info.artifact_uri).path) / name


def test_the_inputs_of_a_run_come_back_to_the_bit(tracking: Tracking, run: TrackedRun) -> None:
    prices = replace(make_prices(60), notes=("rows were sorted",))
    log_inputs(run, tracking.settings, INPUTS, prices)
    again = load_prices(tracking, run.run_id, VERSION)
    assert again.values.tobytes() == prices.values.tobytes()
    assert again.fingerprint == prices.fingerprint
    assert (again.security, again.origin, again.notes) == (prices.security, prices.origin, prices.notes)
    assert run_config(tracking, run.run_id, VERSION) == INPUTS
    assert json.loads(run_file(tracking, run, "config.json").read_text()) == INPUTS.model_dump(mode="json")


@pytest.mark.parametrize("damage", [_flip, _cut, _empty, _remove, _exchange_for_folder, _exchange_for_pipe])
@pytest.mark.parametrize("name", ["config.json", "prices.parquet"])
def test_each_damage_to_the_inputs_of_a_run_names_the_version_and_the_file(
    tracking: Tracking, run: TrackedRun, name: str, damage: Callable[[Path], None]
) -> None:
    log_inputs(run, tracking.settings, INPUTS, make_prices(120))
    damage(run_file(tracking, run, name))
    with pytest.raises(ConfigurationError, match=f"TEST-Open version 1: the file {name} of its run") as refusal:
        reload_test(tracking, run.run_id, VERSION)
    assert refusal.value.exit_code == 2
    assert "tomorrow train --again" in refusal.value.remedy


def test_prices_that_were_exchanged_for_others_are_refused(tracking: Tracking, run: TrackedRun) -> None:
    log_inputs(run, tracking.settings, INPUTS, make_prices(60))
    write_price_file(make_prices(60, seed=1), run_file(tracking, run, "prices.parquet"))
    with pytest.raises(ConfigurationError, match="it is not as it was written"):
        load_prices(tracking, run.run_id, VERSION)


@pytest.mark.parametrize("run_id", ["0" * 32, "", "../../other"])
def test_a_run_that_was_not_written_here_is_refused(tracking: Tracking, run_id: str) -> None:
    with pytest.raises(ConfigurationError, match="it is not on record in this ledger") as refusal:
        load_prices(tracking, run_id, VERSION)
    assert "tomorrow train --again" in refusal.value.remedy


@pytest.mark.parametrize(
    ("error", "subject"),
    [
        (requests.ConnectionError("refused"), "tracking server"),
        (OSError(errno.ENOSPC, "No space left on device"), "a file in"),
        (OSError("a link that leads out of the folder"), "TEST-Open version 1"),
    ],
)
def test_a_server_that_is_away_and_a_full_disk_are_not_called_damage(
    made: Made, monkeypatch: pytest.MonkeyPatch, error: Exception, subject: str
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("tasks.tracking.checked_files.read_location", lambda *_: None)  # as of a store elsewhere
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", fail)
    assert refused(made).subject.startswith(subject)
