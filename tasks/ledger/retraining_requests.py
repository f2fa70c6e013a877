"""Requests to retrain, kept in the ledger's database, so that every process knows the newest one."""

from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from tasks.ledger.database import LedgerDatabase, insert_once, read_rows
from tasks.ledger.schema import retraining


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingRequest:
    """A request to retrain, because of the windows up to `session` of the `version` that was in Production then."""

    model: str
    session: date
    version: int
    at: datetime
    reasons: str


class RetrainingRequests:
    """The requests at `uri`, the ledger's address."""

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def newest(self, model: str) -> RetrainingRequest | None:
        """The request for the newest session; None where there is none."""
        query = sa.select(retraining).where(retraining.c.model == model).order_by(retraining.c.session.desc()).limit(1)
        with self._database.reading() as connection:
            found = read_rows(connection, query, lambda row: RetrainingRequest(**row._mapping))
        return found[0] if found else None

    def of_newest_session(self) -> dict[str, RetrainingRequest]:
        """Model -> the request for its newest session, of every model that has one."""
        newest = sa.select(retraining.c.model, sa.func.max(retraining.c.session)).group_by(retraining.c.model)
        query = sa.select(retraining).where(sa.tuple_(retraining.c.model, retraining.c.session).in_(newest))
        with self._database.reading() as connection:
            found = read_rows(connection, query, lambda row: RetrainingRequest(**row._mapping))
        return {request.model: request for request in found}

    def ask(self, request: RetrainingRequest) -> bool:
        """Record a request, unless there is one for that session; returns whether this call recorded it."""
        with self._database.writing() as connection:
            return insert_once(connection, retraining, asdict(request))
