"""Stages written in MLflow as they are on record, and changes that were made by hand taken into the record.

Every move is recorded in the history before it is made, and noted on the registered model when it is done. So whoever
finds that MLflow and the history differ can tell why, under the lock that moves hold:

- the last move on record is not done: its process was killed, and the move is completed;
- MLflow refused it for want of a right: it was taken back on record at once, and nobody makes it later;
- it is done, or another history's move came after it: somebody changed MLflow by hand, or the other history did. That
  is recorded and honoured (manual_changes.py), so that stage, alias and history agree again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property, partial

from model.errors import TomorrowError
from model.evaluation.decision import DecisionWord
from tasks.registry.description import describe_version
from tasks.registry.errors import not_moved, registered_elsewhere
from tasks.registry.manual_changes import ModelView, changes_by_hand, describe_changes, differences
from tasks.registry.mlflow_registry import MlflowRegistry, ModelState
from tasks.registry.ruling import Ruling
from tasks.registry.stage_history import DELETED, StageChange, StageHistory, new_move
from tasks.registry.version import RegisteredVersion
from tasks.system.disk_errors import denied

HEALING_ROUNDS = 5
# Stands on a registered model for the last move that is done, until there is one.
BEGUN = "begun"
# By these a version keeps the tags of the decision before.
KEEPING_TAGS = (DecisionWord.SUPERSEDED, DecisionWord.FOUND)
# A look at a model: at every version, or at those that may be in question.
Look = Callable[[str], ModelView]


class StageWriter:
    """The only one that writes stages; all but `glance` and `history` is to be called under the model's lock."""

    def __init__(self, mlflow_registry: MlflowRegistry, ledger_uri: str) -> None:
        self._mlflow = mlflow_registry
        self._ledger_uri = ledger_uri

    @cached_property
    def history(self) -> StageHistory:
        """The history of stages, in the ledger's database."""
        return StageHistory(self._ledger_uri)

    def glance(self, model: str, also: Collection[int] = (), state: ModelState | None = None) -> ModelView:
        """What MLflow and the history have of the versions that may be in question: a look that costs little.

        They are those that MLflow and the history have something new of, the one on record in Production, the one that
        the alias names, and what is asked for `also`. MLflow notes when a version was given a stage, by whomever: so a
        change by hand is among what is new, unless many versions were changed after it. `state` is what is kept on the
        model as a whole, where that was just read.
        """
        state = state or self._mlflow.state(model)
        versions = {found.version: found for found in self._mlflow.changed(model)} if state.there else {}
        newest = self.history.lately(model, {*versions, *also, *state.aliases.values()})
        in_question = {
            *(change.version for change in newest if change.after != DELETED),
            *state.aliases.values(),
            *also,
        }
        for number in sorted(in_question - versions.keys()) if state.there else ():
            found = self._mlflow.version(model, number)
            if found is not None:
                versions[number] = found
        return ModelView(versions=versions, state=state, newest=newest)

    def view(self, model: str) -> ModelView:
        """What MLflow and the history have of every version of a model."""
        versions = {found.version: found for found in self._mlflow.versions(model)}
        return ModelView(versions=versions, state=self._mlflow.state(model), newest=self.history.newest(model))

    def settle(self, model: str, at: datetime) -> tuple[ModelView, tuple[str, ...]]:
        """Bring MLflow and the history to agree; what they have then, and sentences on what was changed by hand.

        ConfigurationError where the history is that of another MLflow.
        """
        view = self.glance(model)
        if view.agrees:
            return view, ()
        view = self.view(model)
        if not view.state.there:
            raise registered_elsewhere(model)
        if view.last_move and view.state.moved != view.last_move and self._is_ours(model, view.state.moved):
            self._write(self.history.move(model, view.last_move), self.view)
            return self.glance(model), ()
        changes = changes_by_hand(model, view, at)
        if changes:
            self._follow(changes)
        elif view.last_move:
            self._align(model, self.view)
            self._mlflow.done(model, view.last_move)
        return self.glance(model), describe_changes(changes)

    def compare(self, model: str, at: datetime) -> tuple[str, ...]:
        """Settle a model after a look at every version, however long ago it was changed; sentences likewise."""
        notes = self.settle(model, at)[1]
        changes = changes_by_hand(model, self.view(model), at)
        if changes:
            self._follow(changes)
        return (*notes, *describe_changes(changes))

    def make(self, changes: Sequence[StageChange]) -> None:
        """Record a move, and make it; ConfigurationError where MLflow refuses it, and it is taken back on record."""
        before = self._record(changes)
        look = partial(self.glance, also={change.version for change in changes})
        try:
            self._write(changes, look)
        except Exception as error:
            refused = denied(error)
            if refused is None:
                raise
            self._take_back(changes, before, look, refused.have)
            raise not_moved(changes[0].model, refused) from error

    def _follow(self, changes: Sequence[StageChange]) -> None:
        """Record what was changed by hand, and let everything agree with it."""
        self._record(changes)
        self._write(changes, self.view)

    def _record(self, changes: Sequence[StageChange]) -> str:
        """Record a move that is not made yet; the one before it, which is done."""
        model = changes[0].model
        before = self._mlflow.state(model).moved
        if before is None:
            self._mlflow.done(model, BEGUN)
        self.history.append(changes)
        return before or BEGUN

    def _take_back(self, changes: Sequence[StageChange], before: str, look: Look, why: str) -> None:
        """Record that each version stays where it was.

        Where MLflow has it so, nothing is left to do: the lines belong to the move that was done before. Where a part
        of the move was made, whoever looks next brings MLflow back.
        """
        found = look(changes[0].model).found
        untouched = all(found.get(change.version, DELETED) == change.before for change in changes)
        move, reasons = before if untouched else new_move(), (f"The move was not made: {why}.",)
        ruling = Ruling(decision=DecisionWord.TAKEN_BACK, reasons=reasons, at=changes[0].at, by=changes[0].by)
        self.history.append(
            [
                StageChange.of(ruling, move, change.model, change.version, change.after, change.before)
                for change in changes
            ]
        )

    def _is_ours(self, model: str, move: str | None) -> bool:
        """Whether the move that is done is a previous one of this history, or its first one was about to be made."""
        return move == BEGUN or (move is not None and bool(self.history.move(model, move)))

    def _write(self, changes: Sequence[StageChange], look: Look) -> None:
        """Make MLflow have what is on record, and note that the last move, of these lines, is done."""
        model = changes[0].model
        there = {version.version: version for version in self._align(model, look)}
        for change in changes:
            if change.decision not in KEEPING_TAGS and change.version in there:
                version, ruling = there[change.version], change.ruling
                self._mlflow.tag(model, change.version, {**ruling.tags(), "stage": change.after})
                description = describe_version(ruling, version.tags.get("verdict"))
                self._mlflow.show(version, description, ruling.decision.value)
        self._mlflow.done(model, changes[0].move)

    def _align(self, model: str, look: Look) -> tuple[RegisteredVersion, ...]:
        """Give what `look` shows the stage on record, the aliases and the tag `stage` too; these versions then."""
        view = self._transition(model, look)
        versions = tuple(view.versions.values())
        self._point(model)
        for version in versions:
            if "stage" in version.tags and version.tags["stage"] != version.stage:
                self._mlflow.tag(model, version.version, {"stage": version.stage})
        return versions

    def _transition(self, model: str, look: Look) -> ModelView:
        """Give the versions the stage on record, until a fresh look shows it; that look."""
        for _ in range(HEALING_ROUNDS):
            view = look(model)
            recorded, found = view.recorded, view.found
            wrong = list(differences(found, {number: recorded.get(number, "None") for number in found}))
            if not wrong:
                return view
            # What makes room goes first: one that looks meanwhile finds none in Production, and never two.
            for number, _before, stage in sorted(wrong, key=lambda change: change[1] != "Production"):
                if stage == DELETED:
                    self._mlflow.remove(model, number)
                else:
                    self._mlflow.transition(model, number, stage)
        raise TomorrowError(
            f"the stages of {model}",
            have=f"another program changed them {HEALING_ROUNDS} times in the meantime",
            need="one program that changes stages at a time",
            remedy="stop the other one, then ask again",
        )

    def _point(self, model: str) -> None:
        """Let the aliases name what is in the stages."""
        aliases = self._mlflow.state(model).aliases
        for alias, stage in (("production", "Production"), ("staging", "Staging")):
            wanted = self._highest(model, stage, aliases.get(alias))
            if wanted != aliases.get(alias):
                self._mlflow.point(model, alias, wanted)

    def _highest(self, model: str, stage: str, named: int | None) -> int | None:
        """The highest version on record in a stage that MLflow has there; one that an alias names is there."""
        for number in self.history.in_stage(model, stage):
            if number == named:
                return number
            found = self._mlflow.version(model, number)
            if found is not None and found.stage == stage:
                return number
        return None
