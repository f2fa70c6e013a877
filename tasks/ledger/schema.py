"""The ledger's tables as this release makes them; `migrations` brings an older release's to the same state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from tasks.ledger.triggers import append_only, forecasts_stand

LEDGER_VERSION = 2
# PostgreSQL's advisory locks are numbers: this one is held while the ledger's tables are made or migrated.
LEDGER_LOCK = 0x7064_6572

FILLED_IN = ("observed", "observed_at")


class Moment(TypeDecorator[datetime]):
    """A point in time: handed over with a zone, kept and given back in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Keep it in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give it back with its zone, which SQLite forgets."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Named(TypeDecorator[Mapping[str, Any]]):
    """Name -> numbers, as JSON, which keeps every bit of them; NULL stands for none."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        """Keep it, the names as text."""
        return {str(name): numbers for name, numbers in value.items()} if value else None

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Mapping[str, Any]:  # noqa: ARG002
        """Give it back."""
        return value or {}


metadata = sa.MetaData()

forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("as_of", sa.Date, primary_key=True),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("ticker", sa.Text, nullable=False),
    sa.Column("column", sa.Text, nullable=False),
    sa.Column("forecast", sa.Double, nullable=False),
    sa.Column("lower", sa.Double),
    sa.Column("upper", sa.Double),
    sa.Column("level", sa.Double),
    sa.Column("naive", sa.Double, nullable=False),
    sa.Column("naive_name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("observed", sa.Double),
    sa.Column("observed_at", Moment),
    # Since version 2; NULL in rows that are older.
    sa.Column("intervals", Named),
    sa.Column("naives", Named),
    sa.Column("late", sa.Boolean),
    sa.Index("forecasts_of_a_session", "model", "session"),
    # Without it INSERT OR REPLACE could name a row by SQLite's hidden number and take its place.
    sqlite_with_rowid=False,
)

stage_changes = sa.Table(
    "stage_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("move", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("forced", sa.Text),
    sa.Column("skill", sa.Text),
    sa.Index("changes_of_a_version", "model", "version", "id"),
    sqlite_autoincrement=True,
)

retraining = sa.Table(
    "retraining",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

ledger_version = sa.Table("ledger_version", metadata, sa.Column("version", sa.Integer, nullable=False))

TRIGGERS = (
    (forecasts, forecasts_stand([column.name for column in forecasts.c if column.name not in FILLED_IN], FILLED_IN)),
    (stage_changes, append_only("stage_changes", "id = NEW.id", "a recorded stage change")),
    (retraining, append_only("retraining", "model = NEW.model AND session = NEW.session", "a recorded request")),
)

for _table, _statements in TRIGGERS:
    for _dialect, _statement in _statements:
        # A percent sign would be read as a placeholder of DDL's own; there is none in them.
        _trigger = sa.DDL(_statement)  # type: ignore[no-untyped-call]
        sa.event.listen(_table, "after_create", _trigger.execute_if(dialect=_dialect))
