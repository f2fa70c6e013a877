"""The registry of versions: what is registered, in which stage, by whose decision. Nobody else writes stages.

The stages are MLflow's own. Beside them stand the aliases `production` and `staging`, each one atomic pointer, and
on every version that was moved here the tag `stage`. What a version is in is told apart so:

- Production: at most one version, and stage, alias and tag agree on it. A version that is superseded is archived.
- Staging: any number of versions wait here. The alias names the one with the highest number, as
  `models:/NAME/Staging` does.

MLflow moves one version at a time. While one takes another's place the stage is empty for a moment, and the alias names
the old version until it names the new one.

Every move is recorded in the history (stage_history.py) before it is made, and noted on the registered model when it
is done. So whoever finds that MLflow and the history differ can tell why, under the lock that moves hold:

- the last move on record is not done: its process was killed, and the move is completed;
- it is done, or another history's move came after it: somebody changed MLflow by hand. That is recorded and honoured
  (adopt.py), so that stage, alias and history agree again.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from model.errors import TomorrowError, UsageError
from tasks.registry.manual_changes import (
    Standing,
    changes_by_hand,
    differences,
    first_changes,
    production_of,
    superseded,
    told,
)
from tasks.registry.mlflow_registry import RegistryStore
from tasks.registry.stage_history import DELETED, SUPERSEDED, StageChange, StageHistory, new_move, way_back
from tasks.registry.version import (
    Move,
    RegisteredVersion,
    Ruling,
    highest,
    nothing_in_production,
    registered_elsewhere,
    unknown_version,
)
from tasks.settings import Stage
from tasks.system.lock import locked
from tasks.tracking.client import Tracking

if TYPE_CHECKING:
    pass

HEALING_ROUNDS = 5
# Stands on a registered model for the last move that is done, until there is one.
BEGUN = "begun"


class Registry:
    """The registered models of one tracking store, and their history."""

    def __init__(self, tracking: Tracking) -> None:
        self._store = RegistryStore(tracking.client)
        self._settings = tracking.settings

    @cached_property
    def history(self) -> StageHistory:
        """The history of stages, in the ledger's database."""
        return StageHistory(self._settings.ledger_uri)

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
            self._store.create_model(model)
            for known in self.of_run(model, run_id):
                if known.source == model_uri:
                    return known
            return self._store.create_version(model, run_id, model_uri, {**(tags or {}), "stage": "None"})

    def link(self, version: RegisteredVersion) -> None:
        """Let MLflow's page of the logged model name the version that was made of it."""
        self._store.link(version)

    def models(self) -> tuple[str, ...]:
        """The names of all registered models."""
        return self._store.models()

    def versions(self, model: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, oldest first; none for a model that does not exist."""
        return self._store.versions(model)

    def of_run(self, model: str, run_id: str) -> tuple[RegisteredVersion, ...]:
        """The versions that were made of a run: one, or none."""
        return self._store.versions(model, f"run_id='{run_id}'")

    def tagged(self, model: str, key: str, value: str) -> tuple[RegisteredVersion, ...]:
        """The versions of a model that have a tag, oldest first."""
        return self._store.versions(model, f"tags.`{key}` = '{value}'")

    def version(self, model: str, number: int) -> RegisteredVersion:
        """One version; UsageError says which models or versions there are."""
        found = self._store.version(model, number)
        if found is None:
            raise unknown_version(model, number, self.models(), self.versions(model))
        return found

    def production(self, model: str, at: datetime) -> RegisteredVersion:
        """The version in Production at the time `at`, which is now; NothingInProduction says what to do.

        What was changed by hand in MLflow is recorded and followed; the version's notes say so, once.
        """
        look = self._look(model)
        notes: tuple[str, ...] = ()
        if not look.agrees:
            # They differ for a moment while another process moves a version, too: only the lock tells.
            with self.locked(model):
                look, notes = self._settle(model, at)
        number = look.alias
        if number is None or number not in look.versions:
            raise nothing_in_production(model, tuple(look.versions.values()))
        return replace(look.versions[number], notes=notes)

    def settle(self, model: str, at: datetime) -> tuple[str, ...]:
        """Record what was changed by hand in MLflow, and complete what was left half done; sentences on it."""
        if self._look(model).agrees:
            return ()
        with self.locked(model):
            return self._settle(model, at)[1]

    def record(self, version: RegisteredVersion, ruling: Ruling) -> RegisteredVersion:
        """Note a decision on a version that stays where it is."""
        model, number = version.model, version.version
        with self.locked(model):
            self._settle(model, ruling.at)
            stage = self.version(model, number).stage
            self._make([StageChange.of(ruling, new_move(), model, number, stage, stage)])
        return self.version(model, number)

    def note(self, version: RegisteredVersion, tags: Mapping[str, str]) -> None:
        """Set tags on a version that are no decision on its stage."""
        self._store.tag(version.model, version.version, tags)

    def move(self, model: str, number: int, stage: Stage, ruling: Ruling) -> Move:
        """Put a version into a stage, with the decision noted on it; what it supersedes in Production is archived.

        A version that is there already stays as it is, its earlier decision too, and the move says so.
        """
        with self.locked(model):
            look, notes = self._settle(model, ruling.at)
            target = self.version(model, number)
            if target.stage == stage:
                note = f"Version {number} of {model} is in {stage} already."
                return Move(version=target, before=stage, archived=(), changed=False, notes=(*notes, note))
            move, before = new_move(), production_of(look.recorded)
            changes = [StageChange.of(ruling, move, model, number, target.stage, stage)]
            if stage == "Production" and before is not None:
                making_room = superseded(number, ruling)
                changes.append(StageChange.of(making_room, move, model, before, "Production", "Archived"))
            self._make(changes)
            archived = tuple(change.version for change in changes[1:])
            moved = self.version(model, number)
            return Move(version=moved, before=target.stage, archived=archived, changed=True, notes=notes)

    def remove(self, model: str, number: int, ruling: Ruling) -> None:
        """Delete a version, on record; UsageError where it is in Production or Staging."""
        with self.locked(model):
            self._settle(model, ruling.at)
            stage = self.version(model, number).stage
            if stage in ("Production", "Staging"):
                raise UsageError(
                    f"version {number} of {model}",
                    have=f"it is in {stage}",
                    need="a version that nobody uses",
                    remedy="move it to Archived first",
                )
            self._make([StageChange.of(ruling, new_move(), model, number, stage, DELETED)])

    def once_in_production(self, model: str) -> set[int]:
        """The versions that are or were in Production, as far as there is a history."""
        return {change.version for change in self.history.changes(model) if change.after == "Production"}

    def roll_back(self, model: str, ruling: Ruling) -> Move:
        """Give Production to the version that was there before the present one, in one step.

        NothingInProduction where there is none now; UsageError where there was none before.
        """
        with self.locked(model):
            current = self.production(model, ruling.at)
            there = {version.version for version in self.versions(model)} - {current.version}
            before = [number for number in way_back(self.history.changes(model)) if number in there]
            if not before:
                raise UsageError(
                    f"{model} version {current.version}",
                    have="no version that was in Production before it is on record, or is there still",
                    need="one to go back to",
                    remedy=f"tomorrow promote {model} VERSION --to production; tomorrow history {model} lists them",
                )
            move = self.move(model, before[0], "Production", ruling)
            return replace(move, notes=(*current.notes, *move.notes))

    def _look(self, model: str) -> Standing:
        versions = {found.version: found for found in self.versions(model)}
        return Standing(versions=versions, state=self._store.state(model), newest=self.history.newest(model))

    def _settle(self, model: str, at: datetime) -> tuple[Standing, tuple[str, ...]]:
        """Bring MLflow and the history to agree, and say what was changed by hand; to be called under the lock.

        ConfigurationError where the history is that of another MLflow.
        """
        look = self._look(model)
        if look.last_move is None and look.versions:
            look = self._begin_history(model, look)
        if look.agrees:
            return look, ()
        if not look.state.there:
            raise registered_elsewhere(model)
        if look.last_move and look.state.moved != look.last_move and self._is_ours(model, look.state.moved):
            self._write(self.history.move(model, look.last_move))
            return self._look(model), ()
        changes = changes_by_hand(model, look, at)
        if changes:
            self._make(changes)
        else:
            self._write(look.newest[-1:])
        return self._look(model), told(changes)

    def _begin_history(self, model: str, look: Standing) -> Standing:
        move = new_move()
        changes = first_changes(model, tuple(look.versions.values()), move)
        if not changes:
            return look
        # Noted first: what MLflow says otherwise than these lines was then changed by hand, and is honoured.
        self._store.done(model, move)
        self.history.append(changes)
        return self._look(model)

    def _is_ours(self, model: str, move: str | None) -> bool:
        """Whether the move that is done is an earlier one of this history, or its first one was about to be made."""
        return move == BEGUN or (move is not None and bool(self.history.move(model, move)))

    def _make(self, changes: Sequence[StageChange]) -> None:
        """Record a move, and make it."""
        model = changes[0].model
        if self._store.state(model).moved is None:
            self._store.done(model, BEGUN)
        self.history.append(changes)
        self._write(changes)

    def _write(self, changes: Sequence[StageChange]) -> None:
        """Make MLflow say what is on record, and note that the last move, of these lines, is done."""
        if not changes:
            return
        model = changes[0].model
        recorded = {change.version: change.after for change in self.history.newest(model)}
        versions = self._transition(model, recorded)
        self._point(model, versions)
        for version in versions:
            if "stage" in version.tags and version.tags["stage"] != version.stage:
                self._store.tag(model, version.version, {"stage": version.stage})
        for change in changes:
            if change.decision != SUPERSEDED and any(change.version == version.version for version in versions):
                self._store.tag(model, change.version, {**change.ruling.tags(), "stage": change.after})
        self._store.done(model, changes[0].move)

    def _transition(self, model: str, recorded: Mapping[int, str]) -> tuple[RegisteredVersion, ...]:
        """Give every version the stage on record, until a fresh look shows it; all of them then."""
        for _ in range(HEALING_ROUNDS):
            versions = self.versions(model)
            found = {version.version: version.stage for version in versions}
            wanted = {number: recorded.get(number, "None") for number in found}
            wrong = list(differences(found, wanted))
            if not wrong:
                return versions
            # What makes room goes first: one that looks meanwhile finds none in Production, and never two.
            for number, _before, stage in sorted(wrong, key=lambda change: change[1] != "Production"):
                if stage == DELETED:
                    self._store.remove(model, number)
                else:
                    self._store.transition(model, number, stage)
        raise TomorrowError(
            f"the stages of {model}",
            have=f"another program changed them {HEALING_ROUNDS} times meanwhile",
            need="one program that changes stages at a time",
            remedy="stop the other one, then ask again",
        )

    def _point(self, model: str, versions: tuple[RegisteredVersion, ...]) -> None:
        """Let the aliases name what is in the stages."""
        aliases = self._store.state(model).aliases
        for alias, stage in (("production", "Production"), ("staging", "Staging")):
            wanted = highest(versions, stage)
            if wanted != aliases.get(alias):
                self._store.point(model, alias, wanted)
