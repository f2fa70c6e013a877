"""Questions about the forecasts that the database answers itself, so that nobody reads every row for them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase
from tasks.ledger.schema import forecasts

# Databases take so many values in one question.
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What there is of a model.

    forecasts: how many were made
    filled:    of how many the price came
    newest:    when the newest of these was filled in
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
        """What there is of each model."""
        filled = forecasts.c.observed_at
        query = sa.select(forecasts.c.model, sa.func.count(), sa.func.count(filled), sa.func.max(filled))
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(forecasts.c.model).order_by(forecasts.c.model)).all()
        return tuple(Total(model=row[0], forecasts=row[1], filled=row[2], newest=row[3]) for row in rows)

    def by_version(self, model: str) -> dict[int | None, int]:
        """How many forecasts of a model each version has made; None for the naive distribution."""
        query = sa.select(forecasts.c.version, sa.func.count()).where(forecasts.c.model == model)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(forecasts.c.version))}

    def as_of_days(self, model: str) -> dict[date, bool]:
        """The newest sessions that were known to the forecasts of a model; whether any of a day's is by a version."""
        query = sa.select(forecasts.c.as_of, sa.func.max(forecasts.c.version)).where(forecasts.c.model == model)
        with self._database.reading() as connection:
            return {row[0]: row[1] is not None for row in connection.execute(query.group_by(forecasts.c.as_of))}

    def has(self, model: str, version: int) -> bool:
        """Whether a version has made a forecast."""
        query = sa.select(forecasts.c.as_of).where(forecasts.c.model == model, forecasts.c.version == version)
        with self._database.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def runs(self, run_ids: Collection[str]) -> set[str]:
        """Those of these runs by whose version a forecast was made."""
        return self._known(forecasts.c.run_id, run_ids)

    def days(self, ticker: str) -> set[date]:
        """The newest sessions that were known to the forecasts of a security."""
        return self._distinct(forecasts.c.as_of, ticker)

    def fingerprints(self, ticker: str) -> set[str]:
        """The prices that the forecasts of a security were made from."""
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
