"""What `tomorrow up` shows: links with a key to whoever sits before it, and to no log."""

import json
import sys
from pathlib import Path

import pytest

from flows.cli.commands.up import pages
from flows.cli.main import main
from tasks.operations.stack.parts import Stack, stack
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.settings import Settings
from tasks.system.access.guard import link_token
from tasks.system.access.stack_state import read_stack
from tests.servers import free_port


@pytest.fixture
def planned(tmp_path: Path) -> Stack:
    settings = Settings(home=tmp_path / "var")
    server = settings.server.model_copy(update={"port": free_port()})  # where nobody answers
    return stack(settings.model_copy(update={"server": server}), None)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_links_and_keys_are_shown_on_a_terminal_alone(
    is_terminal: bool, planned: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    shown, keys = "\n".join(pages(planned, "tomorrow")), planned.keys
    assert keys is not None
    assert (f"/open?token={link_token(keys.mlflow, planned.salt)}#/experiments" in shown) == is_terminal
    assert keys.mlflow not in shown, "it would stay in the browser's history, and open the next stack"
    assert (keys.prefect in shown) == is_terminal
    assert ("tomorrow status --links" in shown) != is_terminal
    assert keys.secret not in shown
    for part in planned.parts:
        assert part.address is None or part.address in shown


@pytest.mark.parametrize("option", ["--now", "--source=sample", "--ticker=FB"])
def test_pages_alone_make_no_run(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--pages", option]) == 2
    assert "there is no worker" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--ticker", "SAP.DE", "--exchange", "NOSUCH"),
        ("--source", "sample", "--exchange", "XETR"),
        ("--ticker", "F B"),
        ("--source", "csv", "--ticker", "KO"),
        ("--allowed-hosts", "*"),
        ("--allowed-hosts", "mlflow.example,https://mlflow.example"),
        ("--allowed-hosts", "mlflow.example,"),
    ],
)
@pytest.mark.usefixtures("home")
def test_options_that_cannot_be_are_refused_before_anything_is_started(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *given, **_: pytest.fail(f"{given} was started"))
    assert main(("up", *options)) == 2
    assert "to do:" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--now", "--pages"])
def test_deployments_alone_start_nothing(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--deployments", option]) == 2
    assert "nothing is started" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("elsewhere", "missing"),
    [
        ({}, "MLflow and Prefect"),
        ({"MLFLOW_TRACKING_URI": "http://mlflow.example:5000"}, "Prefect"),
        ({"PREFECT_API_URL": "http://prefect.example:4200/api"}, "MLflow"),
    ],
)
@pytest.mark.usefixtures("home")
def test_deployments_alone_need_both_servers_elsewhere(
    elsewhere: dict[str, str], missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name, address in elsewhere.items():
        monkeypatch.setenv(name, address)
    assert main(["up", "--deployments"]) == 2
    assert f"no address of {missing}:" in capsys.readouterr().err


@pytest.mark.servers
@pytest.mark.usefixtures("prefect_server")
def test_deployments_alone_stand_on_the_server_elsewhere_and_say_where_they_work(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect.settings import PREFECT_API_URL

    api = PrefectApi(str(PREFECT_API_URL.value()))
    monkeypatch.setenv("PREFECT_API_URL", api.address)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    assert main(["up", "--deployments", "--source", "sample", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ended_by": None, "restarts": {}}
    made = api.deployments()
    assert set(made) == {"train", "promote", "score", "predict", "catchup", "clean"}
    assert {f"state:{home}", "mlflow:http://mlflow.example:5000"} <= set(made["train"]["tags"])
    assert made["train"]["parameters"]["request"] == {"ticker": "SAMPLE", "source": "sample"}
    assert read_stack(Settings(home=home)) is None
