"""The daily report: `predict` and `score` write it, MLflow keeps it, Prefect links to it, a command renews it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.runs.clock import clock_at
from model.errors import ConfigurationError
from model.evaluation.decision import DecisionWord
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import Settings, read_settings
from tasks.tracking.client import Tracking, open_tracking
from tests.flows.conftest import MARKET, Run
from tests.market import write_csv, zigzag

if TYPE_CHECKING:
    from mlflow import MlflowClient

# In the evening in New York, on the next day in UTC.
EVENING = datetime(2013, 6, 29, 1, 0, tzinfo=UTC)
NAME = "2013-06-28.html"


@pytest.fixture
def in_production(trained: None) -> None:  # noqa: ARG001 - there is a version to promote
    """Version 1 of the sample market is in Production."""
    registry = Registry(open_tracking(read_settings()))
    ruling = Ruling(decision=DecisionWord.FORCED, reasons=("a test",), at=EVENING, by="somebody", forced="a test")
    registry.move("SAMPLE-Open", 1, "Production", ruling)


@pytest.mark.usefixtures("in_production")
def test_predict_and_score_write_it_and_the_command_renews_it(run: Run, home: Path, client: "MlflowClient") -> None:
    from prefect.artifacts import Artifact
    from prefect.client.schemas.objects import Artifact as Found

    file = home / "reports" / NAME
    with clock_at(EVENING):
        assert run("predict", *MARKET).code == 0
    page = file.read_text(encoding="utf-8")
    assert 'data-name="SAMPLE-Open"' in page
    assert "2013-07-01" in page
    experiment = client.get_experiment_by_name("tomorrow")
    assert experiment is not None
    (kept,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'daily reports'")
    assert [found.path for found in client.list_artifacts(kept.info.run_id, "reports")] == [f"reports/{NAME}"]
    linked = Artifact.get("report")
    assert isinstance(linked, Found)
    assert f"/runs/{kept.info.run_id}/artifacts/reports/{NAME}" in str(linked.data)
    file.unlink()
    with clock_at(EVENING):
        assert run("score", *MARKET).code == 0
        assert file.is_file()
        file.unlink()
        answer = run("report", "--json").json
    assert answer["file"] == str(file)
    assert (answer["day"], answer["models"], answer["faults"], answer["sent"]) == ("2013-06-28", 1, {}, None)
    assert file.is_file()


@pytest.mark.usefixtures("in_production")
def test_that_it_cannot_be_written_fails_no_forecast(run: Run, home: Path) -> None:
    (home / "reports").write_text("in its way")
    with clock_at(EVENING):
        outcome = run("predict", *MARKET)
        assert outcome.code == 0
        assert "written to the ledger" in outcome.out
        assert run("report").code == 2


def test_sending_without_a_way_to_send_writes_nothing(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOMORROW_WEBHOOK", raising=False)
    outcome = run("report", "--send")
    assert outcome.code == 2
    assert "neither a mail server nor a webhook" in outcome.err
    assert not (home / "reports").exists()


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, ...]:
    """Options for two securities."""
    files = [write_csv(zigzag(low=100.0 + number), tmp_path / f"{ticker}.csv") for number, ticker in enumerate("AB")]
    return ("--source", "csv", "--jobs", "1", *(f"--prices={file}" for file in files), "--ticker=A", "--ticker=B")


def test_several_securities_have_one_report(
    run: Run, home: Path, two: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.prefect_tasks import report_task

    written: list[object] = []

    def write(settings: Settings, at: datetime, tracking: Tracking) -> object:
        written.append(at)
        return report_task(settings, at, tracking)

    monkeypatch.setattr("flows.runs.daily_report.report_task", write)
    assert run("score", *two, "--json").json["failed"] == 0
    assert len(list((home / "reports").iterdir())) == len(written) == 1


def test_an_mlflow_that_went_away_at_the_end_hides_no_result(
    run: Run, home: Path, two: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ConfigurationError("MLflow", have="no answer", need="a server", remedy="start it")

    def fail(_: Settings) -> Tracking:
        raise gone

    monkeypatch.setattr("flows.runs.side_by_side.several.connect_task", fail)
    outcome = run("score", *two, "--json")
    assert (outcome.code, outcome.json["failed"], len(outcome.json["securities"])) == (0, 0, 2)
    assert not (home / "reports").exists()
