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
    """The counts of a model's forecasts of the next session; `further` counts those of later sessions.

    forecasts: how many were made
    filled:    how many have their price filled in
    newest:    when a price was last filled in
    """

    model: str
    forecasts: int
    filled: int
    newest: datetime | None
    further: int = 0
    further_filled: int = 0


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
        filled, ahead = forecasts.c.observed_at, forecasts.c.horizon > 1
        query = sa.select(
            forecasts.c.model,
            sa.func.count().filter(~ahead),
            sa.func.count(filled).filter(~ahead),
            sa.func.max(filled).filter(~ahead),
            sa.func.count().filter(ahead),
            sa.func.count(filled).filter(ahead),
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(forecasts.c.model).order_by(forecasts.c.model)).all()
        names = ("model", "forecasts", "filled", "newest", "further", "further_filled")
        # Rows of later sessions are written with that of the next one; a copy that lost it has nothing to show.
        return tuple(Total(**dict(zip(names, row, strict=True))) for row in rows if row[1])

    def by_horizon(self, model: str | None = None) -> dict[str, dict[int, int]]:
        """Model -> sessions ahead, ascending -> how many forecasts were made; of all models, or of one."""
        keys = (forecasts.c.model, forecasts.c.horizon)
        query = sa.select(*keys, sa.func.count()).group_by(*keys).order_by(*keys)
        found: dict[str, dict[int, int]] = {}
        with self._database.reading() as connection:
            wanted = query if model is None else query.where(forecasts.c.model == model)
            for name, horizon, count in connection.execute(wanted):
                found.setdefault(name, {})[horizon] = count
        return found

    def by_version(self, model: str) -> dict[int | None, int]:
        """Version -> number of its forecasts of the next session; None stands for the naive distribution."""
        query = sa.select(forecasts.c.version, sa.func.count()).where(*_next_sessions(model))
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(forecasts.c.version))}

    def as_of_days(self, model: str) -> dict[date, bool]:
        """As-of day -> whether a version (not only the naive distribution) forecast the next session from it."""
        query = sa.select(forecasts.c.as_of, sa.func.max(forecasts.c.version)).where(*_next_sessions(model))
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

    def moments(self, run_ids: Collection[str]) -> set[datetime]:
        """When versions of these training runs made forecasts."""
        return self._known(forecasts.c.made_at, run_ids, by=forecasts.c.run_id)

    def _distinct(self, column: sa.Column[Any], ticker: str) -> set[Any]:
        with self._database.reading() as connection:
            query = sa.select(column).where(forecasts.c.ticker == ticker).distinct()
            return set(connection.execute(query).scalars())

    def _known(self, column: sa.Column[Any], wanted: Collection[str], by: sa.Column[Any] | None = None) -> set[Any]:
        """The values of a column in the rows where it, or the column `by`, is one of those wanted."""
        found, every, where = set[Any](), sorted(wanted), column if by is None else by
        with self._database.reading() as connection:
            for start in range(0, len(every), AT_ONCE):
                query = sa.select(column).where(where.in_(every[start : start + AT_ONCE])).distinct()
                found |= set(connection.execute(query).scalars())
        return found


def _next_sessions(model: str) -> tuple[sa.ColumnElement[bool], ...]:
    """A model's forecasts of the next session, so that those of later ones do not count twice."""
    return forecasts.c.model == model, forecasts.c.horizon == 1
