"""Settings: read once, checked, and never relative to the folder that one stands in."""

from datetime import date
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.settings import AlarmSettings, RetrySettings, Settings, part_credentials, project_file, read_settings


def write(folder: Path, text: str) -> dict[str, str]:
    file = folder / "mlflow.yaml"
    file.write_text(text, encoding="utf-8")
    return {"TOMORROW_CONFIG": str(file)}


def test_the_projects_own_file_says_what_the_settings_default_to() -> None:
    read, plain, tables = read_settings({}), Settings(), {"home", "securities", "series"}
    assert read.model_dump(exclude=tables) == plain.model_dump(exclude=tables)
    assert read.home == project_file("mlflow.yaml").parent / "var"
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


def test_every_key_has_a_variable(tmp_path: Path) -> None:
    closures = '{"XNYS": ["2025-01-09"]}'
    text = f"gate: {{mode: dry_run, min_sessions: 7}}\nextra_closures: {closures}"
    environment = write(tmp_path, text) | {
        "TOMORROW_GATE__MODE": "manual",
        "TOMORROW_GATE__MIN_EVIDENCE": "50.5",
        "TOMORROW_PRICES__RETRIES__COMMAND_LINE": "[0, 0.5]",
        "TOMORROW_PRICES__STALE_SESSIONS__TRAIN": "null",
        "TOMORROW_ALARMS": '{"kinds": ["flow.failed"]}',
        "TOMORROW_ALARMS__TIMEOUT": "3",
        "TOMORROW_SECURITIES": '[{"ticker": "ACME", "exchange": "XLON"}]',
        "TOMORROW_EXTRA_CLOSURES": '{"XLON": ["2024-05-06"]}',
        "TOMORROW_SERVER__PORT": "",
    }
    settings = read_settings(environment)
    assert (settings.gate.mode, settings.gate.min_evidence, settings.gate.min_sessions) == ("manual", 50.5, 7)
    assert settings.prices.retries == RetrySettings(command_line=(0, 0.5))
    assert settings.prices.stale_sessions.train is None
    assert settings.alarms == AlarmSettings(kinds=("flow.failed",), timeout=3)
    assert settings.security("ACME").exchange == "XLON"
    assert settings.closures("XLON") == (date(2024, 5, 6),)
    assert settings.closures("XNYS") == (date(2025, 1, 9),)
    assert settings.server.port == 5000


