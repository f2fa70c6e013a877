"""Stages by hand: promote, approve, reject and roll back; and the gate's decision on a version just trained."""

from dataclasses import dataclass, replace

from prefect import flow

from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from flows.runs.final_state import REFUSED, completed
from flows.runs.progress import proof_progress
from flows.runs.story import log_decision, log_proofs, start_run
from flows.runs.wording import decision_sentence
from model.errors import PromotionRefused
from model.evaluation.decision import Decision, DecisionWord, PersonDecision, check_reason, record_person
from tasks.backtest.proofs import KeptProof
from tasks.prefect_tasks import (
    ask_gate_task,
    connect_task,
    decide_task,
    move_task,
    prove_task,
    record_decision_task,
    record_further_task,
    record_proof_task,
    roll_back_task,
)
from tasks.registry.gate import Proofs, champion
from tasks.registry.registry import Registry
from tasks.registry.ruling import Move, Ruling, is_settled, judged, moved, recorded_decision, refusal
from tasks.registry.version import RegisteredVersion, parse_stage
from tasks.settings import read_settings
from tasks.system.cluster.one_of_several import is_one_of_several
from tasks.system.lock import user_name
from tasks.tracking.client import Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionReport:
    """The result of a promotion.

    changed:  whether anything was moved
    archived: the versions that made room in Production
    decision: the gate's; None where it was not asked, since the stage is not Production
    refused:  the error to end with where the gate has refused; None otherwise
    """

    version: RegisteredVersion
    changed: bool
    archived: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    decision: Decision | None = None
    refused: PromotionRefused | None = None


