"""The registry of versions: which there are, in which stage, and by whose decision.

The stages are MLflow's own. In addition there are the aliases `production` and `staging`, each an atomic pointer, and
the tag `stage` of every version that this program moved. The stages mean:

- Production: at most one version, and stage, alias and tag agree on it. The version that it replaces is archived.
- Staging: any number of versions wait here. The alias names the one with the highest number, as
  `models:/NAME/Staging` does.

MLflow moves one version at a time. While one replaces another, no version has the stage Production for a moment, and
the alias goes directly from the old version to the new one. How moves are written, and completed after a kill:
stage_writer.py.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from model.errors import NothingInProduction, UsageError
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.registry.errors import SHOWN_WAITING, nothing_in_production, unknown_version
from tasks.registry.manual_changes import ModelView, production_of, superseded
from tasks.registry.mlflow_registry import MlflowRegistry, ModelState
from tasks.registry.ruling import Move, Ruling, as_judged
from tasks.registry.stage_history import DELETED, StageChange, StageHistory, new_move, way_back, way_of
from tasks.registry.stage_writer import StageWriter
from tasks.registry.version import KEY, RegisteredVersion
from tasks.settings import Stage
from tasks.system.lock import locked
from tasks.tracking.client import Tracking


class Registry:
    """The registered models of one tracking store, and their history."""

    def __init__(self, tracking: Tracking) -> None:
        self._mlflow = MlflowRegistry(tracking.client)
        self._settings = tracking.settings
        self._writer = StageWriter(self._mlflow, tracking.settings.ledger_uri)

    @property
    def history(self) -> StageHistory:
        """The history of stages, in the ledger's database."""
        return self._writer.history

    def locked(self, model: str) -> AbstractContextManager[None]:
        """Lock the model's stages, to read, decide and move as one step; `move` may be called meanwhile.

        The lock belongs to the thread. If the ledger is on PostgreSQL, it holds among all who share the ledger, on
        whatever machine; otherwise among the processes on the state directory.
        """
        return locked(self._settings, f"registry-{model}", among=self._settings.ledger_uri)

    def register(
        self, model: str, *, run_id: str, model_uri: str, tags: Mapping[str, str] | None = None
    ) -> RegisteredVersion:
        """Register a run's model as the next version, in stage None; a run that has a version keeps that one.

        The ledger records which artefact it was made from; only such versions are loaded. A version that somebody else
        made from the artefact does not count.
        """
        with self.locked(model):
            self._mlflow.create_model(model)
            for known in self.of_run(model, run_id):
                if known.source == model_uri and self.complete(known):
                    return known
            on_record = self._highest_on_record(model)
            made = self._mlflow.create_version(model, run_id, model_uri, {**(tags or {}), "stage": "None"})
            while made.version <= on_record:  # after begin_anew MLflow counts from 1 again
                self._mlflow.remove(model, made.version)
                made = self._mlflow.create_version(model, run_id, model_uri, {**(tags or {}), "stage": "None"})
            self.complete(made)
            return made

    def begin_anew(self, model: str, ruling: Ruling) -> None:
        """Start again a model that was deleted in MLflow: the ruling records its versions as deleted.

        Numbers continue after the highest on record. UsageError where MLflow has the model, or nothing is on record.
        """
        with self.locked(model):
            view = self._writer.view(model)
            if view.state.there or not self._highest_on_record(model):
                raise UsageError(
                    f"model {model}",
                    have="MLflow has it, so there is nothing to start again"
                    if view.state.there
                    else "no version of it is on record, so none was deleted",
                    need="a model that was deleted in MLflow",
                    remedy="leave --anew out",
                )
            self._mlflow.create_model(model)
            move = new_move()
            there = [change for change in view.newest if change.after != DELETED]
            changes = [StageChange.of(ruling, move, model, line.version, line.after, DELETED) for line in there]
            if changes:
                self._writer.make(changes)

    def _highest_on_record(self, model: str) -> int:
        """The highest version number ever given; 0 where there was none."""
        return max(self.history.highest(model), KeptFiles(self._settings.ledger_uri).highest(model))

    def complete(self, version: RegisteredVersion) -> Trained | None:
        """The training behind a version that was registered here; None for any other, which is never loaded.

        If a kill came before the ledger recorded the version, it is recorded now, provided that it is the first made
        from the artefact of a training here, with that training's model, run and key.
        """
        kept, key = KeptFiles(self._settings.ledger_uri), version.tags.get(KEY, "")
        return kept.register(version.model_uri, version.source, version.run_id, key)

    def link(self, version: RegisteredVersion) -> None:
        """Show the version on MLflow's page of the logged model that it was made from."""
        self._mlflow.link(version)

    def models(self) -> tuple[str, ...]:
        """The names of all registered models."""
        return self._mlflow.models()

    def states(self) -> dict[str, ModelState]:
        """Model -> its state."""
        return self._mlflow.states()

    def versions(self, model: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, oldest first; none for a model that does not exist."""
        return self._mlflow.versions(model)

    def of_run(self, model: str, run_id: str) -> tuple[RegisteredVersion, ...]:
        """The versions of a model that were made from a run; normally one, or none."""
        return self._mlflow.versions(model, f"run_id='{run_id}'")

    def of_runs(self, run_ids: Sequence[str]) -> tuple[RegisteredVersion, ...]:
        """The versions, of any model, that were made from these runs."""
        return self._mlflow.of_runs(run_ids)

    def newest(self, model: str) -> tuple[RegisteredVersion, ...]:
        """The versions with the highest numbers, highest first."""
        return self._mlflow.newest(model)

    def tagged(self, model: str, key: str, value: str) -> tuple[RegisteredVersion, ...]:
        """The versions of a model that have a tag, oldest first."""
        return self._mlflow.versions(model, f"tags.`{key}` = '{value}'")

    def version(self, model: str, number: int) -> RegisteredVersion:
        """One version; UsageError, which lists those that exist, where there is none."""
        found = self._mlflow.version(model, number)
        if found is None:
            raise unknown_version(model, number, self.models(), [known.version for known in self.versions(model)])
        return self._as_judged(found)

    def find(self, model: str, number: int) -> RegisteredVersion | None:
        """One version; None where there is none."""
        found = self._mlflow.version(model, number)
        return None if found is None else self._as_judged(found)

    def views(self, states: Mapping[str, ModelState]) -> dict[str, ModelView]:
        """Every registered model, of which `states` were just read, in MLflow and the history."""
        return self._writer.glances(states)

    def production(self, model: str, at: datetime, view: ModelView | None = None) -> RegisteredVersion:
        """The version in Production; NothingInProduction, with what to do, where there is none.

        Changes by hand in MLflow are recorded and take effect; the version's notes say so, once.

        at:   the time now
        view: the model, if it was just read
        """
        view = view or self._writer.glance(model)
        notes: tuple[str, ...] = ()
        if not view.agrees:
            # They also differ while another process moves a version; under the lock that cannot be the reason.
            with self.locked(model):
                view, notes = self._writer.settle(model, at)
        number = view.alias
        if number is None or number not in view.versions:
            raise self._nothing_in_production(model)
        return replace(self._as_judged(view.versions[number], view.newest), notes=notes)

    def settle(self, model: str, at: datetime) -> tuple[str, ...]:
        """Record changes by hand in MLflow, and complete an interrupted move; sentences that describe the changes."""
        if self._writer.glance(model).agrees:
            return ()
        with self.locked(model):
            return self._writer.settle(model, at)[1]

    def compare(self, model: str, at: datetime) -> tuple[str, ...]:
        """Like `settle`, but after a look at every version, which is slow."""
        with self.locked(model):
            return self._writer.compare(model, at)

    def record(self, version: RegisteredVersion, ruling: Ruling) -> RegisteredVersion:
        """Record a decision on a version that keeps its stage; the version as it is then."""
        return self.decide(version.model, version.version, ruling, promoted=False, by_way_of=None)

    def note(self, version: RegisteredVersion, tags: Mapping[str, str]) -> None:
        """Set tags of a version that do not concern its stage."""
        self._mlflow.tag(version.model, version.version, tags)

    def move(self, model: str, number: int, stage: Stage, ruling: Ruling) -> Move:
        """Put a version into a stage and note the decision on it; a version that it replaces in Production is archived.

        A version that already has that stage keeps its previous decision, and the move's notes say so.
        """
        with self.locked(model):
            view, notes = self._writer.settle(model, ruling.at)
            target = self.version(model, number)
            if target.stage == stage:
                note = f"Version {number} of {model} is in {stage} already."
                return Move(version=target, before=stage, archived=(), changed=False, notes=(*notes, note))
            change = StageChange.of(ruling, new_move(), model, number, target.stage, stage)
            archived, moved = self._make([change], view), self.version(model, number)
            return Move(version=moved, before=target.stage, archived=archived, changed=True, notes=notes)

    def decide(
        self, model: str, number: int, ruling: Ruling, *, promoted: bool, by_way_of: tuple[Stage, Ruling] | None
    ) -> RegisteredVersion:
        """Record a decision, and move the version into Production if it is `promoted`, all in one step.

        by_way_of: a stage that it comes into first, with the ruling for that line of the history
        """
        with self.locked(model):
            view, _ = self._writer.settle(model, ruling.at)
            move, stage = new_move(), self.version(model, number).stage
            waiting, why = by_way_of or (stage, ruling)
            changes = [] if waiting == stage else [StageChange.of(why, move, model, number, stage, waiting)]
            changes.append(StageChange.of(ruling, move, model, number, waiting, "Production" if promoted else waiting))
            self._make(changes, view)
            return self.version(model, number)

    def _make(self, changes: Sequence[StageChange], view: ModelView) -> tuple[int, ...]:
        """Make a version's move; the version that it replaces in Production, if any, is archived and returned."""
        last, there = changes[-1], production_of(view.recorded)
        if last.after != "Production" or there is None or there == last.version:
            self._writer.make(changes)
            return ()
        room = superseded(last.version, last.ruling)
        self._writer.make([*changes, StageChange.of(room, last.move, last.model, there, "Production", "Archived")])
        return (there,)

    def remove(self, model: str, number: int, ruling: Ruling) -> None:
        """Delete a version, on record; UsageError where it is in Production or Staging."""
        with self.locked(model):
            self._writer.settle(model, ruling.at)
            stage = self.version(model, number).stage
            if stage in ("Production", "Staging"):
                raise UsageError(
                    f"version {number} of {model}",
                    have=f"it is in {stage}",
                    need="a version that is not in use",
                    remedy="move it to Archived first",
                )
            self._writer.make([StageChange.of(ruling, new_move(), model, number, stage, DELETED)])

    def once_in_production(self, model: str) -> set[int]:
        """The versions that are or were in Production, by the history."""
        return self.history.once_in(model, "Production")

    def roll_back(self, model: str, ruling: Ruling) -> Move:
        """Move the version that was in Production before the present one back there, in one step.

        NothingInProduction where none is there now; UsageError where none was there before.
        """
        with self.locked(model):
            current = self.production(model, ruling.at)
            way = (number for number in way_back(self.history.arrivals(model)) if number != current.version)
            before = next((number for number in way if self._mlflow.version(model, number) is not None), None)
            if before is None:
                raise UsageError(
                    f"{model} version {current.version}",
                    have="no earlier Production version is recorded, or it no longer exists",
                    need="a version to go back to",
                    remedy=f"tomorrow promote {model} VERSION --to production; tomorrow history {model} lists them",
                )
            move = self.move(model, before, "Production", ruling)
            return replace(move, notes=(*current.notes, *move.notes))

    def _as_judged(self, version: RegisteredVersion, newest: Sequence[StageChange] = ()) -> RegisteredVersion:
        """A version whose tags on its skill are those of the history, or of the `newest` lines, if just read."""
        read = (line for line in newest if line.version == version.version and line.verdict is not None)
        line = next(read, None) or self.history.judged(version.model, version.version)
        return as_judged(version, None if line is None else line.ruling)

    def _nothing_in_production(self, model: str) -> NothingInProduction:
        staged = self.history.in_stage(model, "Staging")
        last = self.history.of_versions(model, way_of(self.history.arrivals(model))[-1:])
        deleted = last and (last[-1].before, last[-1].after) == ("Production", DELETED)
        waiting = [self._mlflow.version(model, number) for number in staged[:SHOWN_WAITING]]
        return nothing_in_production(
            model,
            [version for version in waiting if version],
            len(staged),
            self._mlflow.newest(model),
            last[-1].version if deleted else None,
        )


def compare_stages(tracking: Tracking, at: datetime) -> tuple[str, ...]:
    """Look for unnoticed changes by hand in every version of every model; sentences that describe them."""
    registry = Registry(tracking)
    return tuple(note for model in registry.models() for note in registry.compare(model, at))