def test_the_two_other_names_count_more(tmp_path: Path) -> None:
    environment = write(tmp_path, "") | {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5001",
        "TOMORROW_TRACKING__URI": "sqlite:///other.db",
        "TOMORROW_LEDGER_URI": "postgresql+psycopg://me@localhost/ledger",
        "TOMORROW_LEDGER__URI": "sqlite:///other.db",
    }
    settings = read_settings(environment)
    assert settings.tracking_uri == "http://127.0.0.1:5001"
    assert settings.ledger_uri == "postgresql+psycopg://me@localhost/ledger"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("TOMORROW_GATE__MOED", "1", "TOMORROW_GATE__MODE, TOMORROW_GATE__MIN_EVIDENCE"),
        ("TOMORROW_GATES__MODE", "manual", "TOMORROW_GATE, TOMORROW_PROOF"),
        ("TOMORROW_SERVER_PORT", "5001", "two underscores"),
        ("TOMORROW_GATE__MODE__X", "manual", "one of TOMORROW_GATE__MODE\n"),
        ("TOMORROW_EXTRA_CLOSURES__XNYS", '["2025-01-09"]', "one of TOMORROW_EXTRA_CLOSURES\n"),
        ("TOMORROW_GATE__MODE", "lenient", "'lenient'"),
        ("TOMORROW_GATE", '{"moed": 1}', "mode, min_evidence"),
        ("TOMORROW_SCORE__BREACHES", "9", "9 of 5 windows"),
        ("TOMORROW_ALARMS__KINDS", "flow.failed", "not JSON"),
        ("TOMORROW_PRICES__RETRIES__COMMAND_LINE", "[1, -1]", "-1"),
        ("TOMORROW_PRICES__TIMEOUT", "inf", "finite"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(write(tmp_path, "server: {port: 5001}") | {name: text})
    assert name in refused.value.subject
    assert said in str(refused.value)
    assert "mlflow.yaml" not in refused.value.subject


def test_a_wrong_value_in_the_file_is_not_blamed_on_a_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(write(tmp_path, "gate: {min_evidence: much}") | {"TOMORROW_GATE__MODE": "manual"})
    assert refused.value.subject == f"gate.min_evidence in {tmp_path / 'mlflow.yaml'}"


def test_variables_that_are_no_keys_are_left_alone(tmp_path: Path) -> None:
    others = ("TOMORROW_WEBHOOK", "TOMORROW_DEBUG", "TOMORROW_TEST_DATA", "TOMORROW_STACK", "OTHER__KEY")
    assert read_settings(write(tmp_path, "home: .") | dict.fromkeys(others, "1")).gate == Settings().gate


def test_settings_that_are_made_in_code_know_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMORROW_GATE__MODE", "manual")
    monkeypatch.setenv("TOMORROW_HOME", "/elsewhere")
    assert (Settings().gate.mode, Settings().home) == ("enforce", Path("var"))
    assert read_settings().gate.mode == "manual"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gate: {min_skil: 0.1}", "gate.min_skil"),
        ("gates: {}", "one of home, tracking"),
        ("securities: [{ticker: META, kindd: ETF}]", "one of ticker, name, former_tickers"),
        ("server: {port: 0}", "server.port"),
        ("gate: {min_evidence: .nan}", "gate.min_evidence"),
        ("stages: {after_training: Production}", "stages.after_training"),
        ("[1, 2]", "a list"),
        ("a: b: c", "not YAML"),
        ("registry: {name: '{tickr}-{column}'}", "registry.name"),
        ("registry: {name: '{ticker}'}", "a name with {ticker} and {column}"),
        ('registry: {name: "{ticker}\'{column}"}', "no slash, colon or quote"),
        ("housekeeping: {remove_days: 9999999}", "housekeeping.remove_days"),
        ("securities: [{ticker: META, first_session: 2012-13-45}]", "not YAML: month must be in 1..12"),
        ("securities: " + "[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(write(tmp_path, text))
    assert said in str(refused.value)


def test_the_password_of_an_address_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql://\*\*\*@host/db") as refusal:
        read_settings(write(tmp_path, "tracking: postgresql://me:hunter2@host/db"))
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tracking:\n  uri: http://me:hunter2@host: x\n", "line 2, column"),
        ("tracking:\n  uri: *hunter2\n", "line 2, column 8: found undefined alias"),
        ("tracking: {uri: http://me:hunter2@host", "line 1, column 39"),
        ("tracking:\n\turi: http://me:hunter2@host", "line 2, column 1"),
        ("tracking:\n  uri:http://me:hunter2@host", "tracking in"),
        ("tracking: {uri:http://me:hunter2@host}", "an unknown key"),
        ("tracking: {urii: 'http://host/?password=hunter2'}", "tracking.urii"),
        ("tracking: {uri: [hunter2]}", "a value of kind list"),
        ("ledger: {uri: {password: hunter2}}", "a value of kind dict"),
        ("ledger: {uri: x, password: hunter2}", "ledger.password"),
        ("- http://me:hunter2@host", "a list"),
    ],
)
def test_a_mistyped_file_is_told_of_without_what_stands_in_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_settings(write(tmp_path, text))
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "place",
    [
        *("prices", "~/prices", "/", "gs://bucket/x"),
        *("s3://", "s3://b", "s3://Bucket/x", "s3://bucket/../x", "s3://bucket//x"),
        *("s3://key:hunter2@bucket/x", "s3://bucket/x?token=hunter2", "s3://bucket/x#hunter2"),
    ],
)
def test_a_place_for_prices_is_a_whole_path_or_a_folder_in_a_bucket_and_holds_no_password(
    tmp_path: Path, place: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"prices\.store") as refusal:
        read_settings(write(tmp_path, f"prices: {{store: '{place}'}}"))
    assert "an absolute path, or s3://BUCKET/FOLDER" in refusal.value.need
    assert ":hunter2" not in str(refusal.value)
    assert "token=hunter2" not in str(refusal.value)


