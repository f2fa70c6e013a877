"""The daily report, written anew after forecasts and scores: once for a run, not for each of its parts."""

from datetime import datetime

from prefect import runtime

from flows.runs.artifacts import link_report
from tasks.prefect_tasks import report_task
from tasks.settings import Settings
from tasks.system.cluster.one_of_several import is_one_of_several
from tasks.tracking.client import Tracking


def report_day(settings: Settings, at: datetime, tracking: Tracking) -> None:
    """Write the report of the day, and link it in Prefect; a run that is part of another leaves it to that one."""
    if is_one_of_several() or runtime.flow_run.parent_flow_run_id is not None:
        return
    written = report_task(settings, at, tracking)
    if written is not None and written.url is not None:
        link_report(written.url, written.day)