@flow(
    name="promote",
    flow_run_name="promote {model} {version} to {to}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
def promote(model: str, version: int, to: str = "Production", force: bool = False, reason: str = "") -> PromotionReport:
    """Move one version to a stage; nothing is changed where the gate says no, and the run is Completed as Refused.

    Args:
        model: The registered model, such as META-Open.
        version: The number of the version to move.
        to: The stage to move it to: Production, Staging, Archived or None. The gate is asked for Production alone.
        force: Move it into Production even if the gate refuses. It needs a reason.
        reason: Why you do it. It is recorded on the version.
    """
    start_run()
    stage = parse_stage(to)
    if force:
        check_reason("--force", reason)
    settings = read_settings()
    tracking = connect_task(settings)
    registry = Registry(tracking)
    proofs = None
    if stage == "Production" and not _is(champion(registry, model, now()), version):
        proofs = prove_for_gate(tracking, registry.version(model, version))
    with registry.locked(model):
        candidate, current = registry.version(model, version), champion(registry, model, now())
        if stage != "Production" or _is(current, version):
            noted = moved((reason,) if reason else (), at=now(), by=user_name())
            return _report(move_task(registry, model, version, stage, noted))
        decision = ask_gate_task(tracking, candidate, current, now(), proofs)
        if not force:
            if decision.word == DecisionWord.WAITING:
                noted = judged(DecisionWord.WAITING, decision, at=now(), by=user_name())
                return _stays(record_decision_task(registry, candidate, noted), decision)
            if not decision.passed:
                return _stays(candidate, decision, refusal(candidate, decision))
            if not decision.promoted:
                return _stays(candidate, decision)
        word = DecisionWord.PROMOTED if decision.passed else DecisionWord.FORCED
        noted = judged(word, decision, at=now(), by=user_name(), forced=reason if force else None)
        return _report(move_task(registry, model, version, stage, noted), decision)


@flow(name="approve", flow_run_name="approve {model} {version}", persist_result=False)
def approve(model: str, version: int, reason: str = "") -> PromotionReport:
    """Move a version that waits into Production; the gate is asked again, since Production may have changed.

    Args:
        model: The registered model, such as META-Open.
        version: The number of the version that waits.
        reason: Why you approve it. It is needed where the gate refuses, and recorded on the version.
    """
    start_run()
    tracking = connect_task(read_settings())
    registry = Registry(tracking)
    proofs = _prove_waiting(tracking, registry.version(model, version))
    with registry.locked(model):
        _, passed, decision = _ask_person(tracking, registry, model, version, proofs, approved=True, reason=reason)
        noted = judged(DecisionWord.APPROVED, decision, at=now(), by=user_name(), forced=None if passed else reason)
        return _report(move_task(registry, model, version, "Production", noted), decision)


@flow(name="reject", flow_run_name="reject {model} {version}", persist_result=False)
def reject(model: str, version: int, reason: str = "") -> PromotionReport:
    """Record that a person keeps a version that waits out of Production, and why; it stays in its stage.

    Args:
        model: The registered model, such as META-Open.
        version: The number of the version that waits.
        reason: Why you reject it. It is needed, and recorded on the version.
    """
    start_run()
    tracking = connect_task(read_settings())
    registry = Registry(tracking)
    proofs = _prove_waiting(tracking, registry.version(model, version))
    with registry.locked(model):
        waiting, _, decision = _ask_person(tracking, registry, model, version, proofs, approved=False, reason=reason)
        noted = judged(DecisionWord.REJECTED, decision, at=now(), by=user_name())
        rejected = record_decision_task(registry, waiting, noted)
        log_decision(rejected, decision)
        report = PromotionReport(version=rejected, changed=False)
        return completed(report, f"{model} {version} rejected: {reason.strip()}")


@flow(
    name="rollback",
    flow_run_name="roll back {model}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
def rollback(model: str, reason: str) -> PromotionReport:
    """Put the previous version back into Production and archive the present one; the gate is not asked.

    Args:
        model: The registered model, such as META-Open.
        reason: Why you go back. It is needed, and recorded on the version.
    """
    start_run()
    check_reason(f"rollback of {model}", reason)
    ruling = Ruling(decision=DecisionWord.ROLLED_BACK, reasons=(reason.strip(),), at=now(), by=user_name())
    return _report(roll_back_task(Registry(connect_task(read_settings())), model, ruling))


def _is(current: RegisteredVersion | None, version: int) -> bool:
    """Whether the version is the one in Production: what the alias names; a stage set by hand is not enough."""
    return current is not None and current.version == version


def prove_for_gate(tracking: Tracking, version: RegisteredVersion) -> Proofs:
    """The proofs that the gate will ask for; those missing are made now, so that nobody waits for a stage meanwhile."""
    current = champion(Registry(tracking), version.model, now())
    with proof_progress() as show:
        proofs = prove_task(tracking, version, current, now(), show)
    log_proofs(proofs, tracking.settings.gate)
    if proofs.kept is not None:
        record_proof_task(tracking, version, proofs.kept, draw=not is_one_of_several())
    if proofs.further:
        record_further_task(tracking, version, proofs.further)
    return proofs


def consider(
    tracking: Tracking, trained: RegisteredVersion, notes: tuple[str, ...] = ()
) -> tuple[RegisteredVersion, Decision, KeptProof | None]:
    """Ask the gate about a trained version, and put it into Production, or into the stage where versions wait.

    notes: what a person has accepted of its prices, which stays on record

    A decision that is on record stands, and no proof is made. If a previous run was killed before its decision, this
    continues it.
    """
    registry, settings = Registry(tracking), tracking.settings
    model, version = trained.model, trained.version
    trained = registry.version(model, version)
    if trained.stage == "Production" or is_settled(trained):
        return trained, recorded_decision(trained), None
    proofs = prove_for_gate(tracking, trained)
    with registry.locked(model):
        trained = registry.version(model, version)
        if trained.stage == "Production" or is_settled(trained):
            return trained, recorded_decision(trained), proofs.kept
        decision = ask_gate_task(tracking, trained, champion(registry, model, now()), now(), proofs)
        waiting = settings.stages.after_training
        why = (f"Trained, and put into {waiting}.", *(f"Its prices {notes[0]}." for _ in notes[:1]))
        arrival = (waiting, moved(why, at=now(), by="train")) if trained.stage in ("None", waiting) else None
        noted = judged(decision.word, decision, at=now(), by="gate")
        decided = decide_task(registry, model, version, noted, promoted=decision.promoted, by_way_of=arrival)
        return decided, decision, proofs.kept


def _prove_waiting(tracking: Tracking, version: RegisteredVersion) -> Proofs | None:
    """The proofs for a version that waits for a person; None for another, which is refused without any."""
    return prove_for_gate(tracking, version) if version.decision == DecisionWord.WAITING else None


def _ask_person(
    tracking: Tracking,
    registry: Registry,
    model: str,
    version: int,
    proofs: Proofs | None,
    *,
    approved: bool,
    reason: str,
) -> tuple[RegisteredVersion, bool, Decision]:
    """A version that waits, whether the gate passes it now, and the decision with the person's reason added.

    UsageError where the version waits for nobody.
    """
    waiting = registry.version(model, version)
    decision = ask_gate_task(tracking, waiting, champion(registry, model, now()), now(), proofs)
    person = PersonDecision(approved=approved, by=user_name(), reason=reason)
    subject = f"{model} version {version}"
    checks = record_person(subject, waiting.decision, person, decision.checks, decision.passed)
    return waiting, decision.passed, replace(decision, checks=checks)


def _report(move: Move, decision: Decision | None = None) -> PromotionReport:
    log_decision(move.version, decision)
    report = PromotionReport(
        version=move.version, changed=move.changed, archived=move.archived, notes=move.notes, decision=decision
    )
    decided = move.version.tags.get("decision") or "moved"
    return completed(report, f"{move.version.model} {move.version.version} {decided}: in {move.version.stage}")


def _stays(version: RegisteredVersion, decision: Decision, refused: PromotionRefused | None = None) -> PromotionReport:
    log_decision(version, decision, decision.word)
    report = PromotionReport(version=version, changed=False, decision=decision, refused=refused)
    return completed(report, decision_sentence(version, decision), REFUSED if refused else None)
