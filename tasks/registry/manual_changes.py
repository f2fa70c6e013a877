"""Compares the stages in MLflow with those on record, to find changes by hand and moves recorded in another ledger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from model.evaluation.decision import DecisionWord
from tasks.registry.mlflow_registry import ModelState
from tasks.registry.ruling import Ruling
from tasks.registry.stage_history import BY_HAND, DELETED, ELSEWHERE, StageChange, new_move
from tasks.registry.version import RegisteredVersion


def production_of(stages: Mapping[int, str]) -> int | None:
    """The version in Production; of several the highest number, as in MLflow; None where there is none."""
    return max((version for version, stage in stages.items() if stage == "Production"), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model in MLflow and in the history.

    versions: number -> version, as in MLflow
    state:    aliases, and the last move that was completed
    newest:   the history's newest line of each version, the newest of all last
    """

    versions: Mapping[int, RegisteredVersion]
    state: ModelState
    newest: Sequence[StageChange]

    @property
    def recorded(self) -> dict[int, str]:
        """Version -> stage on record."""
        return {change.version: change.after for change in self.newest}

    @property
    def found(self) -> dict[int, str]:
        """Version -> stage in MLflow."""
        return {number: version.stage for number, version in self.versions.items()}

    @property
    def last_move(self) -> str | None:
        """The last move on record."""
        return self.newest[-1].move if self.newest else None

    @property
    def alias(self) -> int | None:
        """The version that the alias `production` names."""
        return self.state.aliases.get("production")

    @property
    def wanted(self) -> dict[int, str]:
        """Version -> the stage that it should have, after changes by hand."""
        return intended(self.recorded, self.found, self.alias)

    @property
    def agrees(self) -> bool:
        """Whether the last move was completed, and nothing was changed since."""
        done = self.last_move is None or self.state.moved == self.last_move
        as_recorded = not any(differences(self.recorded, self.found)) and not any(
            differences(self.recorded, self.wanted)
        )
        return done and as_recorded and self.alias == production_of(self.recorded)


def intended(recorded: Mapping[int, str], found: Mapping[int, str], alias: int | None) -> dict[int, str]:
    """Version -> the stage that it should have, after what a person changed in MLflow since the record.

    recorded: version -> stage on record; a version that is missing counts as in None
    found:    version -> stage in MLflow
    alias:    the version that the alias `production` names

    Every other stage is kept as it was set. At most one version is in Production, by the first rule that applies:
    the one to which the alias was moved; the one that was newly given the stage Production (of several, the highest
    number); none, if the alias or the stage was taken away; the one on record.
    """
    was = production_of(recorded)
    marked = {version for version, stage in found.items() if stage == "Production"}
    named = alias if alias in found else None
    if named is not None and named != was:
        chosen: int | None = named
    elif marked - {was}:
        chosen = max(marked - {was})
    else:
        chosen = was if was in marked and named == was else None
    wanted = {version: "Archived" if version in marked else stage for version, stage in found.items()}
    if chosen is not None:
        wanted[chosen] = "Production"
    gone = {version for version, stage in recorded.items() if version not in found and stage not in ("None", DELETED)}
    return {**wanted, **dict.fromkeys(gone, DELETED)}


def differences(recorded: Mapping[int, str], wanted: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """(version, recorded stage, wanted stage) where these differ; versions that leave Production come last."""
    changed = [
        (version, recorded.get(version, "None"), stage)
        for version, stage in wanted.items()
        if stage != recorded.get(version, "None")
    ]
    return iter(sorted(changed, key=lambda change: (change[1] == "Production", change[0])))


def changes_by_hand(model: str, view: ModelView, at: datetime) -> list[StageChange]:
    """History lines for what differs from the record; versions that leave Production come last.

    If the record was lost, restored or replaced, the tags distinguish this program's decisions from changes by hand:
    they name the stage, and moving a version in MLflow does not change them.
    """
    move, wanted = new_move(), view.wanted
    reasons = (f"Changed in MLflow, outside this program; noticed {at:%Y-%m-%d %H:%M} UTC.",)
    by_hand = Ruling(decision=DecisionWord.BY_HAND, reasons=reasons, at=at, by=BY_HAND)
    arrived = production_of(wanted)
    changes = []
    for number, before, after in differences(view.recorded, wanted):
        version = view.versions.get(number)
        if arrived is not None and before == view.found.get(number) == "Production":
            ruling = superseded(arrived, by_hand)
        elif version is not None and version.decided_in == after:
            ruling = _found(version, at)
        else:
            ruling = by_hand
        changes.append(StageChange.of(ruling, move, model, number, before, after))
    return changes


def _found(version: RegisteredVersion, at: datetime) -> Ruling:
    """The ruling on a version whose tags hold a decision that is not on record; their verdict is not taken over."""
    tags = version.tags
    decided = f"{tags['decision']} (by {version.decided_by}, {tags.get('decision.at', '')})"
    reasons = (f"Found in {version.decided_in} by the decision that its tags keep: {decided}.",)
    return Ruling(decision=DecisionWord.FOUND, reasons=reasons, at=at, by=ELSEWHERE)


def superseded(version: int, ruling: Ruling) -> Ruling:
    """The ruling on the version that `version` replaced in Production."""
    reasons = (f"Version {version} took its place in Production: {ruling.decision}.",)
    return Ruling(decision=DecisionWord.SUPERSEDED, reasons=reasons, at=ruling.at, by=ruling.by)


def describe_changes(changes: Sequence[StageChange]) -> tuple[str, ...]:
    """A sentence for each change by hand, and one for all decisions that were found in tags."""
    found = sum(change.decision == DecisionWord.FOUND for change in changes)
    notes = [_describe(change) for change in changes if change.decision != DecisionWord.FOUND]
    if found:
        what = "1 version" if found == 1 else f"{found} versions"
        notes.append(
            f"{what} of {changes[0].model} found in stages that were not on record in this ledger; now they are. "
            "A rollback knows only what is on record."
        )
    return tuple(notes)


def _describe(change: StageChange) -> str:
    if change.decision == DecisionWord.SUPERSEDED:
        return f"Version {change.version} of {change.model} was replaced in Production, and is in {change.after} now."
    what = "was deleted" if change.after == DELETED else f"was moved from {change.before} to {change.after}"
    return f"Version {change.version} of {change.model} {what} by hand in MLflow: now on record and in effect."
