"""Two state directories, as on two machines: MLflow and the ledger on PostgreSQL, artifacts on S3 behind MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli.main import main
from tests.conftest import process_as_it_was
from tests.flows.conftest import MARKET, SMALL, Outcome
from tests.postgres import database_on, postgres_server
from tests.s3 import S3Server
from tests.servers import free_port, serving

pytestmark = pytest.mark.servers


@dataclass(frozen=True, slots=True)
class Shared:
    """What all machines have in common: the variables that name it, and the folder in S3 that only MLflow's knows."""

    variables: dict[str, str]
    artifacts: str


@pytest.fixture
def shared(s3: S3Server, tmp_path: Path) -> Iterator[Shared]:
    with postgres_server() as server, database_on(server) as runs, database_on(server) as ledger:
        artifacts, uri = s3.folder(), f"http://127.0.0.1:{free_port()}"
        command = ["mlflow", "server", "--host", "127.0.0.1", "--port", uri.rpartition(":")[2], "--workers", "1"]
        command += ["--backend-store-uri", runs, "--artifacts-destination", artifacts]
        settings = {**s3.variables, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with serving(command, f"{uri}/health", tmp_path, **settings):
            yield Shared({"MLFLOW_TRACKING_URI": uri, "TOMORROW_LEDGER_URI": ledger}, artifacts)


def test_what_one_machine_has_trained_another_one_forecasts_with_and_has_no_keys_to_the_store(
    shared: Shared,
    s3: S3Server,
    tmp_path: Path,
    prefect_server: None,  # noqa: ARG001 - the commands need it
    capfd: pytest.CaptureFixture[str],
) -> None:
    def at(machine: str, *arguments: str) -> Outcome:
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch, process_as_it_was():
            for name in s3.variables:
                patch.delenv(name, raising=False)
            for name, text in shared.variables.items():
                patch.setenv(name, text)
            patch.setenv("TOMORROW_HOME", str(tmp_path / machine))
            code = main(arguments)
        said = capfd.readouterr()
        return Outcome(code, said.out, said.err)

    trained = at("one", "train", *MARKET, *SMALL, "--json")
    assert trained.code == 0, trained.err
    names = s3.names(shared.artifacts)
    assert any(name.endswith("/artifacts/weights.npz") for name in names), names
    assert at("one", "promote", "SAMPLE-Open", "1", "--force", "--reason", "a test").code == 0

    forecast = at("other", "predict", *MARKET, "--json")
    assert forecast.code == 0, forecast.err
    assert forecast.json["version"] == 1
    again = at("one", "predict", *MARKET, "--json")
    assert again.json["forecast"] == forecast.json["forecast"]
    assert not again.json["recorded"]
    repeated = at("other", "train", *MARKET, *SMALL, "--json")
    assert (repeated.code, repeated.json["repeated"]) == (0, True)
    for machine in ("one", "other"):
        assert not list((tmp_path / machine).rglob("*.npz")), "artifacts lie in the store alone"
