"""The report is written into the state directory and into MLflow, and never fails the run that writes it."""

import logging
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tasks.serving.report.write import OF, day_of, write_after_run, write_report
from tasks.settings import ReportSettings, Settings
from tasks.system.lock import state_id
from tasks.tracking.client import Tracking
from tests.tasks.serving.pages.given import write_ledger

# In the evening in New York, and on the next day in UTC.
AT = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)


def test_the_day_is_that_of_new_york() -> None:
    assert day_of(AT) == date(2026, 11, 27)


def test_the_file_and_the_artifact_are_the_same_and_written_anew(tracking: Tracking) -> None:
    settings = tracking.settings
    first = write_report(settings, AT, tracking)
    assert first.file == settings.home / "reports" / "2026-11-27.html"
    assert "There is no model yet" in first.file.read_text(encoding="utf-8")
    write_ledger(settings, sessions=12)
    second = write_report(settings, AT, tracking)
    assert 'data-name="META-Open"' in second.file.read_text(encoding="utf-8")
    (run,) = tracking.client.search_runs([tracking.experiment_id()], f"tags.`{OF}` = '{state_id(settings)}'")
    kept = tracking.client.download_artifacts(run.info.run_id, "reports/2026-11-27.html")
    assert Path(kept).read_text(encoding="utf-8") == second.page
    assert second.url is not None
    assert f"/runs/{run.info.run_id}/artifacts/reports/2026-11-27.html?" in second.url
    assert run.info.status == "FINISHED"


def test_a_report_without_mlflow_is_written_and_says_what_is_missing(settings: Settings) -> None:
    write_ledger(settings, sessions=12)
    file = settings.tracking_uri.file
    assert file is not None
    file.write_bytes(b"no database" * 1000)
    written = write_report(settings, AT)
    assert written.url is None
    assert "registry" in written.board.faults
    assert "The registry cannot be read" in written.file.read_text(encoding="utf-8")


def test_a_report_that_fails_is_only_logged(tracking: Tracking, caplog: pytest.LogCaptureFixture) -> None:
    (tracking.settings.home / "reports").write_text("in its way")
    with caplog.at_level(logging.WARNING):
        assert write_after_run(tracking.settings, AT, tracking) is None
    assert "the daily report was not written" in caplog.text


def test_it_can_be_turned_off(tracking: Tracking) -> None:
    settings = tracking.settings.model_copy(update={"report": ReportSettings(daily=False)})
    assert write_after_run(settings, AT, tracking) is None
    assert not (settings.home / "reports").exists()


def test_writing_reads_a_ledger_and_makes_none(settings: Settings) -> None:
    write_report(settings, AT)
    assert not (settings.home / "ledger.db").exists()
