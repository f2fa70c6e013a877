"""A registered version as MLflow has it; only this module reads its tags' texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from model.errors import ConfigurationError, UsageError, did_you_mean
from model.evaluation.decision import DecisionWord, FurtherVerdict, HorizonVerdict, Verdict, verdicts
from tasks.settings import Stage

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# Characters. Some of MLflow's stores take longer texts, but not all.
LONGEST_TAG = 5000
# Tag: how many earlier trainings its weights come from; 0 for a fresh start.
GENERATION = "generation"
STARTED_FROM = "started_from"
# Tag: the run with the proof of a training's configuration. Tags for programs alone begin with `x.`, so that MLflow's
# pages list them last.
PROVEN_BY = "x.proof.run"
# Tag: the run of the version that it was started from.
STARTED_FROM_RUN = "x.started_from.run_id"
# Tags: the newest session that its training knew; the key, which is the same for identical trainings.
AS_OF, KEY = "as_of", "x.key"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model, as it was when it was read.

    run_id:      the MLflow run it came from
    source:      the address of its artefact, `models:/m-...`
    tags:        its tags, the decision and its reasons among them
    notes:       sentences for the user, as on changes by hand
    description: the text on its page in MLflow

    Tags are read through properties; these raise ConfigurationError where the text is damaged.
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
        """Its name for people: the number, and the verdict on its skill."""
        return named(self.version, self.tags.get("verdict"))

    @property
    def preset(self) -> str | None:
        """The preset that it was trained with, and changes to that; None without the tag."""
        return self.tags.get("preset")

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on its configuration's skill when the gate was asked; None where it was not."""
        return self._parse("verdict", Verdict, f"one of {', '.join(Verdict)}")

    @property
    def evidence(self) -> float | None:
        """The odds that its configuration has skill; None where the gate was not asked."""
        return self._parse("evidence", float, "a number")

    @property
    def further(self) -> dict[int, FurtherVerdict]:
        """Sessions ahead -> what was known of its skill at each horizon beyond the next session that was judged."""
        found = {}
        for ahead in sorted(int(key[8:]) for key in self.tags if key.startswith("verdict.") and key[8:].isdecimal()):
            verdict = self._parse(f"verdict.{ahead}", Verdict, f"one of {', '.join(Verdict)}")
            evidence = self._parse(f"evidence.{ahead}", float, "a number")
            if verdict is not None and evidence is not None:
                found[ahead] = FurtherVerdict(verdict, evidence)
        return found

    @property
    def horizons(self) -> tuple[HorizonVerdict, ...]:
        """The verdict on each of its horizons, that on the next session first."""
        return verdicts(self.verdict, self.evidence, self.further)

    def headline(self, decided: str | None = None) -> str:
        """Its decision, or `decided`, and its stage: `META-Open version 12 (no skill): refused, in Staging`."""
        word = decided or self.tags.get("decision") or "not decided on"
        return f"{self.model} {self.named}: {word}, in {self.stage}"

    @property
    def model_uri(self) -> str:
        """Its address in MLflow's registry."""
        return f"models:/{self.model}/{self.version}"

    @property
    def model_id(self) -> str | None:
        """MLflow's id of the logged model that it was made from; None where it was made from something else."""
        return logged_model_id(self.source)

    @property
    def decision(self) -> DecisionWord | None:
        """The newest decision on it; None where there is none."""
        return self._parse("decision", DecisionWord, f"one of {', '.join(DecisionWord)}")

    @property
    def decided_by(self) -> str:
        """Who decided that; empty where unknown."""
        return self.tags.get("decision.by", "")

    @property
    def decided_in(self) -> str | None:
        """The stage that this program gave it by that decision; None where nothing was decided."""
        return self.tags.get("stage") if self.tags.get("decision") else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of that decision."""
        return tuple(self.tags.get("decision.reasons", "").splitlines())

    @property
    def generation(self) -> int:
        """How many trainings before its own its weights come from."""
        return self._parse(GENERATION, _count, "a whole number") or 0

    @property
    def started_from(self) -> int | None:
        """The version that it was started from; None for a fresh start."""
        return self._parse(STARTED_FROM, lambda text: _count(text.rpartition("/")[2]), "MODEL/NUMBER")

    @property
    def as_of(self) -> date | None:
        """The newest session that its training knew."""
        return self._parse(AS_OF, date.fromisoformat, "a date such as 2020-01-31")

    def _parse(self, tag: str, parse: Callable[[str], T], need: str) -> T | None:
        """The parsed value of a tag; None where it is missing or empty."""
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
    """A version's name for people: `version 3 (proven)`."""
    return f"version {number}{f' ({verdict})' if verdict else ''}"


def logged_model_id(model_uri: str) -> str | None:
    """The id in the address of a logged model, `models:/m-...`; None for any other address."""
    return model_uri.removeprefix("models:/") if model_uri.startswith("models:/m-") else None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def read_version(found: "ModelVersion") -> RegisteredVersion:
    """A version from MLflow's, whose number is text or int, and whose source and run may be missing."""
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
    """The stage that a person typed, in any case; UsageError where there is none of that name."""
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
    """Where a version's training started, for JSON output."""
    return {
        "generation": version.generation,
        "version": version.started_from,
        "run_id": version.tags.get(STARTED_FROM_RUN),
        "reason": version.tags.get("start", ""),
    }


def truncate_tag(text: str) -> str:
    """The text, cut to the length that MLflow stores of a tag, with a note of the cut."""
    if len(text) <= LONGEST_TAG:
        return text
    note = f" ... (cut: {len(text)} characters)"
    return text[: LONGEST_TAG - len(note)] + note
