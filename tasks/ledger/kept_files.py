"""Digests of the files that this program wrote and will read again, in the ledger's database.

Nothing is executed, and no decision rests on a file, whose digest is not here: whoever can write where MLflow keeps its
files still cannot write this. An owner is an address:

- `models:/m-...`, what a training logged: one digest for each file
- `models:/META-Open/3`, a version that was registered here: one line for the artefact that it was made of, with the
  digest of the list of its files
- `runs:/...`, a run: as many digests for a file as there were contents written
"""

from collections.abc import Mapping
from hashlib import sha256

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase, insert_once, read_rows
from tasks.ledger.schema import kept_files


class KeptFiles:
    """The digests at `uri`, the ledger's address."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def keep(self, owner: str, files: Mapping[str, str]) -> None:
        """Record digests, path -> SHA-256 in hexadecimal, all or none; what is on record stays."""
        with self._database.writing() as connection:
            for path, digest in files.items():
                insert_once(connection, kept_files, {"owner": owner, "path": path, "digest": digest})

    def digests(self, owner: str, path: str) -> frozenset[str]:
        """Every digest that a file of an owner ever had; none for one that was not written here."""
        query = sa.select(kept_files.c.digest).where(kept_files.c.owner == owner, kept_files.c.path == path)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def register(self, version: str, artefact: str) -> bool:
        """Record that a version was made of an artefact whose files are on record; False where they are not.

        False, too, where the version is on record as made of something else.
        """
        with self._database.writing() as connection:
            files = _files(connection, artefact)
            made_of = _made_of(connection, version)
            if not made_of and files:
                made_of = {(artefact, _digest(files))}
                insert_once(connection, kept_files, {"owner": version, "path": artefact, "digest": _digest(files)})
        return bool(files) and made_of == {(artefact, _digest(files))}

    def version(self, version: str, artefact: str) -> dict[str, str] | None:
        """The files of a version that was registered here as made of this artefact; None where it was not."""
        with self._database.reading() as connection:
            files = _files(connection, artefact)
            made_of = _made_of(connection, version)
        return files if files and made_of == {(artefact, _digest(files))} else None


def _files(connection: sa.Connection, artefact: str) -> dict[str, str]:
    return dict(_lines(connection, artefact))


def _made_of(connection: sa.Connection, version: str) -> set[tuple[str, str]]:
    return set(_lines(connection, version))


def _lines(connection: sa.Connection, owner: str) -> tuple[tuple[str, str], ...]:
    query = sa.select(kept_files).where(kept_files.c.owner == owner).order_by(kept_files.c.path, kept_files.c.digest)
    return read_rows(connection, query, _line)


def _line(row: sa.Row[tuple[str, str, str]]) -> tuple[str, str]:
    if not (isinstance(row.path, str) and isinstance(row.digest, str)):
        raise TypeError("a path or a digest is no text")
    return row.path, row.digest


def _digest(files: Mapping[str, str]) -> str:
    """The digest of a list of files, written as `sha256sum` does."""
    return sha256("".join(f"{files[path]}  {path}\n" for path in sorted(files)).encode()).hexdigest()
