"""What MLflow says of stages against what is on record: changes made by hand, and versions from before the record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.registry.mlflow_registry import ModelState
from tasks.registry.stage_history import BY_HAND, DELETED, SUPERSEDED, StageChange, new_move
from tasks.registry.version import RegisteredVersion, Ruling

# The decisions that put a version into Production.
PROMOTING = ("promoted", "forced", "approved")


def production_of(stages: Mapping[int, str]) -> int | None:
    """The version in Production; the highest number where there are several, as MLflow takes it."""
    return max((version for version, stage in stages.items() if stage == "Production"), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What MLflow and the history say of a model.

    versions: number -> version, as MLflow has it
    state:    aliases, and the last move that is done
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
        """Version -> the stage it is to have, given what was changed by hand."""
        return intended(self.recorded, self.found, self.alias)

    @property
    def agrees(self) -> bool:
        """Whether the last move is done, and nothing was changed since."""
        done = self.last_move is None or self.state.moved == self.last_move
        as_recorded = not any(differences(self.recorded, self.found)) and not any(
            differences(self.recorded, self.wanted)
        )
        return done and as_recorded and self.alias == production_of(self.recorded)


def intended(recorded: Mapping[int, str], found: Mapping[int, str], alias: int | None) -> dict[int, str]:
    """The stage that each version is to have, given what a person changed in MLflow since the record.

    recorded: version -> stage on record; a version that is not there is in None
    found:    version -> stage in MLflow
    alias:    the version that the alias `production` names

    Every stage is honoured as it was set. Of Production there is one, and it is, the first that applies:
    the version to which the alias was moved; the version that was newly given the stage Production (of several the
    highest number); none, if the alias or the stage was taken away; the one on record.
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


def first_changes(model: str, versions: Sequence[RegisteredVersion], move: str) -> tuple[StageChange, ...]:
    """The history of versions that were moved before there was one, oldest first, as their tags tell it."""
    noted = [version for version in versions if version.tags.get("decision.at")]
    stages: dict[int, str] = {}
    changes: list[StageChange] = []

    def put(version: int, stage: str, ruling: Ruling) -> None:
        before = stages.get(version, "None")
        changes.append(StageChange.of(ruling, move, model, version, before, stage))
        stages[version] = stage

    for version in sorted(noted, key=lambda found: (_ruling(found).at, found.version)):
        ruling = _ruling(version)
        if ruling.decision not in PROMOTING:
            put(version.version, version.tags.get("stage", version.stage), ruling)
            continue
        for other in [number for number, stage in stages.items() if stage == "Production"]:
            put(other, "Archived", superseded(version.version, ruling))
        put(version.version, "Production", ruling)
    for version in noted:
        stage = version.tags.get("stage", version.stage)
        if stages[version.version] != stage:
            reasons = ("Found there when this history was begun; when it came there is not known.",)
            newest = max(change.at for change in changes)
            put(version.version, stage, Ruling(decision="moved", reasons=reasons, at=newest, by="not known"))
    return tuple(changes)


def superseded(version: int, ruling: Ruling) -> Ruling:
    """The ruling on what made room in Production for `version`."""
    reasons = (f"Version {version} took its place in Production: {ruling.decision}.",)
    return Ruling(decision=SUPERSEDED, reasons=reasons, at=ruling.at, by=ruling.by)


def differences(recorded: Mapping[int, str], wanted: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Each version whose stage is to be another than is on record, with both; those that leave Production last."""
    changed = [
        (version, recorded.get(version, "None"), stage)
        for version, stage in wanted.items()
        if stage != recorded.get(version, "None")
    ]
    return iter(sorted(changed, key=lambda change: (change[1] == "Production", change[0])))


def changes_by_hand(model: str, look: Standing, at: datetime) -> list[StageChange]:
    """The lines for what differs from the record, those that leave Production last."""
    move, wanted = new_move(), look.wanted
    reasons = (f"Changed in MLflow, outside this program; noticed {at:%Y-%m-%d %H:%M} UTC.",)
    by_hand = Ruling(decision="by hand", reasons=reasons, at=at, by=BY_HAND)
    arrived = production_of(wanted)
    changes = []
    for number, before, after in differences(look.recorded, wanted):
        made_room = before == "Production" and look.found.get(number) == "Production" and arrived is not None
        ruling = superseded(arrived, by_hand) if made_room and arrived is not None else by_hand
        changes.append(StageChange.of(ruling, move, model, number, before, after))
    return changes


def told(changes: Sequence[StageChange]) -> tuple[str, ...]:
    """A sentence for each change that was made by hand."""
    return tuple(_sentence(change) for change in changes)


def _sentence(change: StageChange) -> str:
    if change.decision == SUPERSEDED:
        return f"Version {change.version} of {change.model} made room for it, and is in {change.after} now."
    what = "was deleted" if change.after == DELETED else f"was moved from {change.before} to {change.after}"
    return f"Version {change.version} of {change.model} {what} by hand in MLflow: on record, and followed."


def _ruling(version: RegisteredVersion) -> Ruling:
    tags = version.tags
    return Ruling(
        decision=tags.get("decision", "moved"),
        reasons=tuple(tags.get("decision.reasons", "").split("\n")) if tags.get("decision.reasons") else (),
        at=datetime.fromisoformat(tags["decision.at"]),
        by=tags.get("decision.by", "not known"),
        forced=tags.get("decision.forced") or None,
        skill=tags.get("skill"),
    )
