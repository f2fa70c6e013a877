"""The configurations that were tried, in the ledger's database: the more are tried, the stronger the required evidence.

A trial is recorded once, before its first fit: the configuration, the security and column, the oldest session that its
fits know, and the first session of its proof. So neither another try nor other price files can give a luckier start.
"""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase, insert_once, read_rows
from tasks.ledger.schema import trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A configuration that was tried.

    number: k for the k-th family of configurations tried on the model; the built-in presets are one family
    oldest: the oldest session that its fits know
    first:  the session that its proof begins with
    """

    number: int
    oldest: date
    first: date


class Trials:
    """The trials at `uri`, the ledger's address."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def of(self, model: str, configuration: str) -> Trial | None:
        """The trial of a configuration, by its digest; None where there was none."""
        with self._database.reading() as connection:
            return _find(connection, model, configuration)

    def models(self) -> tuple[str, ...]:
        """Every model on which anything was tried."""
        with self._database.reading() as connection:
            return read_rows(connection, sa.select(trials.c.model).distinct(), lambda row: str(row.model))

    def record(self, model: str, configuration: str, family: str, oldest: date, first: date, at: datetime) -> Trial:
        """Record a trial, unless there is one; returns the one on record."""
        named = {"model": model, "configuration": configuration, "family": family}
        values = {**named, "oldest": oldest, "first": first, "at": at}
        with self._database.writing() as connection:
            insert_once(connection, trials, values)
            found = _find(connection, model, configuration)
        if found is None:
            raise RuntimeError(f"a trial of {model} was recorded, and is not there")
        return found


def _find(connection: sa.Connection, model: str, configuration: str) -> Trial | None:
    query = sa.select(trials).where(trials.c.model == model).order_by(trials.c.id)
    families: dict[str, int] = {}
    for row in read_rows(connection, query, lambda row: row):
        number = families.setdefault(row.family, len(families) + 1)
        if row.configuration == configuration:
            return Trial(number=number, oldest=row.oldest, first=row.first)
    return None
