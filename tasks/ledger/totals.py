"""Counts and distinct values of the forecasts, computed by the database, so that the rows need not be read."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase
from tasks.ledger.schema import forecasts

# How many values to put into one query.
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The counts of a model's forecasts of the next session.

    forecasts: how many were made
    filled:    how many have their price filled in
    newest:    when a price was last filled in
    """

    model: str
    forecasts: int
    filled: int
    newest: datetime | None


class Totals:
    """The forecasts at `uri`, the ledger's address, counted."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    @property
    def place(self) -> str:
        """The ledger's address without the password."""
        return self._database.place

    def by_model(self) -> tuple[Total, ...]:
        """The total of each model, by name."""
        filled = forecasts.c.observed_at
        query = sa.select(forecasts.c.model, sa.func.count(), sa.func.count(filled), sa.func.max(filled))
        query = query.where(forecasts.c.horizon == 1)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(forecasts.c.model).order_by(forecasts.c.model)).all()
        return tuple(Total(model=row[0], forecasts=row[1], filled=row[2], newest=row[3]) for row in rows)

    def by_version(self, model: str) -> dict[int | None, int]:
        """Version -> number of its forecasts; None stands for the naive distribution."""
        query = sa.select(forecasts.c.version, sa.func.count()).where(forecasts.c.model == model)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(forecasts.c.version))}

    def as_of_days(self, model: str) -> dict[date, bool]:
        """As-of day -> whether a version (not only the naive distribution) forecast from it."""
        query = sa.select(forecasts.c.as_of, sa.func.max(forecasts.c.version)).where(forecasts.c.model == model)
        with self._database.reading() as connection:
            return {row[0]: row[1] is not None for row in connection.execute(query.group_by(forecasts.c.as_of))}

    def has(self, model: str, version: int) -> bool:
        """Whether a version has made a forecast."""
        query = sa.select(forecasts.c.as_of).where(forecasts.c.model == model, forecasts.c.version == version)
        with self._database.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def runs(self, run_ids: Collection[str]) -> set[str]:
        """Those of these training runs whose version has made a forecast."""
        return self._known(forecasts.c.run_id, run_ids)

    def days(self, ticker: str) -> set[date]:
        """The as-of days of a security's forecasts."""
        return self._distinct(forecasts.c.as_of, ticker)

    def fingerprints(self, ticker: str) -> set[str]:
        """The fingerprints of the prices that a security's forecasts were made from."""
        return self._distinct(forecasts.c.fingerprint, ticker)

    def _distinct(self, column: sa.Column[Any], ticker: str) -> set[Any]:
        with self._database.reading() as connection:
            query = sa.select(column).where(forecasts.c.ticker == ticker).distinct()
            return set(connection.execute(query).scalars())

    def _known(self, column: sa.Column[Any], wanted: Collection[str]) -> set[str]:
        found, every = set[str](), sorted(wanted)
        with self._database.reading() as connection:
            for start in range(0, len(every), AT_ONCE):
                query = sa.select(column).where(column.in_(every[start : start + AT_ONCE])).distinct()
                found |= set(connection.execute(query).scalars())
        return found
