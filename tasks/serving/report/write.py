"""Writes the report of the day: into the state directory, and as an artifact of a run in MLflow."""

import logging
import time
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from model.errors import TomorrowError, masked
from tasks.registry.mlflow_registry import quoted
from tasks.serving.board import Board
from tasks.serving.following.production import InProduction, ProductionLook
from tasks.serving.following.refresh import NEW_YORK, BoardReader
from tasks.serving.report.page import report_page, report_title
from tasks.settings import Settings
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import make_folder_durably, write_durably
from tasks.system.lock import locked, state_id
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.run import run_url

FOLDER = "reports"
# Tag of the run that holds the reports of a state directory.
OF = "x.report.of"
NOTE = "The board of each day, as `predict` and `score` left it: the files in `reports`, one for each day."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """A report that was written.

    file: in the state directory
    url:  where MLflow shows it; None where MLflow could not be reached
    """

    day: date
    board: Board
    page: str
    file: Path
    url: str | None

    @property
    def title(self) -> str:
        """What it is called."""
        return report_title(self.day)


def day_of(at: datetime) -> date:
    """The day whose report is written at a time: an evening's forecasts belong to the day in New York."""
    return at.astimezone(NEW_YORK).date()


def read_board(settings: Settings, at: datetime) -> Board:
    """The board now, without a server; what cannot be read is named among its faults."""
    production: dict[str, InProduction | None] = {}
    troubles: dict[str, str] = {}
    try:
        if settings.tracking_uri.file is None or settings.tracking_uri.file.exists():
            look = ProductionLook(settings)
            production.update(look.look(at))
            troubles.update(look.faults)
    except TomorrowError as error:
        troubles[""] = f"{error.subject}: {error.have}"
    answering = {model: there.version.version for model, there in production.items() if there is not None}
    return BoardReader(settings).read(at, time.monotonic(), production, answering, troubles)


def write_report(settings: Settings, at: datetime, tracking: Tracking | None = None) -> DayReport:
    """Write the report of the day anew. ConfigurationError where the state directory cannot be written.

    tracking: MLflow, where it is open already; without it, it is opened. That it does not answer is only logged.

    One process at a time reads and writes, so that the last report is of the newest board.
    """
    with locked(settings, "report"):
        board, day = read_board(settings, at), day_of(at)
        page = report_page(board, day)
        file = settings.home / FOLDER / f"{day}.html"
        try:
            make_folder_durably(file.parent)
            write_durably(file, lambda unfinished: unfinished.write_text(page, encoding="utf-8"))
        except OSError as error:
            raise folder_fault(f"the report {file}", error) from None
        return DayReport(day=day, board=board, page=page, file=file, url=_log(settings, file, page, tracking))


def write_after_run(settings: Settings, at: datetime, tracking: Tracking) -> DayReport | None:
    """The same after a flow's work is done, which a report that fails does not undo: it is logged."""
    if not settings.report.daily:
        return None
    try:
        return write_report(settings, at, tracking)
    except Exception as error:  # noqa: BLE001 - whatever it is, the forecast is on record
        logger.warning("the daily report was not written: %s", masked(f"{type(error).__name__}: {error}"))
        return None


def _log(settings: Settings, file: Path, page: str, tracking: Tracking | None) -> str | None:
    """Put the report into MLflow; returns where it is shown there."""
    try:
        opened = tracking or open_tracking(settings)
        experiment = opened.experiment_id()
        run_id = _run(opened, experiment, state_id(settings))
        opened.client.log_text(run_id, page, f"{FOLDER}/{file.name}")
        # With the time of the newest report, so that it is not cleaned away as old.
        opened.client.set_terminated(run_id)
    except Exception as error:  # noqa: BLE001 - MLflow raises whatever its store does; the file is written
        logger.warning("the report was not put into MLflow: %s", masked(f"{type(error).__name__}: {error}"[:300]))
        return None
    page_of_run, mark, parameters = run_url(settings, experiment, run_id).partition("?")
    return f"{page_of_run}/artifacts/{FOLDER}/{file.name}{mark}{parameters}"


def _run(tracking: Tracking, experiment: str, state: str) -> str:
    """The run that holds the reports of a state directory; made where there is none."""
    for found in tracking.client.search_runs([experiment], f"tags.`{OF}` = {quoted(state)}", max_results=1):
        return str(found.info.run_id)
    tags = {OF: state, "mlflow.note.content": NOTE}
    return str(tracking.client.create_run(experiment, run_name="daily reports", tags=tags).info.run_id)
