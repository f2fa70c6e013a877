"""The registry of versions: what is registered, in which stage, by whose decision.

The stages are MLflow's own. Beside them stand the aliases `production` and `staging`, each one atomic pointer, and
on every version that was moved here the tag `stage`. The stages mean:

- Production: at most one version, and stage, alias and tag agree on it. A version that is superseded is archived.
- Staging: any number of versions wait here. The alias names the one with the highest number, as
  `models:/NAME/Staging` does.

MLflow moves one version at a time. While one takes another's place the stage is empty for a moment, and the alias names
the old version until it names the new one. How moves are written, and what a killed one leaves: stage_writer.py.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from model.errors import NothingInProduction, UsageError
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.registry.errors import SHOWN_WAITING, nothing_in_production, unknown_version
from tasks.registry.manual_changes import production_of, superseded
from tasks.registry.mlflow_registry import MlflowRegistry, ModelState
from tasks.registry.ruling import Move, Ruling
from tasks.registry.stage_history import DELETED, StageChange, StageHistory, new_move, way_back, way_of
from tasks.registry.stage_writer import StageWriter
from tasks.registry.version import KEY, RegisteredVersion
from tasks.settings import Stage
from tasks.system.lock import locked
from tasks.tracking.client import Tracking

# The tags that say what was known of a version's skill.
JUDGED = ("verdict", "evidence")


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
        """Hold the model's stages still, to read, decide and move as one step; `move` may be called within it.

        The lock belongs to the thread. It holds among all who share the ledger, on whatever machine, where that is on
        PostgreSQL, and else among the processes on the state directory.
        """
        return locked(self._settings, f"registry-{model}", among=self._settings.ledger_uri)

    def register(
        self, model: str, *, run_id: str, model_uri: str, tags: Mapping[str, str] | None = None
    ) -> RegisteredVersion:
        """Register a run's model as the next version, in stage None; a run that was registered before keeps its own.

        The ledger notes that it was made of what was packaged, so that it can be loaded. A version that somebody else
        made of it is not ours.
        """
        with self.locked(model):
            self._mlflow.create_model(model)
            for known in self.of_run(model, run_id):
                if known.source == model_uri and self.complete(known):
                    return known
            on_record = self._highest_on_record(model)
            made = self._mlflow.create_version(model, run_id, model_uri, {**(tags or {}), "stage": "None"})
            while made.version <= on_record:  # of a model that was begun anew: MLflow counts from 1 again
                self._mlflow.remove(model, made.version)
                made = self._mlflow.create_version(model, run_id, model_uri, {**(tags or {}), "stage": "None"})
            self.complete(made)
            return made

    def begin_anew(self, model: str, ruling: Ruling) -> None:
        """Begin a model again that was deleted in MLflow: its versions on record count as deleted, for this reason.

        UsageError where MLflow has it, or nothing is on record. The next version goes on from the highest.
        """
        with self.locked(model):
            view = self._writer.view(model)
            if view.state.there or not self._highest_on_record(model):
                raise UsageError(
                    f"model {model}",
                    have="MLflow has it: nothing is to be begun anew"
                    if view.state.there
                    else "no version of it is on record: nothing was deleted",
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
        """The highest number that was given to a version; 0 where there was none."""
        return max(self.history.highest(model), KeptFiles(self._settings.ledger_uri).highest(model))

    def complete(self, version: RegisteredVersion) -> Trained | None:
        """What a version that was registered here was made by; None where it was not, so that it is never loaded.

        The ledger has it from now on where a kill came between: where it is the first that was made of what a training
        here packaged, and its model, run and key are that training's.
        """
        kept, key = KeptFiles(self._settings.ledger_uri), version.tags.get(KEY, "")
        return kept.register(version.model_uri, version.source, version.run_id, key)

    def link(self, version: RegisteredVersion) -> None:
        """Let MLflow's page of the logged model name the version that was made of it."""
        self._mlflow.link(version)

    def models(self) -> tuple[str, ...]:
        """The names of all registered models."""
        return self._mlflow.models()

    def states(self) -> dict[str, ModelState]:
        """What is kept on each registered model as a whole, by its name."""
        return self._mlflow.states()

    def versions(self, model: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, oldest first; none for a model that does not exist."""
        return self._mlflow.versions(model)

    def of_run(self, model: str, run_id: str) -> tuple[RegisteredVersion, ...]:
        """The versions that were made of a run: one, or none."""
        return self._mlflow.versions(model, f"run_id='{run_id}'")

    def of_runs(self, run_ids: Sequence[str]) -> tuple[RegisteredVersion, ...]:
        """The versions of all models that were made of these runs."""
        return self._mlflow.of_runs(run_ids)

    def newest(self, model: str) -> tuple[RegisteredVersion, ...]:
        """The versions with the highest numbers, highest first."""
        return self._mlflow.newest(model)

    def tagged(self, model: str, key: str, value: str) -> tuple[RegisteredVersion, ...]:
        """The versions of a model that have a tag, oldest first."""
        return self._mlflow.versions(model, f"tags.`{key}` = '{value}'")

    def version(self, model: str, number: int) -> RegisteredVersion:
        """One version; UsageError says which models or versions there are."""
        found = self._mlflow.version(model, number)
        if found is None:
            raise unknown_version(model, number, self.models(), [known.version for known in self.versions(model)])
        return self._as_judged(found)

    def find(self, model: str, number: int) -> RegisteredVersion | None:
        """One version, if there is such a one."""
        found = self._mlflow.version(model, number)
        return None if found is None else self._as_judged(found)

    def production(self, model: str, at: datetime, state: ModelState | None = None) -> RegisteredVersion:
        """The version in Production at the time `at`, which is now; NothingInProduction says what to do.

        `state` is what is kept on the model as a whole, where that was just read.

        What was changed by hand in MLflow is recorded and followed; the version's notes say so, once.
        """
        view = self._writer.glance(model, state=state)
        notes: tuple[str, ...] = ()
        if not view.agrees:
            # They differ for a moment while another process moves a version, too: only the lock tells.
            with self.locked(model):
                view, notes = self._writer.settle(model, at)
        number = view.alias
        if number is None or number not in view.versions:
            raise self._nothing_in_production(model)
        return replace(self._as_judged(view.versions[number]), notes=notes)

    def settle(self, model: str, at: datetime) -> tuple[str, ...]:
        """Record what was changed by hand in MLflow, and complete what was left half done; sentences on it."""
        if self._writer.glance(model).agrees:
            return ()
        with self.locked(model):
            return self._writer.settle(model, at)[1]

    def compare(self, model: str, at: datetime) -> tuple[str, ...]:
        """Settle a model after a look at every version of it, which takes its time; sentences likewise."""
        with self.locked(model):
            return self._writer.compare(model, at)

    def record(self, version: RegisteredVersion, ruling: Ruling) -> RegisteredVersion:
        """Note a decision on a version that stays where it is."""
        model, number = version.model, version.version
        with self.locked(model):
            self._writer.settle(model, ruling.at)
            stage = self.version(model, number).stage
            self._writer.make([StageChange.of(ruling, new_move(), model, number, stage, stage)])
        return self.version(model, number)

    def note(self, version: RegisteredVersion, tags: Mapping[str, str]) -> None:
        """Set tags on a version that are no decision on its stage."""
        self._mlflow.tag(version.model, version.version, tags)

    def move(self, model: str, number: int, stage: Stage, ruling: Ruling) -> Move:
        """Put a version into a stage, with the decision noted on it; what it supersedes in Production is archived.

        A version that is there already stays as it is, its previous decision too, and the move says so.
        """
        with self.locked(model):
            view, notes = self._writer.settle(model, ruling.at)
            target = self.version(model, number)
            if target.stage == stage:
                note = f"Version {number} of {model} is in {stage} already."
                return Move(version=target, before=stage, archived=(), changed=False, notes=(*notes, note))
            move, before = new_move(), production_of(view.recorded)
            changes = [StageChange.of(ruling, move, model, number, target.stage, stage)]
            if stage == "Production" and before is not None:
                making_room = superseded(number, ruling)
                changes.append(StageChange.of(making_room, move, model, before, "Production", "Archived"))
            self._writer.make(changes)
            archived = tuple(change.version for change in changes[1:])
            moved = self.version(model, number)
            return Move(version=moved, before=target.stage, archived=archived, changed=True, notes=notes)

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
        """The versions that are or were in Production, as far as there is a history."""
        return self.history.once_in(model, "Production")

    def roll_back(self, model: str, ruling: Ruling) -> Move:
        """Give Production to the version that was there before the present one, in one step.

        NothingInProduction where there is none now; UsageError where there was none before.
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

    def _as_judged(self, version: RegisteredVersion) -> RegisteredVersion:
        """A version with what the history says of its skill in place of what its tags say, which anybody may set."""
        line = self.history.judged(version.model, version.version)
        on_record = {} if line is None else {key: line.ruling.tags().get(key, "") for key in JUDGED}
        others = {key: text for key, text in version.tags.items() if key not in JUDGED}
        return replace(version, tags={**others, **on_record})

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
    """Look at every version of every model for changes by hand that nobody has noticed; sentences on them."""
    registry = Registry(tracking)
    return tuple(note for model in registry.models() for note in registry.compare(model, at))
