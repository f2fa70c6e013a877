"""Stages written in MLflow as they are on record, and changes that were made by hand taken into the record.

Every move is recorded in the history before it is made, and noted on the registered model when it is done. So whoever
finds that MLflow and the history differ can tell why, under the lock that moves hold:

- the last move on record is not done: its process was killed, and the move is completed;
- it is done, or another history's move came after it: somebody changed MLflow by hand, or the other history did. That
  is recorded and honoured (manual_changes.py), so that stage, alias and history agree again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property

from model.errors import TomorrowError
from model.evaluation.decision import DecisionWord
from tasks.registry.errors import registered_elsewhere
from tasks.registry.manual_changes import ModelView, changes_by_hand, describe_changes, differences
from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.stage_history import DELETED, StageChange, StageHistory
from tasks.registry.version import RegisteredVersion, highest

HEALING_ROUNDS = 5
# Stands on a registered model for the last move that is done, until there is one.
BEGUN = "begun"
# By these a version keeps the tags of the decision before.
KEEPING_TAGS = (DecisionWord.SUPERSEDED, DecisionWord.FOUND)


class StageWriter:
    """The only one that writes stages; all but `view` and `history` is to be called under the model's lock."""

    def __init__(self, mlflow_registry: MlflowRegistry, ledger_uri: str) -> None:
        self._mlflow = mlflow_registry
        self._ledger_uri = ledger_uri

    @cached_property
    def history(self) -> StageHistory:
        """The history of stages, in the ledger's database."""
        return StageHistory(self._ledger_uri)

    def view(self, model: str) -> ModelView:
        """What MLflow and the history have of a model now."""
        versions = {found.version: found for found in self._mlflow.versions(model)}
        return ModelView(versions=versions, state=self._mlflow.state(model), newest=self.history.newest(model))

    def settle(self, model: str, at: datetime) -> tuple[ModelView, tuple[str, ...]]:
        """Bring MLflow and the history to agree; what they have then, and sentences on what was changed by hand.

        ConfigurationError where the history is that of another MLflow.
        """
        view = self.view(model)
        if view.agrees:
            return view, ()
        if not view.state.there:
            raise registered_elsewhere(model)
        if view.last_move and view.state.moved != view.last_move and self._is_ours(model, view.state.moved):
            self._write(self.history.move(model, view.last_move))
            return self.view(model), ()
        changes = changes_by_hand(model, view, at)
        if changes:
            self.make(changes)
        elif view.last_move:
            self._align(model)
            self._mlflow.done(model, view.last_move)
        return self.view(model), describe_changes(changes)

    def make(self, changes: Sequence[StageChange]) -> None:
        """Record a move, and make it."""
        model = changes[0].model
        if self._mlflow.state(model).moved is None:
            self._mlflow.done(model, BEGUN)
        self.history.append(changes)
        self._write(changes)

    def _is_ours(self, model: str, move: str | None) -> bool:
        """Whether the move that is done is a previous one of this history, or its first one was about to be made."""
        return move == BEGUN or (move is not None and bool(self.history.move(model, move)))

    def _write(self, changes: Sequence[StageChange]) -> None:
        """Make MLflow have what is on record, and note that the last move, of these lines, is done."""
        model = changes[0].model
        there = {version.version for version in self._align(model)}
        for change in changes:
            if change.decision not in KEEPING_TAGS and change.version in there:
                self._mlflow.tag(model, change.version, {**change.ruling.tags(), "stage": change.after})
        self._mlflow.done(model, changes[0].move)

    def _align(self, model: str) -> tuple[RegisteredVersion, ...]:
        """Give every version the stage on record, the aliases and the tag `stage` too; all versions then."""
        recorded = {change.version: change.after for change in self.history.newest(model)}
        versions = self._transition(model, recorded)
        self._point(model, versions)
        for version in versions:
            if "stage" in version.tags and version.tags["stage"] != version.stage:
                self._mlflow.tag(model, version.version, {"stage": version.stage})
        return versions

    def _transition(self, model: str, recorded: Mapping[int, str]) -> tuple[RegisteredVersion, ...]:
        """Give every version the stage on record, until a fresh look shows it; all of them then."""
        for _ in range(HEALING_ROUNDS):
            versions = self._mlflow.versions(model)
            found = {version.version: version.stage for version in versions}
            wanted = {number: recorded.get(number, "None") for number in found}
            wrong = list(differences(found, wanted))
            if not wrong:
                return versions
            # What makes room goes first: one that looks meanwhile finds none in Production, and never two.
            for number, _before, stage in sorted(wrong, key=lambda change: change[1] != "Production"):
                if stage == DELETED:
                    self._mlflow.remove(model, number)
                else:
                    self._mlflow.transition(model, number, stage)
        raise TomorrowError(
            f"the stages of {model}",
            have=f"another program changed them {HEALING_ROUNDS} times meanwhile",
            need="one program that changes stages at a time",
            remedy="stop the other one, then ask again",
        )

    def _point(self, model: str, versions: tuple[RegisteredVersion, ...]) -> None:
        """Let the aliases name what is in the stages."""
        aliases = self._mlflow.state(model).aliases
        for alias, stage in (("production", "Production"), ("staging", "Staging")):
            wanted = highest(versions, stage)
            if wanted != aliases.get(alias):
                self._mlflow.point(model, alias, wanted)
