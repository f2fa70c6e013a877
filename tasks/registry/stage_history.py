"""The history of stages: which version was moved where, when, by whom and why. Lines are added, and never changed.

It is kept in the ledger's database. A move is recorded before it is made, so that the next process can complete it
after a kill; stage_writer.py tells an incomplete move from a change by hand.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa

from model.errors import ConfigurationError
from model.evaluation.decision import DecisionWord, FurtherVerdict, Verdict
from tasks.ledger.database import LedgerDatabase, read_rows
from tasks.ledger.schema import stage_changes
from tasks.registry.ruling import Ruling

BY_HAND = "by hand in MLflow"
ELSEWHERE = "on record in another ledger"
DELETED = "Deleted"
# How many of the newest lines are read.
LATELY = 20
# How many lines one query asks for by their ids; databases limit how many values it may name.
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChange:
    """One line: a version went from the stage `before` to the stage `after`, or a decision left it where it was.

    move:     the same id for all lines of one step
    decision: SUPERSEDED for a version that was replaced in Production
    at, by:   when (for a change by hand: when it was noticed) and by whom
    verdict:  on its skill: proven, undecided or no skill; None where it was not judged
    evidence: the odds that it has skill; None likewise
    further:  sessions ahead -> both of them at each horizon beyond the next session that was judged
    """

    move: str
    model: str
    version: int
    before: str
    after: str
    at: datetime
    by: str
    decision: DecisionWord
    reasons: tuple[str, ...]
    forced: str | None = None
    verdict: str | None = None
    evidence: float | None = None
    further: Mapping[int, FurtherVerdict] = field(default_factory=dict)

    @classmethod
    def of(cls, ruling: Ruling, move: str, model: str, version: int, before: str, after: str) -> Self:
        """The line for a ruling."""
        return cls(
            move=move,
            model=model,
            version=version,
            before=before,
            after=after,
            at=ruling.at,
            by=ruling.by,
            decision=ruling.decision,
            reasons=ruling.reasons,
            forced=ruling.forced,
            verdict=ruling.verdict,
            evidence=ruling.evidence,
            further=ruling.further,
        )

    @property
    def ruling(self) -> Ruling:
        """The ruling that the line records."""
        return Ruling(
            decision=self.decision,
            reasons=self.reasons,
            at=self.at,
            by=self.by,
            forced=self.forced,
            verdict=self.verdict,
            evidence=self.evidence,
            further=self.further,
        )


class StageHistory:
    """The lines at `uri`, the ledger's address."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def append(self, changes: Sequence[StageChange]) -> None:
        """Add lines, all or none."""
        rows = [
            {
                **asdict(change),
                "decision": change.decision.value,
                "reasons": "\n".join(change.reasons),
                "further": {ahead: known._asdict() for ahead, known in change.further.items()} or None,
            }
            for change in changes
        ]
        with self._database.writing() as connection:
            connection.execute(sa.insert(stage_changes), rows)

    def changes(self, model: str) -> tuple[StageChange, ...]:
        """Every line of a model, oldest first."""
        return self._read(sa.select(stage_changes).where(stage_changes.c.model == model))

    def tail(self, model: str, n: int) -> tuple[StageChange, ...]:
        """The newest n lines of a model, oldest first."""
        ids = sa.select(stage_changes.c.id).where(stage_changes.c.model == model)
        ids = ids.order_by(stage_changes.c.id.desc()).limit(n)
        return self._read(sa.select(stage_changes).where(stage_changes.c.id.in_(ids.subquery().select())))

    def of_versions(self, model: str, versions: Collection[int]) -> tuple[StageChange, ...]:
        """Every line of these versions, oldest first."""
        which = (stage_changes.c.model == model, stage_changes.c.version.in_(versions))
        return self._read(sa.select(stage_changes).where(*which))

    def count(self, model: str) -> int:
        """How many lines a model has."""
        query = sa.select(sa.func.count()).select_from(stage_changes).where(stage_changes.c.model == model)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def newest(self, model: str) -> tuple[StageChange, ...]:
        """The newest line of each version, the newest of all last."""
        return self._read(sa.select(stage_changes).where(stage_changes.c.id.in_(_newest(model))))

    def lately(self, model: str, versions: Collection[int]) -> tuple[StageChange, ...]:
        """The newest line of each of these versions, of those in the LATELY newest lines, and of the one in Production.

        In the order of the record, newest last.
        """
        newest = sa.select(stage_changes.c.version).where(stage_changes.c.model == model)
        newest = newest.order_by(stage_changes.c.id.desc()).limit(LATELY)
        there = _in_stage(sa.select(stage_changes.c.version), model, "Production")
        with self._database.reading() as connection:
            those = {number for query in (newest, there) for number in connection.execute(query).scalars()}
        ids = _newest(model).where(stage_changes.c.version.in_({*versions, *those}))
        return self._read(sa.select(stage_changes).where(stage_changes.c.id.in_(ids)))

    def lately_of(self, versions: Mapping[str, Collection[int]], most: int) -> dict[str, tuple[StageChange, ...]]:
        """Model -> the newest lines of these versions, of the `most` that were changed last, and of that in Production.

        In the order of the record. It looks through the numbers of all versions on record.
        """
        newest = sa.select(sa.func.max(stage_changes.c.id)).group_by(stage_changes.c.model, stage_changes.c.version)
        columns = (stage_changes.c.id, stage_changes.c.model, stage_changes.c.version, stage_changes.c.after)
        query = sa.select(*columns).where(stage_changes.c.id.in_(newest)).order_by(stage_changes.c.id.desc())
        with self._database.reading() as connection:
            there = connection.execute(query).all()
        ids, seen = [], Counter[str]()
        for line, model, version, after in there:
            is_new, is_asked = seen[model] < most, version in versions.get(model, ())
            if model in versions and (is_new or is_asked or after == "Production"):
                ids.append(line)
            seen[model] += 1
        ids.reverse()
        found: dict[str, tuple[StageChange, ...]] = {}
        for start in range(0, len(ids), AT_ONCE):
            which = stage_changes.c.id.in_(ids[start : start + AT_ONCE])
            for change in self._read(sa.select(stage_changes).where(which)):
                found[change.model] = (*found.get(change.model, ()), change)
        return found

    def judged(self, model: str, version: int) -> StageChange | None:
        """The newest line of a version that has a verdict on its skill; None where no line has."""
        which = (stage_changes.c.model == model, stage_changes.c.version == version)
        query = sa.select(stage_changes).where(*which, stage_changes.c.verdict.is_not(None))
        return next(iter(self._read(query.order_by(stage_changes.c.id.desc()).limit(1))), None)

    def verdict(self, model: str, version: int) -> str | None:
        """The newest verdict on a version's skill; None where there is none."""
        line = self.judged(model, version)
        return None if line is None else line.verdict

    def in_stage(self, model: str, stage: str) -> tuple[int, ...]:
        """The versions that are in a stage on record, highest first."""
        query = _in_stage(sa.select(stage_changes.c.version), model, stage)
        with self._database.reading() as connection:
            return tuple(connection.execute(query.order_by(stage_changes.c.version.desc())).scalars())

    def arrivals(self, model: str) -> tuple[StageChange, ...]:
        """The lines by which versions came into Production, and those that take a move back, oldest first."""
        arrived = sa.and_(stage_changes.c.after == "Production", stage_changes.c.before != "Production")
        back = stage_changes.c.decision == DecisionWord.TAKEN_BACK.value
        return self._read(sa.select(stage_changes).where(stage_changes.c.model == model, arrived | back))

    def highest(self, model: str) -> int:
        """The highest version number of a model on record; 0 where there is none."""
        query = sa.select(sa.func.max(stage_changes.c.version)).where(stage_changes.c.model == model)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one() or 0)

    def once_in(self, model: str, stage: str) -> set[int]:
        """The versions that are or were in a stage."""
        query = sa.select(stage_changes.c.version).where(stage_changes.c.model == model, stage_changes.c.after == stage)
        with self._database.reading() as connection:
            return set(connection.execute(query.distinct()).scalars())

    def move(self, model: str, move: str) -> tuple[StageChange, ...]:
        """The lines of one move; none where this history does not have it."""
        which = (stage_changes.c.model == model, stage_changes.c.move == move)
        return self._read(sa.select(stage_changes).where(*which))

    def _read(self, query: sa.Select[Any]) -> tuple[StageChange, ...]:
        with self._database.reading() as connection:
            return read_rows(
                connection, query.order_by(stage_changes.c.id), lambda row: _parse_change(dict(row._mapping))
            )


