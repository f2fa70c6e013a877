"""Reads and writes versions, stages, aliases and tags in MLflow's registry, without any rule about them.

Only `StageWriter` may write stages through it.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from tasks.registry.description import MODEL_DESCRIPTION, OURS
from tasks.registry.version import RegisteredVersion, logged_model_id, read_version, truncate_tag

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

# Tag of a registered model: the last completed move, of whichever history.
MOVED = "x.stages.moved"
# How many of the newest versions are read.
LATELY = 20
# How many registered models, or versions, one answer holds: more would take much memory, and long over HTTP.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class ModelState:
    """What MLflow keeps for a registered model as a whole.

    aliases: alias -> version
    moved:   the last completed move
    changed: when MLflow last noted a change of it, in milliseconds since 1970: also when a version was given a stage
    there:   whether there is a model of that name
    """

    aliases: Mapping[str, int] = field(default_factory=dict)
    moved: str | None = None
    changed: int | None = None
    there: bool = True


class MlflowRegistry:
    """The registered models of one tracking store."""

    def __init__(self, client: "MlflowClient") -> None:
        self._client = client

    def models(self) -> tuple[str, ...]:
        """The names of all registered models."""
        return tuple(self.states())

    def states(self) -> dict[str, ModelState]:
        """Model -> its state."""
        found: dict[str, ModelState] = {}
        token = None
        while True:
            page = self._client.search_registered_models(max_results=PAGE, page_token=token)
            found |= {model.name: _state(model) for model in page}
            token = page.token
            if not token:
                return dict(sorted(found.items()))

    def versions(self, model: str, *conditions: str) -> tuple[RegisteredVersion, ...]:
        """The versions of a model that meet the conditions (MLflow filters), oldest first; none without a model."""
        return tuple(sorted(self._search(model, conditions), key=lambda found: found.version))

    def changed(self, model: str) -> tuple[RegisteredVersion, ...]:
        """The versions that were last made or given a stage, by the time that MLflow keeps for each."""
        return self._first(f"name={quoted(model)}", "last_updated_timestamp DESC", LATELY)

    def changed_of_all(self, most: int) -> dict[str, dict[int, RegisteredVersion]]:
        """Model -> number -> version, of the versions of any model that were last made or given a stage."""
        found: dict[str, dict[int, RegisteredVersion]] = {}
        for version in islice(self._pages("", "last_updated_timestamp DESC"), most):
            found.setdefault(version.model, {})[version.version] = version
        return found

    def newest(self, model: str) -> tuple[RegisteredVersion, ...]:
        """The versions with the highest numbers, highest first."""
        return self._first(f"name={quoted(model)}", "version_number DESC", LATELY)

    def of_runs(self, run_ids: Sequence[str]) -> tuple[RegisteredVersion, ...]:
        """The versions, of any model, that were made from these runs."""
        found: list[RegisteredVersion] = []
        for start in range(0, len(run_ids), LATELY):
            listed = ", ".join(quoted(run_id) for run_id in run_ids[start : start + LATELY])
            found += self._pages(f"run_id IN ({listed})")
        return tuple(found)

    def version(self, model: str, number: int) -> RegisteredVersion | None:
        """One version; None where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return read_version(self._client.get_model_version(model, str(number)))
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
        return None

    def state(self, model: str) -> ModelState:
        """The state of a model; with `there=False` where it does not exist."""
        from mlflow.exceptions import MlflowException

        try:
            # To get the model by its name, MLflow would load every version of it.
            page = self._client.search_registered_models(f"name={quoted(model)}", max_results=1)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return ModelState(there=False)
        return _state(page[0]) if page else ModelState(there=False)

    def create_model(self, model: str) -> None:
        """Make a model, unless there is one of that name."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model, description=MODEL_DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def create_version(self, model: str, run_id: str, model_uri: str, tags: Mapping[str, str]) -> RegisteredVersion:
        """Make the next version of a model from what a run logged."""
        model_id = logged_model_id(model_uri)
        texts = {key: truncate_tag(value) for key, value in tags.items()}
        created = self._client.create_model_version(model, model_uri, run_id, tags=texts, model_id=model_id)
        registered = read_version(created)
        self.link(registered)
        return registered

    def remove(self, model: str, number: int) -> None:
        """Remove a version; its number is never given to another."""
        self._client.delete_model_version(model, str(number))

    def transition(self, model: str, number: int, stage: str) -> None:
        """Give a version a stage; all other versions keep theirs."""
        # MLflow calls stages deprecated; this program promises them to its users.
        warnings.filterwarnings("ignore", message=".*transition_model_version_stage", category=FutureWarning)
        self._client.transition_model_version_stage(model, str(number), stage, archive_existing_versions=False)

    def tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(model, str(number), key, truncate_tag(value))

    def show(self, version: RegisteredVersion, description: str, decision: str) -> None:
        """Show a decision on MLflow's pages: as the version's description, and as a tag of its run.

        It is only shown: a description that a person wrote stays, and the decision holds even if the run is gone or may
        not be written to.
        """
        from mlflow.exceptions import MlflowException

        try:
            if not version.description or version.description.startswith(OURS):
                self._client.update_model_version(version.model, str(version.version), description)
            if version.run_id:
                self._client.set_tag(version.run_id, "decision", decision)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "PERMISSION_DENIED"):
                raise

    def point(self, model: str, alias: str, number: int | None) -> None:
        """Let an alias name a version; with None, delete the alias."""
        if number is None:
            self._client.delete_registered_model_alias(model, alias)
        else:
            self._client.set_registered_model_alias(model, alias, str(number))

    def done(self, model: str, move: str) -> None:
        """Note that a move is completed."""
        self._client.set_registered_model_tag(model, MOVED, move)

    def link(self, version: RegisteredVersion) -> None:
        """Show the version on MLflow's page of the logged model that it was made from, as `register_model` does."""
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

        if version.model_id is not None:
            made = json.dumps([{"name": version.model, "version": version.version}])
            self._client.set_logged_model_tags(version.model_id, {MLFLOW_MODEL_VERSIONS: made})

    def _first(self, wanted: str, order: str, most: int) -> tuple[RegisteredVersion, ...]:
        page = self._client.search_model_versions(wanted, max_results=most, order_by=[order])
        return tuple(read_version(found) for found in page)

    def _search(self, model: str, conditions: Sequence[str]) -> Iterator[RegisteredVersion]:
        return self._pages(" and ".join((f"name={quoted(model)}", *conditions)))

    def _pages(self, wanted: str, *order: str) -> Iterator[RegisteredVersion]:
        token = None
        while True:
            page = self._client.search_model_versions(wanted, PAGE, order_by=list(order), page_token=token)
            yield from (read_version(found) for found in page)
            token = page.token
            if not token:
                return


def _state(model: "RegisteredModel") -> ModelState:
    aliases = {alias: int(version) for alias, version in model.aliases.items()}
    return ModelState(aliases, model.tags.get(MOVED), model.last_updated_timestamp)


def quoted(text: str) -> str:
    """A text quoted for MLflow's searches; one with both kinds of quotes becomes '/', which names nothing."""
    if {"'", '"'} <= set(text):
        return "'/'"
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"
