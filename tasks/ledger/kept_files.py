"""Digests of the files that this program wrote and will read again, in the ledger's database.

A file whose digest is not here is never executed or used for a decision: those who can write to MLflow's files cannot
write to the ledger. An owner of files is an address:

- `models:/m-...`, a logged model: one digest for each file
- `runs:/...`, a run: for each file, a digest of every content that was written

Also recorded are each training, under its artefact, and the one version that was made from that artefact. Decisions on
a version use this record, and not the version's tags in MLflow, which others can change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase, insert_once, read_rows
from tasks.ledger.schema import artefacts, kept_files, versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training, as recorded for its artefact; the version that is made from the artefact has to agree with it.

    model:  the name that it is registered under
    run_id: the MLflow run of the training
    key:    identical trainings have the same key
    as_of:  the newest session that it knew
    """

    model: str
    run_id: str
    key: str
    as_of: date


class KeptFiles:
    """The digests at `uri`, the ledger's address."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def keep(self, owner: str, files: Mapping[str, str]) -> None:
        """Record digests, path -> SHA-256 in hexadecimal, all or none; earlier records stay."""
        with self._database.writing() as connection:
            _keep(connection, owner, files)

    def digests(self, owner: str, path: str) -> frozenset[str]:
        """Every digest that a file of an owner ever had; none if it was not written here."""
        query = sa.select(kept_files.c.digest).where(kept_files.c.owner == owner, kept_files.c.path == path)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def package(self, artefact: str, trained: Trained, files: Mapping[str, str]) -> None:
        """Record a training's artefact, with the digests of its files; an earlier record of the artefact stays."""
        row = {"model": trained.model, "run_id": trained.run_id, "key": trained.key, "as_of": trained.as_of}
        with self._database.writing() as connection:
            _keep(connection, artefact, files)
            insert_once(connection, artefacts, {"artefact": artefact, **row, "files": _digest(files)})

    def register(self, version: str, artefact: str, run_id: str, key: str) -> Trained | None:
        """Record that a version was made from an artefact; return its training, or None where the version is not ours.

        It is ours if model, run and key are the training's, the files on record are those that the training wrote, and
        no other version was made from the artefact before.
        """
        with self._database.writing() as connection:
            found = _trained(connection, artefact)
            if found is None or (f"models:/{found.model}", run_id) != (version.rpartition("/")[0], found.run_id):
                return None
            if key == found.key:
                insert_once(connection, versions, {"version": version, "artefact": artefact})
            return found if _is_made_of(connection, version, artefact) else None

    def highest(self, model: str) -> int:
        """The highest number among a model's versions that were registered here; 0 where there is none."""
        address = f"models:/{model}/"
        query = sa.select(versions.c.version).where(versions.c.version.startswith(address, autoescape=True))
        with self._database.reading() as connection:
            return max((int(found.removeprefix(address)) for found in connection.execute(query).scalars()), default=0)

    def version(self, version: str, artefact: str) -> dict[str, str] | None:
        """Path -> digest of a version that was registered here as made from this artefact; None where it was not."""
        with self._database.reading() as connection:
            ours = _trained(connection, artefact) is not None and _is_made_of(connection, version, artefact)
            return _files(connection, artefact) if ours else None

    def trained(self, version: str, artefact: str) -> Trained | None:
        """The training of a version that was registered here as made from this artefact; None where it was not."""
        with self._database.reading() as connection:
            return _trained(connection, artefact) if _is_made_of(connection, version, artefact) else None


def _keep(connection: sa.Connection, owner: str, files: Mapping[str, str]) -> None:
    for path, digest in files.items():
        insert_once(connection, kept_files, {"owner": owner, "path": path, "digest": digest})


def _trained(connection: sa.Connection, artefact: str) -> Trained | None:
    """The training on record for an artefact; None where there is none, or where files were added to the artefact."""
    query = sa.select(artefacts).where(artefacts.c.artefact == artefact)
    files = _digest(_files(connection, artefact))
    for row in read_rows(connection, query, lambda row: row):
        if row.files == files:
            return Trained(model=row.model, run_id=row.run_id, key=row.key, as_of=row.as_of)
    return None


def _is_made_of(connection: sa.Connection, version: str, artefact: str) -> bool:
    query = sa.select(versions.c.artefact).where(versions.c.version == version)
    return connection.execute(query).scalar_one_or_none() == artefact


def _files(connection: sa.Connection, artefact: str) -> dict[str, str]:
    query = sa.select(kept_files).where(kept_files.c.owner == artefact).order_by(kept_files.c.path, kept_files.c.digest)
    return dict(read_rows(connection, query, _line))


def _line(row: sa.Row[tuple[str, str, str]]) -> tuple[str, str]:
    if not (isinstance(row.path, str) and isinstance(row.digest, str)):
        raise TypeError("a path or a digest is not text")
    return row.path, row.digest


def _digest(files: Mapping[str, str]) -> str:
    """The digest of a list of files, written as `sha256sum` does."""
    return sha256("".join(f"{files[path]}  {path}\n" for path in sorted(files)).encode()).hexdigest()