@pytest.mark.parametrize("place", ["/srv/shared prices", "s3://bucket", "s3://my.bucket-1/a/B_2.c"])
def test_a_place_for_prices_is_taken_without_a_slash_at_its_end(tmp_path: Path, place: str) -> None:
    assert read_settings(write(tmp_path, f"prices: {{store: '{place}/'}}")).price_store == place


@pytest.mark.parametrize("place", ["s3://key:hunter2@bucket", "ftp://me:hunter2@host/x", "s3://bucket/?token=hunter2"])
def test_a_place_that_mlflow_shows_may_hold_no_password(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigurationError, match="MLflow stores and shows its address") as refusal:
        read_settings(write(tmp_path, f"tracking: {{artifacts: '{place}'}}"))
    assert "hunter2" not in str(refusal.value)


def test_prefect_is_given_user_and_password_apart_from_its_address() -> None:
    environment = {"PREFECT_API_URL": "https://me:hunter2@host/api"}
    part_credentials(environment)
    assert environment == {"PREFECT_API_URL": "https://host/api", "PREFECT_API_AUTH_STRING": "me:hunter2"}
    for left in ({}, {"PREFECT_API_URL": "http://host/api", "PREFECT_API_AUTH_STRING": "a:b"}):
        part_credentials(same := dict(left))
        assert same == left


def test_a_state_directory_whose_path_is_too_long_is_told_of_at_once(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d" * 100] * 4)
    with pytest.raises(ConfigurationError, match="400 at most") as refusal:
        read_settings(write(tmp_path, f"home: {deep}"))
    assert f"a path of {len(str(deep))} bytes" in refusal.value.have
    assert not (tmp_path / ("d" * 100)).exists()


@pytest.mark.parametrize(("home", "said"), [("~nobody-of-that-name/x", "~nobody-of-that-name"), ("a\udcffb", "UTF-8")])
def test_a_state_directory_that_has_no_usable_path_is_told_of(tmp_path: Path, home: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_settings(write(tmp_path, "") | {"TOMORROW_HOME": home})
    assert said in str(refusal.value)
    str(refusal.value).encode()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        read_settings({"TOMORROW_CONFIG": str(tmp_path / "nowhere.yaml")})


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "")).tracking == Settings().tracking


def test_an_installed_wheel_keeps_its_state_in_a_place_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "tasks" / "project" / "mlflow.yaml"
    installed.parent.mkdir(parents=True)
    installed.write_text("home: var\n", encoding="utf-8")
    monkeypatch.setattr("tasks.settings.read.project_folder", lambda: tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    assert project_file("mlflow.yaml") == installed
    assert read_settings({}).home == tmp_path / "ada" / ".local" / "state" / "tomorrow"
    assert read_settings({"XDG_STATE_HOME": str(tmp_path / "state")}).home == tmp_path / "state" / "tomorrow"
    assert read_settings({"TOMORROW_HOME": str(tmp_path / "other")}).home == tmp_path / "other"


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("localhost", "127.0.0.1"),
        ("Localhost", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - where a user has chosen it
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FD00::5", "fd00::5"),
    ],
)
def test_a_server_listens_on_a_number(given: str, number: str) -> None:
    settings = read_settings({"TOMORROW_SERVER__HOST": given, "TOMORROW_PREFECT__HOST": given})
    assert settings.server.host == settings.prefect.host == number


@pytest.mark.parametrize("name", ["box.example", "localhost.localdomain", "127.0.0.1:5000"])
def test_a_server_listens_on_no_name_which_may_mean_several_places(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.host") as refusal:
        read_settings({"TOMORROW_SERVER__HOST": name})
    assert "127.0.0.1" in refusal.value.need
    assert refusal.value.exit_code == 2


def test_a_row_of_securities_holds_however_its_tickers_are_written(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.yaml"
    file.write_text("securities: [{ticker: sap, former_tickers: [old], exchange: XETR, from: 2020-01-02}]")
    settings = read_settings({"TOMORROW_CONFIG": str(file)})
    for ticker in ("SAP", "sap", "OLD"):
        assert (settings.security(ticker).ticker, settings.security(ticker).exchange) == ("SAP", "XETR")
        assert settings.first_day(ticker) == date(2020, 1, 2)
