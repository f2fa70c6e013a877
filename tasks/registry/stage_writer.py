"""Writes the recorded stages to MLflow, and changes made by hand in MLflow to the record.

Every move is recorded in the history before it is made, and noted on the registered model when it is completed. So if
MLflow and the history differ, the reason can be found, under the lock that moves hold:

- the last move on record was not completed: its process was killed, and the move is completed now;
- MLflow refused it because the user lacks a right: it was taken back on record at once, and is not made later;
- it was completed, or another history's move came after it: somebody, or that other history, changed MLflow. That is
  recorded and takes effect (manual_changes.py), so that stage, alias and history agree again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
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
# Noted on a registered model in place of its last completed move, until there is one.
BEGUN = "begun"
# After these decisions a version keeps the tags of the decision before.
KEEPING_TAGS = (DecisionWord.SUPERSEDED, DecisionWord.FOUND)
# Of all models at once so many versions each are read; of a model, so many that are missing then one by one.
NEWEST_OF_ALL, MOST_LACKING = 5, 2
# Reads a model: all its versions, or only those that may have changed.
Look = Callable[[str], ModelView]


class StageWriter:
    """The only class that writes stages; call its methods, except `glance` and `history`, under the model's lock."""

    def __init__(self, mlflow_registry: MlflowRegistry, ledger_uri: str) -> None:
        self._mlflow = mlflow_registry
        self._ledger_uri = ledger_uri

    @cached_property
    def history(self) -> StageHistory:
        """The history of stages, in the ledger's database."""
        return StageHistory(self._ledger_uri)

    def glance(self, model: str, also: Set[int] = frozenset(), state: ModelState | None = None) -> ModelView:
        """A fast look at the versions that may have changed, in MLflow and the history.

        These are the newest in MLflow and in the history, the one on record in Production, those that aliases name, and
        those in `also`. MLflow keeps when a version was last given a stage, by anybody; so a change by hand is among
        the newest, unless many versions were changed after it.

        state: the model's state, if it was just read
        """
        state = state or self._mlflow.state(model)
        versions = {found.version: found for found in self._mlflow.changed(model)} if state.there else {}
        newest = self.history.lately(model, {*versions, *also, *state.aliases.values()})
        view = ModelView(versions=versions, state=state, newest=newest)
        return self._completed(model, view, {*_lacking(view), *(also - versions.keys())})

    def glances(self, states: Mapping[str, ModelState]) -> dict[str, ModelView]:
        """A fast look at every registered model, of which MLflow and the history are each asked at once.

        A version that is not on record, and was not among those of any model that were changed last, is not seen, as
        it is by `glance`; one in Production that is older than those is read by itself.

        states: all models, as just read
        """
        if not states:  # then there may be no ledger either, and none is made
            return {}
        changed = self._mlflow.changed_of_all(NEWEST_OF_ALL * len(states))
        asked = {model: {*changed.get(model, {}), *state.aliases.values()} for model, state in states.items()}
        lines, views = self.history.lately_of(asked, NEWEST_OF_ALL), {}
        for model, state in states.items():
            view = ModelView(versions=changed.get(model, {}), state=state, newest=lines.get(model, ()))
            lacking = _lacking(view)
            # Where other models were changed far more often, it takes fewer reads to look at this one by itself.
            lacks_many = len(lacking) > MOST_LACKING
            views[model] = self.glance(model, state=state) if lacks_many else self._completed(model, view, lacking)
        return views

    def _completed(self, model: str, view: ModelView, lacking: Collection[int]) -> ModelView:
        """The view with the versions that it lacks, as far as MLflow has them."""
        found = [self._mlflow.version(model, number) for number in sorted(lacking) if view.state.there]
        return replace(view, versions={**view.versions, **{each.version: each for each in found if each is not None}})

    def view(self, model: str) -> ModelView:
        """Every version of a model, in MLflow and the history; slow."""
        versions = {found.version: found for found in self._mlflow.versions(model)}
        return ModelView(versions=versions, state=self._mlflow.state(model), newest=self.history.newest(model))

    def settle(self, model: str, at: datetime) -> tuple[ModelView, tuple[str, ...]]:
        """Make MLflow and the history agree; the model then, and sentences that describe changes by hand.

        ConfigurationError where MLflow lacks a model that the history has, as where it belongs to another MLflow.
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
        """Like `settle`, but after a look at every version; finds changes however old they are."""
        notes = self.settle(model, at)[1]
        changes = changes_by_hand(model, self.view(model), at)
        if changes:
            self._follow(changes)
        return (*notes, *describe_changes(changes))

    def make(self, changes: Sequence[StageChange]) -> None:
        """Record a move, and make it; if MLflow refuses, take it back on record and raise ConfigurationError."""
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
        """Record changes by hand, and adapt aliases and tags to them."""
        self._record(changes)
        self._write(changes, self.view)

    def _record(self, changes: Sequence[StageChange]) -> str:
        """Record a move that is about to be made; returns the last completed move."""
        model = changes[0].model
        before = self._mlflow.state(model).moved
        if before is None:
            self._mlflow.done(model, BEGUN)
        self.history.append(changes)
        return before or BEGUN

    def _take_back(self, changes: Sequence[StageChange], before: str, look: Look, why: str) -> None:
        """Record that each version stays where it was.

        If MLflow is unchanged, nothing is left to do: the lines get the id of the last completed move. If a part of the
        move was made, they get a new id, and the next look reverts MLflow.
        """
        found = look(changes[0].model).found
        # A version may have two lines: from the first one's stage by way of another.
        was = {change.version: change.before for change in reversed(changes)}
        meant = {change.version: change.after for change in changes}
        untouched = all(found.get(version, DELETED) == stage for version, stage in was.items())
        move, reasons = before if untouched else new_move(), (f"The move was not made: {why}.",)
        ruling = Ruling(decision=DecisionWord.TAKEN_BACK, reasons=reasons, at=changes[0].at, by=changes[0].by)
        model = changes[0].model
        self.history.append(
            [StageChange.of(ruling, move, model, version, stage, was[version]) for version, stage in meant.items()]
        )

    def _is_ours(self, model: str, move: str | None) -> bool:
        """Whether the last completed move is one of this history, or the history's first move was begun."""
        return move == BEGUN or (move is not None and bool(self.history.move(model, move)))

    def _write(self, changes: Sequence[StageChange], look: Look) -> None:
        """Write what is on record to MLflow, and note that the move of these lines is completed."""
        model = changes[0].model
        there = {version.version: version for version in self._align(model, look)}
        # Of two lines of a version the later one counts.
        for change in {change.version: change for change in changes}.values():
            if change.decision not in KEEPING_TAGS and change.version in there:
                version, ruling = there[change.version], change.ruling
                self._mlflow.tag(model, change.version, {**ruling.tags(), "stage": change.after})
                description = describe_version(ruling, version.tags.get("verdict"))
                self._mlflow.show(version, description, ruling.decision.value)
        self._mlflow.done(model, changes[0].move)

    def _align(self, model: str, look: Look) -> tuple[RegisteredVersion, ...]:
        """Set stages, aliases and the tags `stage` as on record, for the versions that `look` gives; returns these."""
        view = self._transition(model, look)
        versions = tuple(view.versions.values())
        self._point(model)
        for version in versions:
            if "stage" in version.tags and version.tags["stage"] != version.stage:
                self._mlflow.tag(model, version.version, {"stage": version.stage})
        return versions

    def _transition(self, model: str, look: Look) -> ModelView:
        """Set the stages on record until a fresh look shows them; returns that look."""
        for _ in range(HEALING_ROUNDS):
            view = look(model)
            recorded, found = view.recorded, view.found
            wrong = list(differences(found, {number: recorded.get(number, "None") for number in found}))
            if not wrong:
                return view
            # The version that leaves Production goes first: a reader may find none there meanwhile, but never two.
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
        """Let the aliases name the highest versions in their stages."""
        aliases = self._mlflow.state(model).aliases
        for alias, stage in (("production", "Production"), ("staging", "Staging")):
            wanted = self._highest(model, stage, aliases.get(alias))
            if wanted != aliases.get(alias):
                self._mlflow.point(model, alias, wanted)

    def _highest(self, model: str, stage: str, named: int | None) -> int | None:
        """The highest version in a stage on record and in MLflow; the one that the alias names needs no check."""
        for number in self.history.in_stage(model, stage):
            if number == named:
                return number
            found = self._mlflow.version(model, number)
            if found is not None and found.stage == stage:
                return number
        return None


def _lacking(view: ModelView) -> set[int]:
    """The versions that are on record or named by aliases, and were not read yet."""
    on_record = {change.version for change in view.newest if change.after != DELETED}
    return {*on_record, *view.state.aliases.values()} - view.versions.keys()
