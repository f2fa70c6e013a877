"""A registered version, as MLflow has it, and what its tags say: read here, and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from model.errors import ConfigurationError, UsageError, did_you_mean
from model.evaluation.decision import DecisionWord, Verdict
from tasks.settings import Stage

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# MLflow takes longer texts in places, but not in every store that it can be given.
LONGEST_TAG = 5000
# How many trainings its weights come from: 0 for one that started afresh.
GENERATION = "generation"
STARTED_FROM = "started_from"
# The run that keeps the proof of a training's configuration. What is for programs alone begins with `x.`, so that
# MLflow's pages list it last.
PROVEN_BY = "x.proof.run"
# The run of the version that it was started from.
STARTED_FROM_RUN = "x.started_from.run_id"
# The newest session that its training knew, and what two trainings have in common that are the same.
AS_OF, KEY = "as_of", "x.key"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model, as it was when it was read.

    run_id: the MLflow run it came from
    source: where its artefact lies, `models:/m-...`
    tags:   what is noted on it, the decision and its reasons among them
    notes:  what is odd about it, for a person to read
    description: what MLflow's page says of it first

    What a tag says is a property here; ConfigurationError where its text was damaged.
    """

    model: str
    version: int
    stage: Stage
    run_id: str
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    description: str = ""

    @property
    def named(self) -> str:
        """What people call it: its number, and what is known of its skill."""
        return named(self.version, self.tags.get("verdict"))

    @property
    def preset(self) -> str | None:
        """The preset that it was trained with, and what was changed of it; None where nothing says so."""
        return self.tags.get("preset")

    @property
    def verdict(self) -> Verdict | None:
        """What was known of its configuration's skill when the gate was asked; None where it was not."""
        return self._parse("verdict", Verdict, f"one of {', '.join(Verdict)}")

    @property
    def evidence(self) -> float | None:
        """The odds that its configuration has skill; None where the gate was not asked."""
        return self._parse("evidence", float, "a number")

    def headline(self, decided: str | None = None) -> str:
        """What was decided on it, or is now, and its stage: `META-Open version 12 (no skill): refused, in Staging`."""
        word = decided or self.tags.get("decision") or "not decided on"
        return f"{self.model} {self.named}: {word}, in {self.stage}"

    @property
    def model_uri(self) -> str:
        """The address by which MLflow loads it out of the registry."""
        return f"models:/{self.model}/{self.version}"

    @property
    def model_id(self) -> str | None:
        """MLflow's id of the logged model that it was made of; None where it was made of something else."""
        return logged_model_id(self.source)

    @property
    def decision(self) -> DecisionWord | None:
        """What was decided on it last; None where nothing was."""
        return self._parse("decision", DecisionWord, f"one of {', '.join(DecisionWord)}")

    @property
    def decided_by(self) -> str:
        """By whom that was decided."""
        return self.tags.get("decision.by", "")

    @property
    def decided_in(self) -> str | None:
        """The stage into which this program put it by that decision; None where nothing was decided."""
        return self.tags.get("stage") if self.tags.get("decision") else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of that decision."""
        return tuple(self.tags.get("decision.reasons", "").splitlines())

    @property
    def generation(self) -> int:
        """How many trainings its weights come from, before its own."""
        return self._parse(GENERATION, _count, "a whole number") or 0

    @property
    def started_from(self) -> int | None:
        """The version that it was started from; None for a start from the beginning."""
        return self._parse(STARTED_FROM, lambda text: _count(text.rpartition("/")[2]), "MODEL/NUMBER")

    @property
    def as_of(self) -> date | None:
        """The newest session that its training knew."""
        return self._parse(AS_OF, date.fromisoformat, "a date such as 2020-01-31")

    def _parse(self, tag: str, parse: Callable[[str], T], need: str) -> T | None:
        """What a tag says; None where there is none, or an empty one."""
        text = self.tags.get(tag, "")
        if not text:
            return None
        try:
            return parse(text)
        except ValueError:
            raise ConfigurationError(
                f"tag {tag!r} of {self.model} version {self.version}",
                have=repr(text),
                need=need,
                remedy="correct the tag on the version's page in MLflow, or delete it there: it then counts as not set",
            ) from None


def named(number: int, verdict: str | None) -> str:
    """What people call a version: `version 3 (proven)`."""
    return f"version {number}{f' ({verdict})' if verdict else ''}"


def logged_model_id(model_uri: str) -> str | None:
    """The id in the address of a logged model, `models:/m-...`; None in any other address."""
    return model_uri.removeprefix("models:/") if model_uri.startswith("models:/m-") else None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def read_version(found: "ModelVersion") -> RegisteredVersion:
    """What MLflow says of a version: its number is a text or a whole number, its source and run may be missing."""
    return RegisteredVersion(
        model=found.name,
        version=int(found.version),
        stage=parse_stage(found.current_stage or "None"),
        run_id=found.run_id or "",
        source=found.source or "",
        tags=dict(found.tags),
        description=found.description or "",
    )


def parse_stage(text: str) -> Stage:
    """The stage that a person means, in whatever case."""
    stages: tuple[Stage, ...] = get_args(Stage)
    for stage in stages:
        if stage.casefold() == text.strip().casefold():
            return stage
    raise UsageError(
        f"stage {text!r}",
        have=f"no stage of that name{did_you_mean(text, stages)}",
        need=f"one of {', '.join(stages)}",
        remedy="name one of them with --to",
    )


def start_of(version: RegisteredVersion) -> dict[str, Any]:
    """Where a version's training started, as programs get it."""
    return {
        "generation": version.generation,
        "version": version.started_from,
        "run_id": version.tags.get(STARTED_FROM_RUN),
        "reason": version.tags.get("start", ""),
    }


def truncate_tag(text: str) -> str:
    """The text within what MLflow keeps of a tag; one that is cut says so."""
    if len(text) <= LONGEST_TAG:
        return text
    note = f" ... (cut: {len(text)} characters)"
    return text[: LONGEST_TAG - len(note)] + note
