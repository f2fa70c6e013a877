"""The registry's errors: each says what is missing and the next step, which depends on the versions there are."""

import shlex
from collections.abc import Sequence

from model.config import PRESETS
from model.errors import ConfigurationError, NothingInProduction, UsageError
from model.evaluation.decision import DecisionWord, Verdict
from tasks.registry.version import RegisteredVersion

# The presets that are proven most often: one network, started afresh or from Production's weights.
MOSTLY_PROVEN = ("anchored", "daily")
# How many of the waiting versions are named, each with why it waits.
SHOWN_WAITING = 2


def nothing_in_production(
    model: str,
    staged: Sequence[RegisteredVersion],
    n_staged: int,
    newest: Sequence[RegisteredVersion],
    gone: int | None = None,
) -> NothingInProduction:
    """The error for a model with no version in Production: what waits in Staging and why, and the next step.

    staged: the highest versions in Staging, highest first; there are `n_staged` in all
    newest: the highest versions in any stage, highest first
    gone:   the version that was in Production last, where it was deleted in MLflow
    """
    there = "no version is in Production"
    if gone is not None:
        there += f": version {gone}, which was there, was deleted in MLflow"
    waiting = [f"version {found.version} waits in Staging, {_why(found)}" for found in staged[:SHOWN_WAITING]]
    if n_staged > SHOWN_WAITING:
        waiting.append(f"{n_staged - SHOWN_WAITING} more, older ones")
    return NothingInProduction(
        model,
        have="\n    ".join([there, *waiting]),
        need="a version in Production; until there is one, the schedule records the naive distribution",
        remedy=_next_step(model, next(iter((*staged, *newest)), None)),
    )


def not_moved(model: str, refused: ConfigurationError) -> ConfigurationError:
    """The error for a move that MLflow refused because the user lacks a right."""
    return ConfigurationError(
        f"the stages of {model}",
        have=refused.have,
        need=refused.need,
        remedy=f"{refused.remedy}; then run the command again: nothing was moved, and nothing will be moved later",
    )


def registered_elsewhere(model: str) -> ConfigurationError:
    """The error for a model on record that MLflow lacks: its version numbers would be given a second time."""
    return ConfigurationError(
        f"model {model}",
        have="the ledger has versions and stages of it on record, but MLflow has no model of that name: it was deleted "
        "or renamed there, or this is another MLflow",
        need="the MLflow and the ledger that belong together",
        remedy="if it was deleted, start it again (version numbers continue after the recorded ones): tomorrow train "
        '--anew "why"; else rename it back, or name the MLflow that it was registered in (tracking.uri, '
        "MLFLOW_TRACKING_URI), or a ledger for this one (ledger.uri, TOMORROW_LEDGER_URI)",
    )


def unknown_version(model: str, number: int, models: Sequence[str], versions: Sequence[int]) -> UsageError:
    """The error for a version that does not exist; it lists those that do."""
    if model not in models:
        return unknown_model(model, models)
    numbers = list(map(str, versions))
    return UsageError(
        f"version {number} of {model}",
        have="no such version",
        need=f"one of {_listed(numbers)}" if numbers else "a version; there is none",
        remedy="correct the number" if numbers else "train one: tomorrow train",
    )


def unknown_model(model: str, models: Sequence[str]) -> UsageError:
    """The error for a model that does not exist; it lists those that do."""
    return UsageError(
        f"model {model!r}",
        have="not registered",
        need=f"one of {_listed(models)}" if models else "a registered model; there is none",
        remedy="correct the name" if models else "train one: tomorrow train",
    )


def _next_step(model: str, version: RegisteredVersion | None) -> str:
    """The command that may bring a version into Production; to force it past the gate is offered last."""
    if version is None:
        return "train one, and let it pass the gate: tomorrow train --preset anchored"
    candidate, decided = version.version, version.tags.get("decision")
    promote = f"tomorrow promote {model} {candidate} --to production"
    if decided == DecisionWord.WAITING:
        return f'tomorrow approve {model} {candidate}, or tomorrow reject {model} {candidate} --reason "..."'
    if decided == DecisionWord.WATCHED:
        return f"the gate only watches (gate.mode: dry_run); set it to enforce, then {promote}"
    if decided == DecisionWord.REFUSED:
        return after_refusal(version)
    return promote


def after_refusal(version: RegisteredVersion) -> str:
    """What to do after a refusal, one way per line: train what could pass, read the reasons, and last, force it."""
    model, number = version.model, version.version
    why = f"read why it was refused: tomorrow history {model}, and docs/gate.md"
    last = f"last, move it past the gate, on record: tomorrow promote {model} {number} --to production --force --reason"
    return ";\n          or ".join((*what_could_pass(version), why, f'{last} "..."'))


def what_could_pass(version: RegisteredVersion) -> tuple[str, ...]:
    """What to try in place of a refused version so that the gate may pass it, best first, each with its command."""
    if version.tags.get("verdict") == Verdict.PROVEN:
        return ("train again later: its configuration is proven; the reasons say what else the version lacks",)
    preset = version.tags.get("preset", "")
    prices, column = _price_options(version), version.tags.get("column", "Open")
    options = prices if column == "Open" else f"{prices} --column {shlex.quote(column)}"
    if preset in MOSTLY_PROVEN:
        return (
            "train it on more history if there is any, or later, since each session adds to the evidence: "
            f"tomorrow train{options} --preset {preset}",
            f"see in which years it has skill: tomorrow backtest{options} --presets {preset}",
        )
    best = MOSTLY_PROVEN[0]
    if "shared" in version.tags:
        return (
            "train it again later, as it was, since each session adds to the evidence",
            f"train it with networks of its own: tomorrow train{options} --preset {best}",
        )
    both = ",".join((preset, best) if preset in PRESETS else (best,))
    return (
        f"train the preset that is proven most often: tomorrow train{options} --preset {best}",
        f"compare presets first: tomorrow backtest{options} --presets {both}",
    )


def _price_options(version: RegisteredVersion) -> str:
    """The options that name the same prices, after a space; empty where they are the defaults."""
    source, ticker = version.tags.get("source"), shlex.quote(version.tags.get("security", ""))
    if source == "sample":
        return " --source sample"
    named = f" --ticker {ticker}" if ticker != "''" else ""
    return f" --source csv{named} --prices FILE" if source == "csv" else named


def _why(version: RegisteredVersion) -> str:
    """Why a version waits: its verdict, else its decision, and the first reason.

    Read from the tags without parsing them, so that a damaged tag does not stop this message.
    """
    said = version.tags.get("verdict") or version.tags.get("decision") or "not decided on"
    return f"{said}: {version.reasons[0]}" if version.reasons else said


def _listed(names: Sequence[str]) -> str:
    """The names, or the first and last of many."""
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, ..., {', '.join(names[-3:])} ({len(names)} in all)"