def _newest(model: str) -> sa.Select[Any]:
    """The id of the newest line of each version."""
    ids = sa.select(sa.func.max(stage_changes.c.id)).where(stage_changes.c.model == model)
    return ids.group_by(stage_changes.c.version)


def _in_stage(query: sa.Select[Any], model: str, stage: str) -> sa.Select[Any]:
    """A query of lines, limited to those that are their version's newest and put it into that stage."""
    later = stage_changes.alias()
    newer = (later.c.model == model, later.c.version == stage_changes.c.version, later.c.id > stage_changes.c.id)
    is_newest = ~sa.select(later.c.id).where(*newer).exists()
    return query.where(stage_changes.c.model == model, stage_changes.c.after == stage, is_newest)


def new_move() -> str:
    """An id for a move that no other move has, on any machine."""
    return uuid4().hex


def stages_at(changes: Sequence[StageChange], moment: datetime) -> dict[int, StageChange]:
    """Version -> the line by which it came into the stage that it had at that moment.

    If the clock was set back, dates can show several versions in Production at once. Then the last on record counts,
    and the others are left out.
    """
    entered: dict[int, StageChange] = {}
    for change in changes:
        if change.at <= moment and (change.before != change.after or change.version not in entered):
            if change.after == "Production":
                entered = {version: other for version, other in entered.items() if other.after != "Production"}
            entered[change.version] = change
    return entered


