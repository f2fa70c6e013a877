"""Approve and reject: a person's word on a version that waits for one, since the gate's mode is manual."""

from dataclasses import replace

from prefect import flow

from flows.promote import PromotionReport, connect, judge, judged, move, record
from flows.runs.clock import now
from model.evaluation.decision import DecisionWord, PersonDecision, record_person
from model.evaluation.gate import Decision
from tasks.prefect_tasks import start_timing
from tasks.registry.gate import champion
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import read_settings
from tasks.system.lock import user_name


@flow(name="approve", flow_run_name="approve {model} {version}", persist_result=False)
def approve(model: str, version: int, reason: str = "") -> PromotionReport:
    """Move a version that waits into Production; the gate is asked again, since Production may have changed."""
    start_timing()
    settings = read_settings()
    tracking = connect(settings)
    registry = Registry(tracking)
    with registry.locked(model):
        waiting = registry.version(model, version)
        decision = judge(tracking.client, waiting, champion(registry, model, now()), settings.gate)
        settled = _settled(waiting, decision, PersonDecision(approved=True, by=user_name(), reason=reason))
        noted = judged(DecisionWord.APPROVED, settled, forced=None if decision.passed else reason)
        done = move(registry, model, version, "Production", noted)
        return PromotionReport(
            version=done.version, changed=done.changed, archived=done.archived, notes=done.notes, decision=settled
        )


@flow(name="reject", flow_run_name="reject {model} {version}", persist_result=False)
def reject(model: str, version: int, reason: str = "") -> PromotionReport:
    """Note on a version that waits that it is not to go to Production, by whom and why; it stays in its stage."""
    start_timing()
    settings = read_settings()
    tracking = connect(settings)
    registry = Registry(tracking)
    with registry.locked(model):
        waiting = registry.version(model, version)
        decision = judge(tracking.client, waiting, champion(registry, model, now()), settings.gate)
        settled = _settled(waiting, decision, PersonDecision(approved=False, by=user_name(), reason=reason))
        return PromotionReport(version=record(registry, waiting, judged(DecisionWord.REJECTED, settled)), changed=False)


def _settled(waiting: RegisteredVersion, decision: Decision, person: PersonDecision) -> Decision:
    """The gate's decision with the person's word among its reasons; UsageError where the version waits for nobody."""
    subject = f"{waiting.model} version {waiting.version}"
    reasons = record_person(subject, waiting.decision, person, decision.reasons, decision.passed)
    return replace(decision, reasons=reasons)
