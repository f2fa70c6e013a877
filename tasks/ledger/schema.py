"""The ledger's tables, for queries; `migrations` makes them in a database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

LEDGER_VERSION = 4
# The version in which a column of the forecasts came, where that is not the first.
SINCE = {"explanation": 2, "without": 3, "horizon": 4, "further": 4}
# PostgreSQL's advisory locks are numbers: this one is held while the ledger's tables are made or migrated.
LEDGER_LOCK = 0x7064_6572


class Moment(TypeDecorator[datetime]):
    """A point in time: given with a zone, stored and returned in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Keep it in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give it back in UTC; SQLite does not store the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class VersionNumber(TypeDecorator[int]):
    """A version's number, or None for the naive distribution: kept as 0, since a key has no NULL."""

    impl = sa.Integer
    cache_ok = True
    # So that a comparison with None is one with 0, and not IS NULL.
    coerce_to_is_types = ()

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int:  # noqa: ARG002
        """Keep None as 0."""
        return value or 0

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """Give 0 back as None."""
        return value or None


class Named(TypeDecorator[Mapping[str, Any]]):
    """Name -> number, or nested such tables, as JSON, which keeps every bit of the numbers."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Mapping[Any, Any] | None, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        """Keep the names as text."""
        return None if value is None else {str(name): numbers for name, numbers in value.items()}


def _required(kind: Any, *names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, kind, nullable=False) for name in names)


metadata = sa.MetaData()

forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", VersionNumber, primary_key=True, autoincrement=False),
    sa.Column("as_of", sa.Date, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    *_required(sa.Text, "ticker", "column", "naive_name", "source", "run_id", "fingerprint"),
    *_required(sa.Double, "forecast", "naive"),
    *_required(sa.Boolean, "stale", "late"),
    *_required(Named, "intervals", "naives", "quantiles", "naive_quantiles"),
    *_required(Moment, "made_at"),
    *(sa.Column(name, sa.Double) for name in ("lower", "upper", "level", "observed")),
    sa.Column("currency", sa.Text),
    sa.Column("observed_at", Moment),
    sa.Column("explanation", Named(none_as_null=True)),
    sa.Column("without", sa.Text),
    sa.Column("horizon", sa.Integer, primary_key=True, autoincrement=False, server_default="1"),
    sa.Index("forecasts_of_a_session", "model", "session"),
    sa.Index("forecasts_filled_in", "model", "observed_at"),
    sa.Index("forecasts_of_a_run", "run_id"),
    sa.Index("forecasts_of_prices", "ticker", "as_of", "fingerprint"),
)

stage_changes = sa.Table(
    "stage_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    *_required(sa.Text, "move", "model", "before", "after", "by", "decision", "reasons"),
    *_required(sa.Integer, "version"),
    *_required(Moment, "at"),
    sa.Column("forced", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("evidence", sa.Double),
    sa.Column("further", Named(none_as_null=True)),
    sa.Index("changes_of_a_version", "model", "version", "id"),
    sa.Index("changes_of_a_move", "model", "move"),
    sa.Index("changes_of_a_stage", "model", "after"),
)

retraining = sa.Table(
    "retraining",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    *_required(sa.Text, "model", "configuration", "family"),
    *_required(sa.Date, "oldest", "first"),
    *_required(Moment, "at"),
    sa.UniqueConstraint("model", "configuration", name="one_trial_of_a_configuration"),
)

kept_files = sa.Table(
    "kept_files",
    metadata,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("owner", "path", "digest")),
)

artefacts = sa.Table(
    "artefacts",
    metadata,
    sa.Column("artefact", sa.Text, primary_key=True),
    *_required(sa.Text, "model", "run_id", "key", "files"),
    *_required(sa.Date, "as_of"),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("artefact", sa.Text, nullable=False, unique=True),
)

ledger_version = sa.Table("ledger_version", metadata, sa.Column("version", sa.Integer, nullable=False))
