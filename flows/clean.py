"""Clean: take away what is old and that neither a stage nor the ledger refers to."""

from dataclasses import dataclass

from prefect import flow

from flows.promote import connect
from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from tasks.ledger.forecasts import Ledger
from tasks.operations.cleanup import remove_expired
from tasks.operations.expired import Ages, Expired, find_expired
from tasks.prefect_tasks import start_timing, step
from tasks.settings import read_settings

find = step(find_expired, "find")
remove = step(remove_expired, "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """What was taken away, or would be, with `dry_run`."""

    refuse: tuple[Expired, ...]
    dry_run: bool


@flow(name="clean", persist_result=False, on_failure=[alarm_failure], on_crashed=[alarm_failure])
def clean(older_than: int | None = None, dry_run: bool = False) -> CleanReport:
    """Take away versions, runs, prices and logs beyond their ages in mlflow.yaml, or all older than so many days."""
    start_timing()
    settings, moment = read_settings(), now()
    tracking = connect(settings)
    ages = Ages.from_settings(settings.housekeeping, moment, older_than)
    refuse = find(tracking, Ledger(settings.ledger_uri).rows(), ages)
    return CleanReport(refuse=refuse if dry_run else remove(tracking, refuse, moment), dry_run=dry_run)
