"""The registry of versions: what is registered, in which stage, by whose decision. Nobody else writes stages.

The stages are MLflow's own. Beside them stand the aliases `production` and `staging`, each one atomic pointer, and
on every version that was moved here the tag `stage`. What a version is in is told apart so:

- Production: at most one version. The alias is the fact that forecasts follow; stage and tag agree with it once a
  move is over. A version that is superseded is archived.
- Staging: any number of versions wait here; nothing is moved that nobody asked to move. The alias names the one
  with the highest number, as `models:/NAME/Staging` does.

MLflow's own transition lets two versions into Production when two promoters race. Hence a move holds a lock between
all processes on one state directory, reads again what it wrote, and heals it to exactly one. A move that was killed
half-way is completed by asking for it again.
"""

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from model.errors import TomorrowError, UsageError
from tasks.lock import locked
from tasks.settings import Settings, Stage
from tasks.version import (
    Move,
    RegisteredVersion,
    Ruling,
    cut,
    disagreements,
    highest,
    nothing_in_production,
    read_version,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

HEALING_ROUNDS = 5
LOOKS = 3
SECONDS_BETWEEN_LOOKS = 0.5


class Registry:
    """The registered models of one tracking store."""

    def __init__(self, client: "MlflowClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def locked(self, model: str) -> AbstractContextManager[None]:
        """Hold the model's stages still, to read, decide and move as one step; `move` may be called within it.

        The lock belongs to the thread, and reaches as far as the state directory does: whoever promotes on one
        server from several machines is kept to one Production version by the alias and the healing alone.
        """
        return locked(self._settings, f"registry-{model}")

    def register(
        self, model: str, *, run_id: str, model_uri: str, tags: Mapping[str, str] | None = None
    ) -> RegisteredVersion:
        """Register a run's model as the next version, in stage None; a run that was registered before keeps its own."""
        with self.locked(model):
            self._create_model(model)
            for known in self.versions(model):
                if (known.run_id, known.source) == (run_id, model_uri):
                    return known
            model_id = model_uri.removeprefix("models:/") if model_uri.startswith("models:/m-") else None
            created = self._client.create_model_version(
                model,
                model_uri,
                run_id,
                tags={key: cut(value) for key, value in {**(tags or {}), "stage": "None"}.items()},
                model_id=model_id,
            )
            if model_id:
                self._link(model_id, created)
            return read_version(created)

    def models(self) -> tuple[str, ...]:
        """The names of all registered models."""
        names, token = [], None
        while True:
            page = self._client.search_registered_models(page_token=token)
            names += [found.name for found in page]
            token = page.token
            if not token:
                return tuple(sorted(names))

    def versions(self, model: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, oldest first; none for a model that does not exist."""
        return tuple(sorted(self._search(model), key=lambda found: found.version))

    def version(self, model: str, number: int) -> RegisteredVersion:
        """One version; UsageError says which models or versions there are."""
        from mlflow.exceptions import MlflowException

        try:
            return read_version(self._client.get_model_version(model, str(number)))
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
        known = self.models()
        if model not in known:
            raise UsageError(
                f"model {model!r}",
                have="not registered",
                need=f"one of {_listed(known)}" if known else "a registered model; there is none",
                remedy="correct the name" if known else "train one: tomorrow train",
            )
        numbers = [str(found.version) for found in self.versions(model)]
        raise UsageError(
            f"version {number} of {model}",
            have="no such version",
            need=f"one of {_listed(numbers)}" if numbers else "a version; there is none",
            remedy="correct the number" if numbers else "train one: tomorrow train",
        )

    def production(self, model: str) -> RegisteredVersion:
        """The version in Production, by its alias; its notes say where MLflow's stages tell otherwise."""
        for attempt in range(LOOKS):
            number = self._aliases(model).get("production")
            versions = {found.version: found for found in self.versions(model)}
            marked = [found.version for found in versions.values() if found.stage == "Production"]
            if number in versions and marked == [number]:
                return versions[number]
            if attempt < LOOKS - 1 and (number or marked):
                # They differ for a moment while another process moves a version.
                time.sleep(SECONDS_BETWEEN_LOOKS)
        if number is None or number not in versions:
            raise nothing_in_production(model, tuple(versions.values()), marked)
        return replace(versions[number], notes=disagreements(versions[number], marked))

    def record(self, version: RegisteredVersion, ruling: Ruling) -> RegisteredVersion:
        """Note a decision on a version that stays where it is."""
        with self.locked(version.model):
            self._tag(version.model, version.version, ruling.tags())
        return self.version(version.model, version.version)

    def move(self, model: str, number: int, stage: Stage, ruling: Ruling) -> Move:
        """Put a version into a stage, with the decision noted on it; what it supersedes in Production is archived.

        A version that is there already stays as it is, its earlier decision too, and the move says so.
        """
        with self.locked(model):
            target = self.version(model, number)
            if target.stage == stage and self._agrees(target):
                note = f"Version {number} of {model} is in {stage} already."
                return Move(version=target, before=stage, archived=(), changed=False, notes=(note,))
            named = self._aliases(model).get("production")
            self._tag(model, number, ruling.tags())
            self._transition(model, number, stage)
            self._tag(model, number, {"stage": stage})
            archived = self._archive_others(model, number) if stage == "Production" else ()
            self._point_aliases(model, number)
            return Move(
                version=self.version(model, number),
                before=target.stage,
                archived=archived,
                changed=True,
                notes=tuple(
                    f"Version {other} of {model} had the stage Production without the alias, and is archived too."
                    for other in archived
                    if other != named
                ),
            )

    def remove(self, model: str, number: int) -> None:
        """Remove a version; UsageError where it is in Production or Staging, or an alias names it."""
        with self.locked(model):
            target = self.version(model, number)
            if target.stage in ("Production", "Staging") or number in self._aliases(model).values():
                raise UsageError(
                    f"version {number} of {model}",
                    have=f"it is in {target.stage}",
                    need="a version that nobody uses",
                    remedy="move it to Archived first",
                )
            self._client.delete_model_version(model, str(number))

    def _agrees(self, version: RegisteredVersion) -> bool:
        """Whether aliases and tags tell of the version what its stage tells."""
        aliases = self._aliases(version.model)
        versions = self.versions(version.model)
        rivals = [found for found in versions if found.stage == "Production" and found.version != version.version]
        if version.stage == "Production" and rivals:
            return False
        is_named = aliases.get("production") == version.version
        return (
            version.tags.get("stage") == version.stage
            and is_named == (version.stage == "Production")
            and aliases.get("staging") == highest(versions, "Staging")
        )

    def _archive_others(self, model: str, number: int) -> tuple[int, ...]:
        """Archive whatever else is in Production, until a fresh look shows version `number` alone."""
        archived: list[int] = []
        for _ in range(HEALING_ROUNDS):
            there = [found.version for found in self.versions(model) if found.stage == "Production"]
            if there == [number]:
                return tuple(archived)
            if number not in there:
                self._transition(model, number, "Production")
            for other in there:
                if other != number:
                    # The tag first: killed between the two, the version is found in Production still, and archived.
                    self._tag(model, other, {"stage": "Archived"})
                    self._transition(model, other, "Archived")
                    archived.append(other)
        raise TomorrowError(
            f"Production of {model}",
            have=f"another program moved it away from version {number} {HEALING_ROUNDS} times meanwhile",
            need="one program that changes stages at a time",
            remedy="stop the other one, then ask again",
        )

    def _point_aliases(self, model: str, moved: int) -> None:
        """Let the aliases name what is in the stages after `moved` was moved."""
        versions, aliases = self.versions(model), self._aliases(model)
        production = aliases.get("production")
        if moved == production or any(found.version == moved and found.stage == "Production" for found in versions):
            production = highest(versions, "Production")
        for alias, wanted in (("production", production), ("staging", highest(versions, "Staging"))):
            if wanted == aliases.get(alias):
                continue
            if wanted is None:
                self._client.delete_registered_model_alias(model, alias)
            else:
                self._client.set_registered_model_alias(model, alias, str(wanted))

    def _transition(self, model: str, number: int, stage: Stage) -> None:
        # The stages are this program's contract with its users, deprecated or not.
        warnings.filterwarnings("ignore", message=".*transition_model_version_stage", category=FutureWarning)
        self._client.transition_model_version_stage(model, str(number), stage, archive_existing_versions=False)

    def _tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._client.set_model_version_tag(model, str(number), key, cut(value))

    def _create_model(self, model: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _link(self, model_id: str, created: "ModelVersion") -> None:
        """Let MLflow's page of the logged model name the version that was made of it, as its own `register_model`."""
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

        made = [{"name": created.name, "version": created.version}]
        self._client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(made)})

    def _aliases(self, model: str) -> dict[str, int]:
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_registered_model(model).aliases
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return {}
        return {alias: int(version) for alias, version in found.items()}

    def _search(self, model: str) -> Iterator[RegisteredVersion]:
        quote = '"' if "'" in model else "'"
        token = None
        while True:
            page = self._client.search_model_versions(f"name={quote}{model}{quote}", page_token=token)
            yield from (read_version(found) for found in page)
            token = page.token
            if not token:
                return


def _listed(names: "list[str] | tuple[str, ...]") -> str:
    """The names, or the first and last of many."""
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, ..., {', '.join(names[-3:])} ({len(names)} in all)"
