"""Rollback: the way back, in one step and on record, without asking the gate."""

from prefect import flow

from flows.alarms import alarm_failure
from flows.clock import now
from flows.promote import PromotionReport, connect
from flows.steps import start_timing, step
from model.errors import UsageError
from tasks.provenance import user_name
from tasks.register import Registry
from tasks.settings import read_settings
from tasks.stage_history import ROLLED_BACK
from tasks.version import Ruling

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
    ruling = Ruling(decision=ROLLED_BACK, reasons=(reason.strip(),), at=now(), by=user_name())
    done = roll_back(Registry(connect(settings), settings), model, ruling)
    return PromotionReport(version=done.version, changed=done.changed, archived=done.archived, notes=done.notes)
