"""Promote: move a version to a stage; into Production through the gate, or past it on record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect import flow

from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from model.errors import PromotionRefused, UsageError
from model.evaluation.gate import Decision
from tasks.prefect_tasks import start_timing, step
from tasks.registry.gate import ask_gate, champion
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion, Ruling, parse_stage, recorded_decision
from tasks.settings import read_settings
from tasks.system.lock import user_name
from tasks.tracking.client import Tracking, open_tracking

if TYPE_CHECKING:
    pass

connect = step(open_tracking, "connect")
judge = step(ask_gate, "ask the gate")
move = step(Registry.move, "move")
record = step(Registry.record, "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionReport:
    """What a promotion came to.

    changed:  whether anything was moved
    archived: the versions that made room in Production
    decision: the gate's; None where it was not asked, since the stage is not Production
    """

    version: RegisteredVersion
    changed: bool
    archived: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    decision: Decision | None = None


@flow(
    name="promote",
    flow_run_name="promote {model} {version} to {to}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
def promote(model: str, version: int, to: str = "Production", force: bool = False, reason: str = "") -> PromotionReport:
    """Move one version to a stage; PromotionRefused, and nothing changed, where the gate says no."""
    start_timing()
    stage = parse_stage(to)
    _demand_reason(force, reason)
    settings = read_settings()
    tracking = connect(settings)
    registry = Registry(tracking)
    with registry.locked(model):
        candidate, current = registry.version(model, version), champion(registry, model, now())
        # A stage that was set by hand is not enough: what the alias names is in Production, and nothing else.
        is_there = current is not None and current.version == version
        if stage != "Production" or is_there:
            done = move(registry, model, version, stage, moved((reason,) if reason else ()))
            return PromotionReport(version=done.version, changed=done.changed, archived=done.archived, notes=done.notes)
        decision = judge(tracking.client, candidate, current, settings.gate)
        if decision.verdict == "waiting" and not force:
            waiting = record(registry, candidate, judged("waiting", decision))
            return PromotionReport(version=waiting, changed=False, decision=decision)
        if not decision.passed and not force:
            raise _refusal(candidate, decision)
        if not decision.promoted and not force:
            return PromotionReport(version=candidate, changed=False, decision=decision)
        noted = judged("promoted" if decision.passed else "forced", decision, forced=reason if force else None)
        done = move(registry, model, version, stage, noted)
        return PromotionReport(
            version=done.version, changed=done.changed, archived=done.archived, notes=done.notes, decision=decision
        )


def consider(tracking: Tracking, trained: RegisteredVersion) -> tuple[RegisteredVersion, Decision]:
    """Put a newly trained version where trained versions wait, and move it on if the gate lets it pass.

    Where that was begun and killed, it is gone on with.
    """
    registry = Registry(tracking)
    model, version = trained.model, trained.version
    with registry.locked(model):
        trained = registry.version(model, version)
        if trained.stage == "Production":
            # Somebody was faster, and has decided.
            return trained, recorded_decision(trained)
        waiting = tracking.settings.stages.after_training
        if trained.stage in ("None", waiting):
            move(registry, model, version, waiting, moved((f"Trained, and put into {waiting}.",), by="train"))
        decision = judge(tracking.client, trained, champion(registry, model, now()), tracking.settings.gate)
        noted = judged(decision.verdict, decision, by="gate")
        if decision.promoted:
            return move(registry, model, version, "Production", noted).version, decision
        return record(registry, registry.version(model, version), noted), decision


def _demand_reason(force: bool, reason: str) -> None:
    if force and not reason.strip():
        raise UsageError(
            "--force",
            have="no reason",
            need="a reason, which stays on the version for whoever asks later",
            remedy='add --reason "..."',
        )


def judged(word: str, decision: Decision, *, by: str | None = None, forced: str | None = None) -> Ruling:
    """The record of a decision that the gate was asked for."""
    return Ruling(
        decision=word,
        reasons=decision.reasons,
        at=now(),
        by=by or user_name(),
        forced=forced,
        skill=decision.skill,
    )


def moved(reasons: tuple[str, ...], *, by: str | None = None) -> Ruling:
    """The record of a move that the gate has no say in."""
    return Ruling(decision="moved", reasons=reasons, at=now(), by=by or user_name())


def _refusal(candidate: RegisteredVersion, decision: Decision) -> PromotionRefused:
    return PromotionRefused(
        f"{candidate.model} version {candidate.version}",
        have=" ".join(decision.failures),
        need="a version that beats the naive forecast and the version in Production on the same sessions",
        remedy='train a better one, or say why it should go all the same: --force --reason "..."',
        reasons=list(decision.reasons),
    )