def way_back(changes: Sequence[StageChange]) -> tuple[int, ...]:
    """The versions that were in Production before the last one there, the latest first."""
    return tuple(reversed(way_of(changes)[:-1]))


def way_of(changes: Sequence[StageChange]) -> tuple[int, ...]:
    """The versions that led Production to its last one, oldest first, that one included.

    A rollback removes the versions that it undid, so that repeated rollbacks go further and further back. A move that
    was taken back leaves no trace: its version is not in the list, and the version before it stays.
    """
    way: tuple[int, ...] = ()
    before = way
    for change in changes:
        if change.decision == DecisionWord.TAKEN_BACK:
            way = before if change.before == "Production" else way
        elif change.after == "Production" and change.before != "Production":
            before, version = way, change.version
            if change.decision == DecisionWord.ROLLED_BACK and version in way:
                way = way[: len(way) - way[::-1].index(version)]
            else:
                way = (*way, version)
    return way


def _parse_change(row: dict[str, Any]) -> StageChange:
    line, word = row.pop("id"), row.pop("decision")
    reasons = tuple(row.pop("reasons").split("\n"))
    if word not in set(DecisionWord):
        raise ConfigurationError(
            f"line {line} of the history of {row['model']} version {row['version']}, in the ledger",
            have=f"the decision {word!r}",
            need=f"one of {', '.join(DecisionWord)}",
            remedy="upgrade tomorrow to the release that wrote it, or restore the ledger from a copy",
        )
    further = {
        int(ahead): FurtherVerdict(Verdict(known["verdict"]), known["evidence"])
        for ahead, known in (row.pop("further") or {}).items()
    }
    return StageChange(**row, further=further, decision=DecisionWord(word), reasons=reasons if reasons != ("",) else ())
