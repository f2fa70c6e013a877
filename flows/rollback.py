"""Rollback: the way back, in one step and on record, without asking the gate."""

from prefect import flow

from flows.promote import PromotionReport, connect
from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from model.errors import UsageError
from model.evaluation.decision import DecisionWord
from tasks.prefect_tasks import start_timing, step
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import read_settings
from tasks.system.lock import user_name

roll_back = step(Registry.roll_back, "roll back")


@flow(
    name="rollback",
    flow_run_name="roll back {model}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
def rollback(model: str, reason: str) -> PromotionReport:
    """Give Production to the version that was there before the present one, which is archived."""
    start_timing()
    if not reason.strip():
        raise UsageError(
            f"rollback of {model}",
            have="no reason",
            need="a reason, which stays on record for whoever asks later",
            remedy='add --reason "..."',
        )
    settings = read_settings()
    ruling = Ruling(decision=DecisionWord.ROLLED_BACK, reasons=(reason.strip(),), at=now(), by=user_name())
    done = roll_back(Registry(connect(settings)), model, ruling)
    return PromotionReport(version=done.version, changed=done.changed, archived=done.archived, notes=done.notes)
