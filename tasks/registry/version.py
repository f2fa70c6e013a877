"""A registered version, the decision kept on it, and what a move did: the registry's values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from model.errors import ConfigurationError, NothingInProduction, UsageError
from model.evaluation.gate import NO_SKILL, Decision
from tasks.settings import Stage

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# MLflow takes longer texts in places, but not in every store that it can be given.
LONGEST_TAG = 5000
# How many trainings its weights come from: 0 for one that started afresh.
GENERATION = "generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model, as it was when it was read.

    run_id: the MLflow run it came from
    source: where its artefact lies, `models:/m-...`
    tags:   what is noted on it, the decision and its reasons among them
    notes:  what is odd about it, for a person to read
    """

    model: str
    version: int
    stage: Stage
    run_id: str
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """What people call it: its number, and `no skill` if it was judged and does not beat the naive forecasts."""
        return f"version {self.version}{' (no skill)' if self.tags.get('skill') == NO_SKILL else ''}"

    @property
    def model_uri(self) -> str:
        """The address by which MLflow loads it out of the registry."""
        return f"models:/{self.model}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision on a version, as it is kept on it.

    decision: promoted, refused, watched, waiting, approved, rejected, forced, moved, rolled back, superseded, by hand
    reasons:  sentences, the gate's or a person's
    at, by:   when (with its time zone) and by whom
    forced:   why the gate was overridden, where it was
    skill:    against the naive forecasts, or `none`; None where nothing was judged
    """

    decision: str
    reasons: tuple[str, ...]
    at: datetime
    by: str
    forced: str | None = None
    skill: str | None = None

    def tags(self) -> dict[str, str]:
        """The tags that keep it, in the order to set them; an empty text where there is nothing to say."""
        skill = {} if self.skill is None else {"skill": self.skill}
        return {
            **skill,
            "decision.reasons": "\n".join(self.reasons),
            "decision.at": self.at.isoformat(timespec="seconds"),
            "decision.by": self.by,
            "decision.forced": self.forced or "",
            # Last: where a process was killed between them, the decision is not there yet, and is made again.
            "decision": self.decision,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a move did: `version` as it is now, the stage it had `before`, and the versions it `archived`."""

    version: RegisteredVersion
    before: Stage
    archived: tuple[int, ...]
    changed: bool
    notes: tuple[str, ...] = ()


def parse_stage(text: str) -> Stage:
    """The stage that a person means, in whatever case."""
    stages: tuple[Stage, ...] = get_args(Stage)
    for stage in stages:
        if stage.casefold() == text.strip().casefold():
            return stage
    raise UsageError(
        f"stage {text!r}", have="no stage of that name", need=f"one of {', '.join(stages)}", remedy="choose one of them"
    )


def read_version(found: "ModelVersion") -> RegisteredVersion:
    """What MLflow says of a version: its number is a text or a whole number, its source and run may be missing."""
    return RegisteredVersion(
        model=found.name,
        version=int(found.version),
        stage=parse_stage(found.current_stage or "None"),
        run_id=found.run_id or "",
        source=found.source or "",
        tags=dict(found.tags),
    )


def start_of(version: RegisteredVersion) -> dict[str, Any]:
    """What programs are told of a version's start, from its tags."""
    tags = version.tags
    parent = tags.get("started_from")
    return {
        "generation": int(tags.get(GENERATION, "0")),
        "version": int(parent.rpartition("/")[2]) if parent else None,
        "run_id": tags.get("started_from.run_id"),
        "reason": tags.get("start", ""),
    }


def is_settled(version: RegisteredVersion) -> bool:
    """Whether the gate has decided on a version; a kill may come before."""
    decision, by = version.tags.get("decision", ""), version.tags.get("decision.by", "")
    # Until the gate has spoken, the record is that of the move into the stage where versions wait for it.
    return bool(decision) and not (decision == "moved" and by in ("train", "gate"))


def recorded_decision(version: RegisteredVersion) -> Decision:
    """The decision that is on record for a version, be it the gate's or a person's."""
    word = version.tags.get("decision", "")
    promoted = word in ("promoted", "approved", "forced") or (word == "moved" and version.stage == "Production")
    return Decision(
        passed=word in ("promoted", "approved", "watched"),
        verdict="promoted" if promoted else "waiting" if word == "waiting" else "refused",
        skill=version.tags.get("skill", ""),
        reasons=tuple(version.tags.get("decision.reasons", "").splitlines()),
    )


def cut(text: str) -> str:
    """The text within what MLflow keeps of a tag; one that is cut says so."""
    if len(text) <= LONGEST_TAG:
        return text
    note = f" ... (cut: {len(text)} characters)"
    return text[: LONGEST_TAG - len(note)] + note


def highest(versions: tuple[RegisteredVersion, ...], stage: str) -> int | None:
    """The highest version number in a stage, if there is any."""
    return max((found.version for found in versions if found.stage == stage), default=None)


def nothing_in_production(model: str, versions: tuple[RegisteredVersion, ...]) -> NothingInProduction:
    """The error for a model without a version to follow, with the next step that its versions suggest."""
    remedy = "train one, and let it pass the gate: tomorrow train"
    if versions:
        candidate = highest(versions, "Staging") or versions[-1].version
        remedy = f"tomorrow promote {model} {candidate} --to production"
    return NothingInProduction(model, have="no version is in Production", need="a version in Production", remedy=remedy)


def registered_elsewhere(model: str) -> ConfigurationError:
    """The error for a model that is on record, and not in MLflow: its numbers would be given out a second time."""
    return ConfigurationError(
        f"model {model}",
        have="the ledger has versions and stages of it on record, and MLflow has no model of that name",
        need="the MLflow and the ledger that belong together",
        remedy="name the MLflow that it was registered in (tracking.uri, MLFLOW_TRACKING_URI), or a ledger for this "
        "one (ledger.uri, TOMORROW_LEDGER_URI)",
    )


def unknown_version(
    model: str, number: int, models: tuple[str, ...], versions: tuple[RegisteredVersion, ...]
) -> UsageError:
    """The error for a version that does not exist, with those that do."""
    if model not in models:
        return unknown_model(model, models)
    numbers = [str(found.version) for found in versions]
    return UsageError(
        f"version {number} of {model}",
        have="no such version",
        need=f"one of {_listed(numbers)}" if numbers else "a version; there is none",
        remedy="correct the number" if numbers else "train one: tomorrow train",
    )


def unknown_model(model: str, models: tuple[str, ...]) -> UsageError:
    """The error for a model that does not exist, with those that do."""
    return UsageError(
        f"model {model!r}",
        have="not registered",
        need=f"one of {_listed(models)}" if models else "a registered model; there is none",
        remedy="correct the name" if models else "train one: tomorrow train",
    )


def _listed(names: "list[str] | tuple[str, ...]") -> str:
    """The names, or the first and last of many."""
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, ..., {', '.join(names[-3:])} ({len(names)} in all)"
