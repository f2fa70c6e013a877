"""Settings: read once, checked, and never relative to the folder that one stands in."""

from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.settings import Settings, default_config_file, read_settings


def write(folder: Path, text: str) -> dict[str, str]:
    file = folder / "mlflow.yaml"
    file.write_text(text, encoding="utf-8")
    return {"TOMORROW_CONFIG": str(file)}


def test_the_projects_own_file_says_what_the_settings_default_to() -> None:
    read, plain = read_settings({}), Settings()
    assert read.model_dump(exclude={"home", "securities"}) == plain.model_dump(exclude={"home", "securities"})
    assert read.home == default_config_file().parent / "var"
    assert read.security("FB") == read.security("META") == read.security("fb")
    assert read.security("FB").ticker == "META"


def test_paths_are_relative_to_the_file_or_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = read_settings(write(tmp_path, "home: state\ntracking: {uri: 'sqlite:///runs/x.db', artifacts: files}"))
    assert settings.home == tmp_path / "state"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/state/runs/x.db"
    assert settings.artifact_place == (tmp_path / "state" / "files").as_uri()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    environment = write(tmp_path, "tracking: {uri: 'sqlite:///a.db'}") | {
        "TOMORROW_HOME": str(tmp_path / "other"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5001",
        "TOMORROW_LEDGER_URI": "postgresql+psycopg://me@localhost/ledger",
    }
    settings = read_settings(environment)
    assert settings.home == tmp_path / "other"
    assert settings.tracking_uri == "http://127.0.0.1:5001"
    assert settings.ledger_uri == "postgresql+psycopg://me@localhost/ledger"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gate: {min_skil: 0.1}", "gate.min_skil"),
        ("gates: {}", "one of home, tracking"),
        ("server: {port: 0}", "server.port"),
        ("stages: {after_training: Production}", "stages.after_training"),
        ("[1, 2]", "a list"),
        ("a: b: c", "not YAML"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(write(tmp_path, text))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        read_settings({"TOMORROW_CONFIG": str(tmp_path / "nowhere.yaml")})


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "")).tracking == Settings().tracking
