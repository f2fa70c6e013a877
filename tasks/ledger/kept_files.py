"""Digests of the files that this program wrote and will read again, in the ledger's database.

Nothing is executed, and no decision rests on a file, whose digest is not here: whoever can write where MLflow keeps its
files still cannot write this. An owner is an address:

- `models:/m-...`, what a training logged: one digest for each file
- `runs:/...`, a run: as many digests for a file as there were contents written

Beside them stands what a training made, by its artefact, and which version was made of that: one, and never another.
What is decided about a version rests on this, and not on what its tags in MLflow say, which others can change.
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
    """What a training made: what is known of its artefact, and has to be true of the version that is made of it.

    model:  the name that it is registered under
    run_id: the MLflow run of the training
    key:    two trainings with one key are the same
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
        """Record digests, path -> SHA-256 in hexadecimal, all or none; what is on record stays."""
        with self._database.writing() as connection:
            _keep(connection, owner, files)

    def digests(self, owner: str, path: str) -> frozenset[str]:
        """Every digest that a file of an owner ever had; none for one that was not written here."""
        query = sa.select(kept_files.c.digest).where(kept_files.c.owner == owner, kept_files.c.path == path)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def package(self, artefact: str, trained: Trained, files: Mapping[str, str]) -> None:
        """Record what a training made, with the digests of its files; what is on record of the artefact stays."""
        row = {"model": trained.model, "run_id": trained.run_id, "key": trained.key, "as_of": trained.as_of}
        with self._database.writing() as connection:
            _keep(connection, artefact, files)
            insert_once(connection, artefacts, {"artefact": artefact, **row, "files": _digest(files)})

    def register(self, version: str, artefact: str, run_id: str, key: str) -> Trained | None:
        """Record that a version was made of an artefact, unless one was before; None where this is none of ours.

        It is ours where model, run and key are those of the training, the files on record are those that it wrote, and
        no other version was made of the artefact.
        """
        with self._database.writing() as connection:
            found = _trained(connection, artefact)
            if found is None or (f"models:/{found.model}", run_id) != (version.rpartition("/")[0], found.run_id):
                return None
            if key == found.key:
                insert_once(connection, versions, {"version": version, "artefact": artefact})
            return found if _is_made_of(connection, version, artefact) else None

    def highest(self, model: str) -> int:
        """The highest number of a model's versions that were registered here; 0 where none was."""
        address = f"models:/{model}/"
        query = sa.select(versions.c.version).where(versions.c.version.startswith(address, autoescape=True))
        with self._database.reading() as connection:
            return max((int(found.removeprefix(address)) for found in connection.execute(query).scalars()), default=0)

    def version(self, version: str, artefact: str) -> dict[str, str] | None:
        """The files of a version that was registered here as made of this artefact; None where it was not."""
        with self._database.reading() as connection:
            ours = _trained(connection, artefact) is not None and _is_made_of(connection, version, artefact)
            return _files(connection, artefact) if ours else None

    def trained(self, version: str, artefact: str) -> Trained | None:
        """What a version that was registered here was made by; None likewise."""
        with self._database.reading() as connection:
            return _trained(connection, artefact) if _is_made_of(connection, version, artefact) else None


def _keep(connection: sa.Connection, owner: str, files: Mapping[str, str]) -> None:
    for path, digest in files.items():
        insert_once(connection, kept_files, {"owner": owner, "path": path, "digest": digest})


def _trained(connection: sa.Connection, artefact: str) -> Trained | None:
    """What is on record of an artefact; None where nothing is, or where files were added to it."""
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
        raise TypeError("a path or a digest is no text")
    return row.path, row.digest


def _digest(files: Mapping[str, str]) -> str:
    """The digest of a list of files, written as `sha256sum` does."""
    return sha256("".join(f"{files[path]}  {path}\n" for path in sorted(files)).encode()).hexdigest()
