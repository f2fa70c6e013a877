"""`tomorrow promote`, `approve`, `reject` and `rollback`: their options, calls, JSON and text."""

from typing import TYPE_CHECKING, Annotated

from flows.cli.command import command
from flows.cli.commands.train import gate_phrase
from flows.cli.configuration import prepare
from flows.cli.options import Model, Reason, Version, flag, option
from flows.cli.result import Answer, CommandResult, of
from flows.cli.training_answer import GateAnswer
from model.evaluation.check import text_table
from model.evaluation.decision import DecisionWord, check_reason

if TYPE_CHECKING:
    from flows.promote import PromotionReport


class PromoteAnswer(Answer):
    """The object of `tomorrow promote --json`; the decision is null where the gate was not asked."""

    model: str = of("version.model")
    version: int = of("version.version")
    stage: str = of("version.stage")
    changed: bool
    archived: tuple[int, ...]
    notes: tuple[str, ...]
    decision: GateAnswer | None


@command("tomorrow promote META-Open 3 --to production")
def promote(
    model: Model,
    version: Version,
    to: Annotated[str, option("--to", "STAGE", "staging, production, archived or none.")] = "Production",
    force: Annotated[bool, flag("--force", "Override the gate; needs a --reason, and is recorded.")] = False,
    reason: Reason = "",
) -> CommandResult:
    """Move a version to a stage; into Production only if the gate lets it pass."""
    from tasks.registry.version import parse_stage

    stage = parse_stage(to)
    if force:
        check_reason("--force", reason)
    _check_version(model, version)
    return _run("promote", model=model, version=version, to=stage, force=force, reason=reason)


@command("tomorrow approve META-Open 3")
def approve(model: Model, version: Version, reason: Reason = "") -> CommandResult:
    """Let a version that waits for a person go to Production."""
    _check_version(model, version, waits=True)
    return _run("approve", model=model, version=version, reason=reason)


@command('tomorrow reject META-Open 3 --reason "its intervals are too narrow"')
def reject(model: Model, version: Version, reason: Reason = "") -> CommandResult:
    """Keep a version that waits for a person out of Production."""
    _check_version(model, version, waits=True)
    check_reason(f"{model} version {version}", reason)
    return _run("reject", model=model, version=version, reason=reason)


@command('tomorrow rollback META-Open --reason "its errors have doubled since Monday"')
def rollback(model: Model, reason: Reason = "") -> CommandResult:
    """Give Production back to the version that was there before."""
    check_reason(f"rollback of {model}", reason)
    from flows.runs.clock import now
    from tasks.registry.mistakes import check_rollback

    check_rollback(prepare()[0], model, now())
    return _run("rollback", model=model, reason=reason)


def _check_version(model: str, version: int, *, waits: bool = False) -> None:
    """Look for mistakes before Prefect is started, which takes seconds."""
    from tasks.registry.mistakes import check_version

    check_version(prepare()[0], model, version, waits=waits)


def _run(name: str, **given: object) -> CommandResult:
    """Run one of the flows of flows/promote.py."""
    prepare()
    from tasks.system.prefect_server import orchestrated

    with orchestrated():
        import flows.promote

        return promote_result(getattr(flows.promote, name)(**given))


def promote_result(report: "PromotionReport") -> CommandResult:
    """The command's result, from a promotion; PromotionRefused where the gate has refused it."""
    if report.refused is not None:
        raise report.refused
    return CommandResult(PromoteAnswer.model_validate(report), _text(report))


def _text(report: "PromotionReport") -> str:
    version = report.version
    watched = report.decision is not None and report.decision.word == DecisionWord.WATCHED
    decided = version.headline(DecisionWord.WATCHED if watched and not report.changed else None)
    lines = [f"{decided}{'' if report.changed else ' as before'}."]
    lines += [f"  archived  version {number}" for number in report.archived]
    lines += [f"  note      {note}" for note in report.notes]
    if report.decision is not None:
        forced = "" if report.decision.passed or not report.changed else "; a person decided otherwise"
        lines += [f"  The gate {gate_phrase(report.decision)}{forced}:"]
        lines += text_table(report.decision.checks, "    ")
    return "\n".join(lines)
