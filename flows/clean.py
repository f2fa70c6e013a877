"""Clean: remove old things that neither a stage nor the ledger refers to."""

from dataclasses import dataclass

from prefect import flow

from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from flows.runs.final_state import completed
from flows.runs.story import log_cleaned, start_run
from tasks.operations.expired import Ages, Expired
from tasks.prefect_tasks import compare_task, connect_task, find_expired_task, mark_lasting_task, remove_task
from tasks.settings import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """What was removed, or would be, with `dry_run`; `notes` on changes by hand that were noticed."""

    refuse: tuple[Expired, ...]
    dry_run: bool
    notes: tuple[str, ...]


@flow(name="clean", persist_result=False, on_failure=[alarm_failure], on_crashed=[alarm_failure])
def clean(older_than: int | None = None, dry_run: bool = False) -> CleanReport:
    """Remove versions, runs, prices and logs that are older than mlflow.yaml says, or than the given days.

    Args:
        older_than: Remove what is older than this many days. None: the ages in mlflow.yaml.
        dry_run: Only list what would be removed.
    """
    start_run()
    settings, moment = read_settings(), now()
    tracking = connect_task(settings)
    ages = Ages.from_settings(settings.housekeeping, moment, older_than)
    notes = compare_task(tracking, moment)
    found = find_expired_task(tracking, ages)
    refuse = found.expired
    if not dry_run:
        mark_lasting_task(tracking, found.lasting)
        refuse = remove_task(tracking, refuse, moment)
    log_cleaned(refuse, notes, dry_run=dry_run)
    report = CleanReport(refuse=refuse, dry_run=dry_run, notes=notes)
    return completed(report, f"{len(refuse)} expired things {'would be removed' if dry_run else 'removed'}")
